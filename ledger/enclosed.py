# SPDX-License-Identifier: Apache-2.0
"""What is enclosed: whether a message that is passed on is its author's own word to the hub.

Rule 2.9: the author said it to the hub, in sequence, under the key that was valid for that very
sequence. What a key signed beyond the sequence that closed it never authenticated, and whoever
holds a withdrawn key must not make words of its owner with it. A control envelope has no sequence,
changes no ledger and is never evidence (rule 3.6).

Elsewhere: keys and their sequences (`directory`), form and digests (`schemas.envelope`).
"""

from ledger.directory import Directory
from schemas import jws
from schemas.envelope import EnvelopeError, Manifest, verify
from schemas.findings import Finding, Reason, finding
from schemas.identifiers import HUB, Digest

__all__ = ["unproven"]


def unproven(
    directory: Directory, token: jws.Token, manifest: Manifest, said: Digest
) -> Finding | None:
    """Why a manifest does not prove that its author said the line with this digest to the hub; None
    when it does. The directory is the one as of when the hub passed it on.
    """
    sender, sequence = manifest.sender, manifest.sequence
    if manifest.to != HUB:
        return finding(Reason.RECIPIENT_WRONG, f"it was said to {manifest.to}")
    if sequence is None:
        return finding(Reason.TYPE_NOT_ALLOWED, "a control envelope is never evidence")
    key = directory.key_for(sender, token.kid, manifest.to, sequence)
    if key is None:
        detail = f"{sender} with key {token.kid} in sequence {sequence}"
        return finding(Reason.KEY_UNKNOWN, detail)
    try:
        verify(token, key)
    except EnvelopeError as error:
        return error.finding
    if said not in manifest.messages:
        return finding(Reason.MANIFEST_MISMATCH, "the enclosed line is not named")
    return None
