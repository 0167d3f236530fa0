# SPDX-License-Identifier: Apache-2.0
"""The node that speaks for one Party's registry."""
