# SPDX-License-Identifier: Apache-2.0
"""A word in a file of evidence: a message, and the manifest by which its author signed it.

Elsewhere: what words prove together (`proven_transaction`, `convicting`).
"""

from typing import NamedTuple

from ledger.directory import Directory
from ledger.flaws import Flaw, must
from schemas import envelope
from schemas.envelope import EnvelopeError, Manifest, digest
from schemas.evidence import Said
from schemas.identifiers import Actor, Digest, Participant
from schemas.messages import Malformed, Message, parse_message

__all__ = ["ProvenWord", "prove_word"]


class ProvenWord(NamedTuple):
    """A message, by its author's word and its envelope's manifest."""

    author: Actor
    digest: Digest
    manifest: Manifest
    manifest_digest: Digest
    message: Message

    @property
    def type(self) -> str:
        """The message's type."""
        return self.message.type

    @property
    def conversation(self) -> str:
        """The message's conversation."""
        return self.message.conversation

    @property
    def answers(self) -> Digest | None:
        """The digest of the message that it answers."""
        return self.message.answers

    def words(self) -> str:
        """Who said what when."""
        return f"{self.author} sent its {self.type} on {self.manifest.sent_at}"


def prove_word(said: Said, directory: Directory, to: Participant) -> ProvenWord:
    """A message, if a key of its author that was valid for it signed the manifest that names it,
    to this recipient; `Flaw` otherwise.
    """
    line, manifest_line = said.line.encode(), said.manifest.encode()
    try:
        token, manifest = envelope.open_manifest(manifest_line)
        message = parse_message(line)
    except (EnvelopeError, Malformed) as error:
        raise Flaw(f"a message cannot be read: {error}") from None
    found, author = digest(line), manifest.sender
    what = f"the {message.type} of {author}"
    must(found in manifest.messages, f"{what} is not in the manifest beside it")
    must(manifest.to == to, f"{what} was not said to {_whom(to)}")
    sequence = manifest.sequence
    if sequence is None:
        raise Flaw(f"{what} came in a control envelope, which proves nothing")
    key = directory.key_for(author, token.kid, to, sequence)
    if key is None:
        raise Flaw(f"{what} is signed with {token.kid}, which was no key of its for {sequence}")
    try:
        envelope.verify(token, key)
    except EnvelopeError as error:
        raise Flaw(f"{what}: {error}") from None
    return ProvenWord(author, found, manifest, digest(manifest_line), message)


def _whom(to: Participant) -> str:
    return "the hub" if to == "HUB" else str(to)
