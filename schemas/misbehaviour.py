# SPDX-License-Identifier: Apache-2.0
"""A proof of misbehaviour: what the hub has signed to one participant, which cannot all be so.

A file holds an unbroken run of the hub's envelopes, byte for byte, and what is needed to read them
as their recipient did. Whoever made the file can leave things out, and then it proves nothing; and
what stands beside the hub's words is read in the hub's favour.

Elsewhere: putting a file together (`registry.accusing`, `reconciliation.accusing`), what it proves
(`ledger.convicting`), the forms of evidence (`evidence`).
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.evidence import Said
from schemas.identifiers import Actor, Digest, Participant
from schemas.limits import ACTORS_MAX, ENVELOPE_BYTES_MAX
from schemas.units import Frozen, Whole

__all__ = ["EARLIER_MAX", "ENVELOPES_MAX", "MISBEHAVIOUR", "Frontier", "Misbehaviour"]

MISBEHAVIOUR: Final = "a6hub-misbehaviour-1"
ENVELOPES_MAX: Final = 20_000
"""Envelopes in a run: with the limit on a file's bytes, some hours of a busy hub."""
EARLIER_MAX: Final = 8
"""Entries beside the run; a transaction has two."""


class Frontier(Frozen):
    """An actor's delivery tree as it was: its largest complete subtrees, from the left. Under the
    name of the hub it is the log itself, which `REC` is sent whole.
    """

    actor: Actor
    nodes: Annotated[tuple[Digest, ...], Field(max_length=64)]


class Misbehaviour(Frozen):
    """What the hub said to one participant. `directory` are the entries with acts that came before
    the run, by position. Of the first of `envelopes` so many messages as `before` says had been
    taken: none, and it is the hub's first envelope of all; or the last of them is a checkpoint,
    whose delivery trees have the frontiers `trees`, and to `REC` the log. `earlier` are entries
    before the run about the transaction of the last entry, or at its position; `words` are what its
    consents rest on, as far as it is known.
    """

    format: Literal["a6hub-misbehaviour-1"] = MISBEHAVIOUR
    to: Participant
    directory: Annotated[tuple[Said, ...], Field(min_length=1, max_length=20_000)]
    before: Whole
    trees: Annotated[tuple[Frontier, ...], Field(max_length=ACTORS_MAX)]
    envelopes: Annotated[
        tuple[Annotated[str, Field(max_length=ENVELOPE_BYTES_MAX)], ...],
        Field(min_length=1, max_length=ENVELOPES_MAX),
    ]
    earlier: Annotated[tuple[Said, ...], Field(max_length=EARLIER_MAX)] = ()
    words: Annotated[tuple[Said, ...], Field(max_length=400)] = ()
