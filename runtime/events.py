# SPDX-License-Identifier: Apache-2.0
"""The names of all events that programs log. `docs/events.md` lists each, and a test holds it to
this file: one constant, one line there.
"""

from typing import Final

NODE_STARTED: Final = "node_started"
NODE_STOPPED: Final = "node_stopped"
NODE_GREETED: Final = "node_greeted"
NODE_BEHIND: Final = "node_behind"
NODE_CAUGHT_UP: Final = "node_caught_up"
NODE_HALTED: Final = "node_halted"
LINK_CHANGED: Final = "link_changed"
STORE_UNAVAILABLE: Final = "store_unavailable"
ENVELOPE_DEAD: Final = "envelope_dead"
ENVELOPE_HELD: Final = "envelope_held"
ENVELOPE_EARLY: Final = "envelope_early"
ENVELOPE_TWICE: Final = "envelope_twice"
GAP_ASKED: Final = "gap_asked"
ENVELOPES_RESENT: Final = "envelopes_resent"
MESSAGE_REFUSED: Final = "message_refused"
NOTICE_RECEIVED: Final = "notice_received"
BATCH_COMMITTED: Final = "batch_committed"
BATCH_FAILED: Final = "batch_failed"
CULPRIT_SET_ASIDE: Final = "culprit_set_aside"
COMMAND_DONE: Final = "command_done"
COMMAND_REFUSED: Final = "command_refused"
OUTBOX_SWEPT: Final = "outbox_swept"
TRANSACTION_STEPPED: Final = "transaction_stepped"
ENTRY_LOGGED: Final = "entry_logged"
ENTRY_DISPUTED: Final = "entry_disputed"
CONSENT_MISSING: Final = "consent_missing"
CHECKPOINT_MADE: Final = "checkpoint_made"
CHECKPOINT_REFUSED: Final = "checkpoint_refused"
STATEMENT_MADE: Final = "statement_made"
DIRECTORY_CHANGED: Final = "directory_changed"
STATEMENT_COMPARED: Final = "statement_compared"
DISCREPANCY_FOUND: Final = "discrepancy_found"
INQUIRY_SENT: Final = "inquiry_sent"
SERVICE_FAILED: Final = "service_failed"

__all__ = [name for name in tuple(globals()) if name.isupper()]
