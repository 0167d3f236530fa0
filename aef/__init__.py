# SPDX-License-Identifier: Apache-2.0
"""The agreed electronic format: tables, workbooks, and the checks on them. Pure, as `ledger` is."""
