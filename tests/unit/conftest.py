# SPDX-License-Identifier: Apache-2.0
"""Examples that hypothesis draws have no deadline: machines that build are shared and slow."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
