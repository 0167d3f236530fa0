# SPDX-License-Identifier: Apache-2.0
"""The node of the international registry: one isolated section for each Party in it."""
