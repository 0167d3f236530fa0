# SPDX-License-Identifier: Apache-2.0
"""Everything has a limit; here is each one with its reason.

Limits of the wire are the same for everybody, because a message that one side may send and the
other must refuse would be a trap. What an operator may choose is a setting of its program.
"""

from typing import Final

__all__ = [
    "ACTORS_MAX",
    "ANSWER_LINES_MAX",
    "BUCKET_POINTS_MAX",
    "BUNDLE_BYTES_MAX",
    "CLOCK_AHEAD_SECONDS_MAX",
    "CLOCK_AHEAD_SECONDS_TOLERATED",
    "CONCERNED_MAX",
    "EARLY_ENVELOPES_MAX",
    "EFFECTS_MAX",
    "ENVELOPE_BYTES_MAX",
    "EVIDENCE_ACTS_MAX",
    "EVIDENCE_BYTES_MAX",
    "EVIDENCE_REQUESTS_MAX",
    "FINDINGS_MAX",
    "GAP_SECONDS_MAX",
    "INTEGER_MAX",
    "LACKING_MAX",
    "LINES_MAX",
    "MESSAGES_MAX",
    "MESSAGE_BYTES_MAX",
    "NESTING_MAX",
    "PROPOSAL_LIFETIME_SECONDS_MAX",
    "RESEND_BYTES_MAX",
    "RESEND_ENVELOPES_MAX",
    "SERIAL_MAX",
    "TREE_NODES_MAX",
]

INTEGER_MAX: Final = 2**53 - 1
"""RFC 8259 §6: beyond it JSON readers disagree on what number was meant."""

SERIAL_MAX: Final = 2**44 - 2
"""Seventeen million million tonnes per series, four hundred years of today's emissions; it keeps
the holdings tree at nine serial levels."""

MESSAGE_BYTES_MAX: Final = 960 * 1024
"""One message line; the largest is a kept envelope given back whole to its owner."""

BUNDLE_BYTES_MAX: Final = 256 * 1024
"""A sealed envelope takes no further message once it holds this much, so that it can be given
back in one message."""

ENVELOPE_BYTES_MAX: Final = 1024 * 1024
"""What one AMQP message carries; brokers and people handle a megabyte without special care."""

EVIDENCE_BYTES_MAX: Final = 64 * 1024 * 1024
"""One file of evidence: most of it is the directory, some three kilobytes for each act."""

EVIDENCE_ACTS_MAX: Final = 128
"""Acts in one part of an answer that brings evidence: with the hashes that prove them it stays
within what an envelope takes, and is put together in a moment."""

EVIDENCE_REQUESTS_MAX: Final = 16
"""Requests for evidence of one participant that wait at the hub; others are asked for later."""

MESSAGES_MAX: Final = 32
"""Messages in one envelope: past this a signature and a round trip are spread thinly enough."""

LINES_MAX: Final = 100
"""Blocks in one proposal; a larger transfer is several transactions, each provable by itself. The
entry that completes a proposal spells out some three effects a line, and must fit one message."""

EFFECTS_MAX: Final = 800
"""Effects in one entry: what the lines of a proposal give, and room for fragmented units."""

FINDINGS_MAX: Final = 50
"""Findings in one answer; more would bury the first one."""

NESTING_MAX: Final = 12
"""Depth of JSON; the deepest message of ours needs eight."""

TREE_NODES_MAX: Final = 64
"""Nodes of a holdings tree asked for in one inquiry: 64 nodes with 16 children each stay far
below the size of an envelope."""

BUCKET_POINTS_MAX: Final = 1024
"""Points of one bucket in an answer: rows that are right give each of its 256 serials two at most,
an end and a beginning, and those that are wrong have room for twice as many."""

ANSWER_LINES_MAX: Final = 2000
"""Totals, or movements of a trail, in one answer: a movement has some three hundred bytes, and all
must fit one message."""

ACTORS_MAX: Final = 250
"""Actors of one participant: a section for every Party and some more. An act that names them all,
with its signatures, and a checkpoint with a tree for each stay far below the size of a message."""

CONCERNED_MAX: Final = 8
"""Actors that a case is told to besides its own: units change hands between two or three at a time;
where more had a part in what differs, the case says how many are not told."""

EARLY_ENVELOPES_MAX: Final = 1000
"""Envelopes kept per sender while an earlier one is missing; past it they wait at the broker."""

RESEND_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of envelopes sent again per request, past the first one; nobody is made to load more."""

RESEND_ENVELOPES_MAX: Final = 200
"""Envelopes sent again per request; a longer gap is filled by further requests."""

LACKING_MAX: Final = 64
"""Ranges of sequences that one hello names as lacking; what lies beyond is told after these are
filled."""

CLOCK_AHEAD_SECONDS_TOLERATED: Final = 10
"""A `sent_at` this far ahead of our clock is taken as it is; well-kept clocks differ by less."""

CLOCK_AHEAD_SECONDS_MAX: Final = 600
"""Ahead by more than the tolerance and up to this, an envelope is held until due; past it the
sender's clock is wrong, and proposals in the envelope are refused."""

GAP_SECONDS_MAX: Final = 3600
"""How long past its deadline a transaction waits for an acquirer of whom something is stored behind
a gap: long enough to be asked for and sent again, too short to bind another's units for ever."""

PROPOSAL_LIFETIME_SECONDS_MAX: Final = 30 * 24 * 3600
"""No proposal may bind units for longer than thirty days."""
