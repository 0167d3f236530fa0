# SPDX-License-Identifier: Apache-2.0
"""The benchmark: `a6hub bench`."""
