# SPDX-License-Identifier: Apache-2.0
"""Examples that hypothesis draws have no deadline, and may be slow in the drawing: machines that
build are shared and slow.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
