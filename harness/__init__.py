# SPDX-License-Identifier: Apache-2.0
"""Whole fleets in one process or on real services: demo, simulation, benchmark."""
