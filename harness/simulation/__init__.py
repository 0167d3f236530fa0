# SPDX-License-Identifier: Apache-2.0
"""Whole federations under a seed, and the second opinion that they are held to."""
