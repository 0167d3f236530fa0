# SPDX-License-Identifier: Apache-2.0
"""What must hold: block arithmetic, transaction lives, entries and log proofs, without I/O."""
