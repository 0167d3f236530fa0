# SPDX-License-Identifier: Apache-2.0
"""The reconciliation service: statements, comparison, drill-down, cases and reports."""
