# SPDX-License-Identifier: Apache-2.0
"""How a node runs: ports, the one handler, the outbox relay, and their adapters."""
