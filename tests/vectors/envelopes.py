# SPDX-License-Identifier: Apache-2.0
"""Envelopes, authentic and not: the source of `envelopes.json`."""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas import jws
from schemas.findings import Reason
from schemas.identifiers import message_id
from schemas.jws import SoftwareSigner
from schemas.limits import ENVELOPE_BYTES_MAX, INTEGER_MAX, MESSAGES_MAX, NESTING_MAX
from tests.vectors.examples import NOON, Json, good_messages, line
from tests.vectors.messages import ENTRY_NAME, PROPOSAL

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def seed(name: str) -> bytes:
    return sha256(f"a6hub demonstration key: {name}".encode()).digest()


def ed25519(name: str) -> SoftwareSigner:
    return SoftwareSigner(Ed25519PrivateKey.from_private_bytes(seed(name)))


def es256(name: str) -> SoftwareSigner:
    number = int.from_bytes(seed(name)) % (P256_ORDER - 1) + 1
    return SoftwareSigner(ec.derive_private_key(number, ec.SECP256R1()))


KEYS = {
    "ghana": ed25519("ghana"),
    "ghana-before": ed25519("ghana-before"),
    "switzerland": es256("switzerland"),
    "hub": ed25519("hub"),
    "stranger": ed25519("stranger"),
}
DIRECTORY = {"GHA01/GHA": ["ghana"], "CHE01/CHE": ["switzerland"], "HUB": ["hub"]}
HELLO = good_messages()["a greeting"]
NONCE = "00112233445566778899aabbccddeeff"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def manifest(*lines: str, **changes: object) -> Json:
    """A manifest from GHA01/GHA to the hub; `...` takes a member away, `sender` is `from`."""
    members: Json = {
        "version": 1,
        "from": "GHA01/GHA",
        "to": "HUB",
        "sequence": 12,
        "sent_at": NOON,
        "seen": 41,
        "messages": [digest(text) for text in lines],
    }
    if "sender" in changes:
        changes["from"] = changes.pop("sender")
    members.update(changes)
    return {name: value for name, value in members.items() if value is not ...}


def token(payload: str, key: str = "ghana", header: str | None = None) -> str:
    """A JWS as it should be, or over a header of somebody's own making."""
    if header is None:
        return jws.sign(payload.encode(), KEYS[key])
    head = f"{jws.b64url_encode(header.encode())}.{jws.b64url_encode(payload.encode())}"
    return f"{head}.{jws.b64url_encode(KEYS[key].sign(head.encode()))}"


class Envelopes:
    """Cases of envelopes; each good one is the start of several bad ones."""

    def __init__(self) -> None:
        good = good_messages()
        self.proposal = line(good[PROPOSAL])
        self.acceptance = line(good["an acceptance"])
        self.hello = line(HELLO)
        self.cases: list[Json] = []

    def ok(
        self,
        name: str,
        envelope: str,
        *outcomes: Reason | tuple[Reason, str | None] | str,
        recipient: str = "HUB",
        directory: Json | None = None,
    ) -> None:
        """An authentic envelope; per message its type, or why it alone is refused, and where."""
        found: list[Json] = []
        for outcome in outcomes:
            if isinstance(outcome, tuple):
                reason, field = outcome
                found.append({"code": reason.rule.code, "reason": reason, "field": field})
            else:
                found.append({"type": outcome})
        self.cases.append(
            {
                "name": name,
                "recipient": recipient,
                "directory": directory or DIRECTORY,
                "envelope": envelope,
                "expect": "ok",
                "messages": found,
            }
        )

    def bad(
        self,
        name: str,
        reason: Reason,
        envelope: str | list[object],
        *,
        recipient: str = "HUB",
        directory: Json | None = None,
    ) -> None:
        content = "envelope" if isinstance(envelope, str) else "build"
        self.cases.append(
            {
                "name": name,
                "recipient": recipient,
                "directory": directory or DIRECTORY,
                content: envelope,
                "expect": {"code": reason.rule.code, "reason": reason},
            }
        )

    def sealed(self, *lines: str, key: str = "ghana", **changes: object) -> str:
        return "\n".join((token(line(manifest(*lines, **changes)), key), *lines))

    def over(self, payload: str) -> str:
        """The proposal under a manifest of this text, well signed."""
        return f"{token(payload)}\n{self.proposal}"

    def under(self, header: str, key: str = "ghana") -> str:
        """The proposal under a header of this text, well signed."""
        return f"{token(line(manifest(self.proposal)), key, header)}\n{self.proposal}"


def good_envelopes(e: Envelopes) -> None:
    many = [
        line(
            {
                **HELLO,
                "type": "status-request",
                "body": {"transaction": f"GHA01-GHA-{n}"},
                "id": message_id(n, seed(str(n))),
            }
        )
        for n in range(1, MESSAGES_MAX + 1)
    ]
    e.ok("one message", e.sealed(e.proposal), "proposal")
    e.ok("two messages", e.sealed(e.proposal, e.acceptance), "proposal", "acceptance")
    e.ok("as many messages as there may be", e.sealed(*many), *["status-request"] * MESSAGES_MAX)
    e.ok(
        "signed with ES256",
        e.sealed(e.acceptance, key="switzerland", sender="CHE01/CHE"),
        "acceptance",
    )
    e.ok(
        "from the hub to a registry",
        e.sealed(line(good_messages()[ENTRY_NAME]), key="hub", sender="HUB", to="GHA01"),
        "entry",
        recipient="GHA01",
    )
    control: Json = {"sequence": ..., "control": True, "nonce": NONCE}
    e.ok("a control envelope", e.sealed(e.hello, **control), "hello")
    e.ok(
        "a control envelope that answers another",
        e.sealed(e.hello, **control, answers_nonce=NONCE[::-1]),
        "hello",
    )
    e.ok(
        "members that are null are absent",
        e.sealed(e.proposal, control=None, nonce=None, answers_nonce=None),
        "proposal",
    )
    e.ok(
        "the largest integers",
        e.sealed(e.proposal, sequence=INTEGER_MAX, seen=INTEGER_MAX),
        "proposal",
    )
    kid = KEYS["ghana"].public.key_id
    e.ok(
        "header members in another order, with spaces",
        e.under(f'{{ "typ": "a6hub", "kid": "{kid}", "alg": "Ed25519" }}'),
        "proposal",
    )
    e.ok(
        "the key before, for one who knows it",
        e.sealed(e.proposal, key="ghana-before"),
        "proposal",
        directory={"GHA01/GHA": ["ghana-before", "ghana"]},
    )
    e.ok(
        "the other half of an ES256 signature's two forms",
        _other_form(e.sealed(e.acceptance, key="switzerland", sender="CHE01/CHE")),
        "acceptance",
    )


def _other_form(envelope: str) -> str:
    """(r, n - s) for (r, s): anybody can make it, so a signature is no name of what was signed."""
    first, _, rest = envelope.partition("\n")
    head, _, signature = first.rpartition(".")
    raw = jws.b64url_decode_strict(signature)
    s = P256_ORDER - int.from_bytes(raw[32:])
    return f"{head}.{jws.b64url_encode(raw[:32] + s.to_bytes(32))}\n{rest}"


def refused_messages(e: Envelopes) -> None:
    malformed, good = Reason.MESSAGE_MALFORMED, e.acceptance

    def beside(name: str, old: str, new: str, reason: Reason, field: str | None) -> None:
        text = e.proposal.replace(old, new, 1)
        assert text != e.proposal, name
        e.ok(name, e.sealed(text, good), (reason, field), "acceptance")

    beside(
        "a message of an unknown type, beside a good one",
        '"type":"proposal"',
        '"type":"settlement"',
        Reason.TYPE_UNKNOWN,
        "type",
    )
    beside(
        "a message with an unknown member, beside a good one",
        '"quantity":',
        '"price":1,"quantity":',
        malformed,
        "body/price",
    )
    beside(
        "a message with a repeated name, beside a good one",
        '"quantity":',
        '"quantity":1,"quantity":',
        malformed,
        None,
    )
    beside(
        "a message with a coercible type, beside a good one",
        '"quantity":100',
        '"quantity":"100"',
        malformed,
        "body/quantity",
    )
    beside(
        "a message with a float, beside a good one",
        '"quantity":100',
        '"quantity":100.0',
        malformed,
        None,
    )
    beside(
        "a message with 2^53, beside a good one",
        '"quantity":100',
        f'"quantity":{2**53}',
        malformed,
        None,
    )
    beside(
        "a message that is nested too deep, beside a good one",
        '"quantity":100',
        '"quantity":' + "[" * NESTING_MAX + "]" * NESTING_MAX,
        malformed,
        None,
    )
    e.ok(
        "a message that is empty, beside a good one",
        e.sealed("", good),
        (malformed, None),
        "acceptance",
    )
    e.ok(
        "a message that ends in a carriage return is JSON with a space after it",
        e.sealed(f"{good}\r"),
        "acceptance",
    )
    e.ok(
        "a control message in a sequenced envelope, beside a good one",
        e.sealed(e.hello, good),
        (Reason.TYPE_NOT_ALLOWED, None),
        "acceptance",
    )
    e.ok(
        "an entry that the hub did not say, beside a good message",
        e.sealed(line(good_messages()[ENTRY_NAME]), good),
        (Reason.TYPE_NOT_ALLOWED, None),
        "acceptance",
    )


def bad_tokens(e: Envelopes) -> None:
    malformed, invalid = Reason.ENVELOPE_MALFORMED, Reason.SIGNATURE_INVALID
    one = e.sealed(e.proposal)
    first, _, rest = one.partition("\n")
    header, payload, signature = first.split(".")
    kid = KEYS["ghana"].public.key_id
    head = f'"alg":"Ed25519","kid":"{kid}","typ":"a6hub"'
    for name, text in (
        ("nothing at all", ""),
        ("two parts", f"{header}.{payload}\n{rest}"),
        ("four parts", f"{first}.{signature}\n{rest}"),
        ("JSON serialization", line({"payload": payload, "signature": signature})),
        ("base64 with padding", f"{header}.{payload}.{signature}==\n{rest}"),
        ("base64 of the other alphabet", f"{header}.{payload}.+/{signature[2:]}\n{rest}"),
        ("base64 with spare bits", f"{header}.{payload}.{signature[:-1]}B\n{rest}"),
        ("a space in the token", f"{header}. {payload}.{signature}\n{rest}"),
        ("a letter that is not ASCII", f"{header}.é{payload}.{signature}\n{rest}"),
        ("a carriage return after the token", f"{first}\r\n{rest}"),
        ("an empty line before it", f"\n{one}"),
    ):
        e.bad(f"malformed JWS: {name}", malformed, text)
    e.bad(
        "malformed JWS: longer than a manifest can be",
        malformed,
        [f"{header}.", {"repeat": "A", "times": 65536}, f".{signature}\n{rest}"],
    )
    for name, text in (
        ("crit", f'{{{head},"crit":["exp"],"exp":1}}'),
        ("an unknown header member", f'{{{head},"x5u":"https://keys.example"}}'),
        ("b64", f'{{{head},"b64":false}}'),
        ("a key in the header", f'{{{head},"jwk":{{"kty":"OKP"}}}}'),
        ("no key id", '{"alg":"Ed25519","typ":"a6hub"}'),
        ("no type", f'{{"alg":"Ed25519","kid":"{kid}"}}'),
        ("another type", f'{{"alg":"Ed25519","kid":"{kid}","typ":"JWT"}}'),
        ("a header member twice", f'{{{head},"alg":"Ed25519"}}'),
        ("a header that is an array", '["Ed25519"]'),
        ("a header that is no JSON", "Ed25519"),
    ):
        e.bad(f"header: {name}", malformed, e.under(text))
    swiss = KEYS["switzerland"].public.key_id
    for name, text in (
        ("none", f'{{"alg":"none","kid":"{kid}","typ":"a6hub"}}'),
        ("EdDSA, which names two curves", f'{{"alg":"EdDSA","kid":"{kid}","typ":"a6hub"}}'),
        ("HS256", f'{{"alg":"HS256","kid":"{kid}","typ":"a6hub"}}'),
        ("in lower case", f'{{"alg":"ed25519","kid":"{kid}","typ":"a6hub"}}'),
        ("ES256 with a key of Ed25519", f'{{"alg":"ES256","kid":"{kid}","typ":"a6hub"}}'),
    ):
        e.bad(f"algorithm: {name}", invalid, e.under(text))
    for name, text, reason in (
        ("none, no signature", '{"alg":"none"}', malformed),
        ("none, a key id", f'{{"alg":"none","kid":"{kid}","typ":"a6hub"}}', invalid),
    ):
        encoded = jws.b64url_encode(text.encode())
        e.bad(f"algorithm: {name}", reason, f"{encoded}.{payload}.\n{rest}")
    ed_for_p256 = f'{{"alg":"Ed25519","kid":"{swiss}","typ":"a6hub"}}'
    text = token(line(manifest(e.proposal, sender="CHE01/CHE")), "switzerland", ed_for_p256)
    e.bad("algorithm: Ed25519 with a key of P-256", invalid, f"{text}\n{e.proposal}")
    e.bad("signature: empty", invalid, f"{header}.{payload}.\n{rest}")
    other = token(line(manifest(e.acceptance))).rpartition(".")[2]
    e.bad("signature: of another payload", invalid, f"{header}.{payload}.{other}\n{rest}")
    later = jws.b64url_encode(line(manifest(e.proposal, sequence=13)).encode())
    e.bad("signature: the payload was changed", invalid, f"{header}.{later}.{signature}\n{rest}")
    e.bad(
        "signature: by another key under this key's id",
        invalid,
        e.under(f"{{{head}}}", key="stranger"),
    )


def wrong_parties(e: Envelopes) -> None:
    one = e.sealed(e.proposal)
    e.bad(
        "a key that the directory does not list",
        Reason.KEY_UNKNOWN,
        e.sealed(e.proposal, key="stranger"),
    )
    e.bad("a key of another actor", Reason.KEY_UNKNOWN, e.sealed(e.proposal, key="hub"))
    e.bad(
        "a key that is not valid any more",
        Reason.KEY_UNKNOWN,
        e.sealed(e.proposal, key="ghana-before"),
    )
    e.bad(
        "a sender that the directory does not list",
        Reason.SENDER_UNKNOWN,
        one,
        directory={"HUB": ["hub"]},
    )
    e.bad(
        "another section of a listed registry",
        Reason.SENDER_UNKNOWN,
        e.sealed(e.proposal, sender="GHA01/ADM"),
    )
    e.bad("it is for somebody else", Reason.RECIPIENT_WRONG, one, recipient="CHE01")
    e.bad(
        "it is for somebody else, and so unreadable whoever signed",
        Reason.RECIPIENT_WRONG,
        e.sealed(e.proposal, key="stranger", to="REC"),
    )


def bad_manifests(e: Envelopes) -> None:
    malformed, mismatch = Reason.ENVELOPE_MALFORMED, Reason.MANIFEST_MISMATCH
    both = e.sealed(e.proposal, e.acceptance)
    first = both.partition("\n")[0]
    for name, text in (
        ("a message that is named is missing", f"{first}\n{e.proposal}"),
        ("all messages are missing", first),
        ("a message is not named", f"{e.sealed(e.proposal)}\n{e.acceptance}"),
        ("another message in place of one named", f"{first}\n{e.proposal}\n{e.hello}"),
        ("the messages are reordered", f"{first}\n{e.acceptance}\n{e.proposal}"),
        ("a message stands twice and is named once", f"{e.sealed(e.proposal)}\n{e.proposal}"),
        ("a byte of a message was changed", both.replace("Received.", "Received!")),
        ("a line feed at the end", f"{both}\n"),
        ("carriage returns at the ends of lines", both.replace("\n", "\r\n").replace("\r", "", 1)),
    ):
        e.bad(f"manifest and messages: {name}", mismatch, text)
    e.bad(
        "manifest and messages: a million empty lines",
        mismatch,
        [first, {"repeat": "\n", "times": 1_000_000}],
    )
    plain = line(manifest(e.proposal))
    for name, old, new in (
        ("a repeated name", '"seen":41', '"seen":40,"seen":41'),
        ("a float", '"seen":41', '"seen":41.0'),
        ("2^53", '"seen":41', f'"seen":{2**53}'),
        ("a number in a text", '"sequence":12', '"sequence":"12"'),
        ("true for a number", '"sequence":12', '"sequence":true'),
        ("true for the version", '"version":1', '"version":true'),
        ("an unknown member", '"seen":41', '"seen":41,"priority":1'),
        ("a member under another name", '"from":', '"sender":'),
        ("nested too deep", '"seen":41', '"seen":' + "[" * NESTING_MAX + "]" * NESTING_MAX),
        ("an end that is missing", '"]}', '"]'),
    ):
        assert plain.count(old) == 1, name
        e.bad(f"manifest: {name}", malformed, e.over(plain.replace(old, new)))
    e.bad("manifest: no object", malformed, e.over("[1]"))
    for version in (0, 2, "1", None, ...):
        text = e.sealed(e.proposal, version=version)
        shown = "missing" if version is ... else line(version)
        e.bad(f"manifest: the version is {shown}", Reason.VERSION_UNSUPPORTED, text)
    for name, changes in _wrong_members():
        e.bad(f"manifest: {name}", malformed, e.sealed(e.proposal, **changes))
    e.bad("manifest: no messages", malformed, token(line(manifest())))
    lines = [e.proposal] * (MESSAGES_MAX + 1)
    e.bad("manifest: one message too many", malformed, e.sealed(*lines))
    room = ENVELOPE_BYTES_MAX + 1 - len(both.encode())
    e.bad(
        "a byte more than an envelope may have",
        Reason.ENVELOPE_TOO_LARGE,
        [both, {"repeat": " ", "times": room}],
    )
    e.bad(
        "as many bytes as an envelope may have, but not those signed",
        mismatch,
        [both, {"repeat": " ", "times": room - 1}],
    )


def _wrong_members() -> list[tuple[str, Json]]:
    control: Json = {"sequence": ..., "control": True, "nonce": NONCE}
    return [
        ("neither a sequence nor control", {"sequence": ...}),
        ("both a sequence and control", {**control, "sequence": 12}),
        ("a sequence and a nonce", {"nonce": NONCE}),
        ("a sequence and an answered nonce", {"answers_nonce": NONCE}),
        ("control without a nonce", {**control, "nonce": ...}),
        ("control that is false", {**control, "control": False}),
        ("control that is one", {**control, "control": 1}),
        ("a nonce in upper case", {**control, "nonce": NONCE.upper()}),
        ("a short nonce", {**control, "nonce": NONCE[1:]}),
        ("sequence zero", {"sequence": 0}),
        ("a sequence below zero", {"sequence": -1}),
        ("from a participant", {"sender": "GHA01"}),
        ("to an actor", {"to": "GHA01/GHA"}),
        ("no sender", {"sender": ...}),
        ("no recipient", {"to": ...}),
        ("no time", {"sent_at": ...}),
        ("a time without microseconds", {"sent_at": "2027-03-01T12:00:00Z"}),
        ("a day that does not exist", {"sent_at": "2027-02-30T12:00:00.000000Z"}),
        ("no log size", {"seen": ...}),
        ("a log size below zero", {"seen": -1}),
        ("digests in upper case", {"messages": ["A" * 64]}),
        ("one digest in place of a list", {"messages": "0" * 64}),
    ]


def envelopes() -> Json:
    made = Envelopes()
    for make in (good_envelopes, refused_messages, bad_tokens, wrong_parties, bad_manifests):
        make(made)
    keys = {
        name: {
            "algorithm": signer.public.algorithm,
            "demonstration_seed": seed(name).hex(),
            "public": signer.public.to_text(),
            "key_id": signer.public.key_id,
        }
        for name, signer in KEYS.items()
    }
    about = (
        "Envelopes, each with what its recipient finds. The keys are for demonstration: everybody "
        "knows their seeds. Ed25519 takes the seed as it is (RFC 8032); the private number of "
        "P-256 is the seed modulo (order - 1), plus 1."
    )
    return {"about": about, "keys": keys, "cases": made.cases}
