# SPDX-License-Identifier: Apache-2.0
"""What every registry can do: accounts, actions, authorizations, the operators' desk, views."""
