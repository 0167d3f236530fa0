# SPDX-License-Identifier: Apache-2.0
"""What travels between registries and the hub: identifiers, messages, findings, envelopes."""
