# SPDX-License-Identifier: Apache-2.0
"""The node of the Article 6.4 mechanism registry: issuance, forwarding, designation."""
