# SPDX-License-Identifier: Apache-2.0
"""The hub: directory, checks, clearing, the log and its checkpoints."""
