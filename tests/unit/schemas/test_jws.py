# SPDX-License-Identifier: Apache-2.0
"""Our JWS against the RFCs' vectors, another implementation, and tokens made to deceive."""

import json
import string

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, OKPKey

from schemas import jws
from schemas.jws import Algorithm, JWSError, JWSReason, PublicKey, SoftwareSigner

# RFC 8037 appendix A.
RFC8037_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
RFC8037_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
RFC8037_SIGNATURE = (
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
# RFC 7515 appendix A.3.
RFC7515_X = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
RFC7515_Y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
RFC7515_INPUT = (
    b"eyJhbGciOiJFUzI1NiJ9"
    b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC7515_SIGNATURE = (
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# RFC 6979 appendix A.2.5: the private key, and message "sample" with SHA-256.
RFC6979_D = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
RFC6979_SIGNATURE = (
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
)

ED25519 = SoftwareSigner(Ed25519PrivateKey.from_private_bytes(jws.b64url_decode_strict(RFC8037_D)))
ES256 = SoftwareSigner(ec.derive_private_key(RFC6979_D, ec.SECP256R1()))
SIGNERS = [pytest.param(ED25519, id="Ed25519"), pytest.param(ES256, id="ES256")]
TOKEN = jws.sign(b'{"say":"hello"}', ED25519)
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")


def foreign_key(signer: SoftwareSigner, *, private: bool) -> OKPKey | ECKey:
    members: dict[str, str | list[str]] = {**signer.public.jwk()}
    if signer is ED25519:
        return OKPKey.import_key(members | ({"d": RFC8037_D} if private else {}))
    d = jws.b64url_encode(RFC6979_D.to_bytes(32, "big"))
    return ECKey.import_key(members | ({"d": d} if private else {}))


def test_rfc_8037_a_key_its_thumbprint_and_its_signature() -> None:
    key = ED25519.public
    assert key.jwk() == {"crv": "Ed25519", "kty": "OKP", "x": RFC8037_X}
    assert key.key_id == RFC8037_THUMBPRINT
    signature = jws.b64url_decode_strict(RFC8037_SIGNATURE)
    assert ED25519.sign(RFC8037_INPUT) == signature
    assert key.accepts(RFC8037_INPUT, signature)


def test_rfc_7515_a3_is_accepted() -> None:
    point = b"".join((b"\x04", *map(jws.b64url_decode_strict, (RFC7515_X, RFC7515_Y))))
    key = PublicKey(Algorithm.ES256, point)
    assert key.jwk() == {"crv": "P-256", "kty": "EC", "x": RFC7515_X, "y": RFC7515_Y}
    signature = jws.b64url_decode_strict(RFC7515_SIGNATURE)
    assert key.accepts(RFC7515_INPUT, signature)
    assert not key.accepts(RFC7515_INPUT + b"x", signature)


def test_rfc_6979_makes_es256_reproducible() -> None:
    assert ES256.sign(b"sample").hex().upper() == RFC6979_SIGNATURE
    assert jws.sign(b"payload", ES256) == jws.sign(b"payload", ES256)


def test_the_header_is_these_bytes() -> None:
    expected = f'{{"alg":"Ed25519","kid":"{RFC8037_THUMBPRINT}","typ":"a6hub"}}'
    assert jws.b64url_decode_strict(HEADER) == expected.encode()


@pytest.mark.parametrize("signer", SIGNERS)
def test_what_was_signed_is_read_and_verified(signer: SoftwareSigner) -> None:
    encoded = jws.sign(b"payload", signer)
    token = jws.parse(encoded)
    jws.verify(token, signer.public)
    assert (token.alg, token.kid) == (signer.public.algorithm, signer.public.key_id)
    assert token.payload == b"payload"
    assert token.signing_input == encoded.rpartition(".")[0].encode()
    assert len(token.signature) == jws.SIGNATURE_BYTES


@pytest.mark.parametrize("signer", SIGNERS)
def test_another_implementation_verifies_our_tokens(signer: SoftwareSigner) -> None:
    key, algorithm = foreign_key(signer, private=False), str(signer.public.algorithm)
    assert key.thumbprint() == signer.public.key_id
    encoded = jws.sign(b"payload", signer)
    read = joserfc_jws.deserialize_compact(encoded, key, algorithms=[algorithm])
    assert read.payload == b"payload"
    with pytest.raises(BadSignatureError):
        joserfc_jws.deserialize_compact(encoded[:-8] + "AAAAAAAA", key, algorithms=[algorithm])


@pytest.mark.parametrize("signer", SIGNERS)
@pytest.mark.parametrize("order", [("alg", "kid", "typ"), ("typ", "alg", "kid")])
def test_we_verify_tokens_of_another_implementation(
    signer: SoftwareSigner, order: tuple[str, ...]
) -> None:
    algorithm = str(signer.public.algorithm)
    members = {"alg": algorithm, "kid": signer.public.key_id, "typ": "a6hub"}
    encoded = joserfc_jws.serialize_compact(
        {name: members[name] for name in order},
        b"payload",
        foreign_key(signer, private=True),
        algorithms=[algorithm],
    )
    token = jws.parse(encoded)
    jws.verify(token, signer.public)
    assert token.payload == b"payload"


def with_header(text: str | bytes) -> str:
    """Our token with another header, signed by the right key all the same."""
    header = jws.b64url_encode(text if isinstance(text, bytes) else text.encode())
    signature = ED25519.sign(f"{header}.{PAYLOAD}".encode())
    return f"{header}.{PAYLOAD}.{jws.b64url_encode(signature)}"


ALPHABET = string.ascii_letters + string.digits + "-_.="
KID = RFC8037_THUMBPRINT
GOOD = json.loads(jws.b64url_decode_strict(HEADER))
BAD_TOKENS = {
    "empty": ("", JWSReason.MALFORMED, "parts"),
    "two parts": (f"{HEADER}.{PAYLOAD}", JWSReason.MALFORMED, "2 parts"),
    "four parts": (f"{TOKEN}.", JWSReason.MALFORMED, "4 parts"),
    "a space before": (f" {TOKEN}", JWSReason.MALFORMED, "header"),
    "a newline after": (f"{TOKEN}\n", JWSReason.MALFORMED, "signature"),
    "padding": (f"{HEADER}.{PAYLOAD}.{SIGNATURE}==", JWSReason.MALFORMED, "signature"),
    "spare bits": (
        f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}{chr(ord(SIGNATURE[-1]) + 1)}",
        JWSReason.MALFORMED,
        "signature",
    ),
    "an impossible length": (f"{HEADER}.A.{SIGNATURE}", JWSReason.MALFORMED, "payload"),
    "standard base64": (f"{HEADER}.ab+/.{SIGNATURE}", JWSReason.MALFORMED, "payload"),
    "a skipped character": (f"{HEADER}.ab*cd.{SIGNATURE}", JWSReason.MALFORMED, "payload"),
    "not ASCII": (f"{HEADER}.é.{SIGNATURE}", JWSReason.MALFORMED, "ASCII"),
    "a lone surrogate": (f"{HEADER}.\ud800.{SIGNATURE}", JWSReason.MALFORMED, "ASCII"),
    "a long header": (f"{'A' * 257}.{PAYLOAD}.{SIGNATURE}", JWSReason.MALFORMED, "header"),
    "no header": (f".{PAYLOAD}.{SIGNATURE}", JWSReason.HEADER, "JSON"),
    "not JSON": (with_header("alg"), JWSReason.HEADER, "JSON"),
    "not UTF-8": (with_header(b'{"alg":"\xff"}'), JWSReason.HEADER, "JSON"),
    "UTF-16": (with_header(json.dumps(GOOD).encode("utf-16")), JWSReason.HEADER, "JSON"),
    "deep": (with_header("[" * 190), JWSReason.HEADER, "JSON"),
    "a list": (with_header('["alg","kid","typ"]'), JWSReason.HEADER, "object"),
    "crit": (with_header(json.dumps({**GOOD, "crit": ["b64"]})), JWSReason.HEADER, "'crit'"),
    "b64": (with_header(json.dumps({**GOOD, "b64": False})), JWSReason.HEADER, "'b64'"),
    "jwk": (with_header(json.dumps({**GOOD, "jwk": {}})), JWSReason.HEADER, "'jwk'"),
    "a name in capitals": (with_header(json.dumps({**GOOD, "ALG": "x"})), JWSReason.HEADER, "ALG"),
    "an alg twice": (
        with_header(f'{{"alg":"none","alg":"Ed25519","kid":"{KID}","typ":"a6hub"}}'),
        JWSReason.HEADER,
        "twice",
    ),
    "an alg twice, once escaped": (
        with_header(f'{{"\\u0061lg":"none","alg":"Ed25519","kid":"{KID}","typ":"a6hub"}}'),
        JWSReason.HEADER,
        "twice",
    ),
    "no kid": (with_header('{"alg":"Ed25519","typ":"a6hub"}'), JWSReason.HEADER, "'kid'"),
    "no typ": (with_header(f'{{"alg":"Ed25519","kid":"{KID}"}}'), JWSReason.HEADER, "'typ'"),
    "no alg": (with_header(f'{{"kid":"{KID}","typ":"a6hub"}}'), JWSReason.HEADER, "'alg'"),
    "a numeric kid": (with_header(json.dumps({**GOOD, "kid": 1})), JWSReason.HEADER, "'kid'"),
    "alg null": (with_header(json.dumps({**GOOD, "alg": None})), JWSReason.HEADER, "'alg'"),
    "another typ": (with_header(json.dumps({**GOOD, "typ": "JWT"})), JWSReason.HEADER, "JWT"),
    "alg none": (with_header(json.dumps({**GOOD, "alg": "none"})), JWSReason.ALGORITHM, "none"),
    "HS256": (with_header(json.dumps({**GOOD, "alg": "HS256"})), JWSReason.ALGORITHM, "HS256"),
    "EdDSA": (with_header(json.dumps({**GOOD, "alg": "EdDSA"})), JWSReason.ALGORITHM, "EdDSA"),
    "lower case": (
        with_header(json.dumps({**GOOD, "alg": "ed25519"})),
        JWSReason.ALGORITHM,
        "ed25519",
    ),
}


@pytest.mark.parametrize(("token", "reason", "word"), BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_bad_token_is_refused_with_its_reason(token: str, reason: str, word: str) -> None:
    for _ in range(2):  # the second time from what is remembered of headers
        with pytest.raises(JWSError, match=word) as caught:
            jws.parse(token)
        assert caught.value.reason is reason


def test_a_token_over_the_limit_is_refused_before_it_is_read() -> None:
    assert jws.parse(TOKEN, bytes_max=len(TOKEN)).payload
    with pytest.raises(JWSError, match=str(len(TOKEN) - 1)) as caught:
        jws.parse(TOKEN, bytes_max=len(TOKEN) - 1)
    assert caught.value.reason is JWSReason.MALFORMED


@pytest.mark.parametrize(
    ("token", "key", "reason"),
    [
        (TOKEN, ES256.public, JWSReason.ALGORITHM),
        (with_header(json.dumps({**GOOD, "alg": "ES256"})), ED25519.public, JWSReason.ALGORITHM),
        (
            TOKEN,
            SoftwareSigner(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)).public,
            JWSReason.KEY,
        ),
        (with_header(json.dumps({**GOOD, "kid": "A" * 43})), ED25519.public, JWSReason.KEY),
        (with_header(json.dumps({**GOOD, "kid": ""})), ED25519.public, JWSReason.HEADER),
        (with_header(json.dumps({**GOOD, "kid": "\ud800"})), ED25519.public, JWSReason.HEADER),
        (f"{HEADER}.{PAYLOAD}.", ED25519.public, JWSReason.SIGNATURE),
        (f"{HEADER}.{PAYLOAD}.{'A' * 86}", ED25519.public, JWSReason.SIGNATURE),
        (f"{HEADER}.{PAYLOAD}.{SIGNATURE[:84]}", ED25519.public, JWSReason.SIGNATURE),
        (f"{HEADER}.{PAYLOAD[:-4]}.{SIGNATURE}", ED25519.public, JWSReason.SIGNATURE),
    ],
)
def test_what_the_key_did_not_sign_is_refused(
    token: str, key: PublicKey, reason: JWSReason
) -> None:
    with pytest.raises(JWSError) as caught:
        jws.verify(jws.parse(token), key)
    assert caught.value.reason is reason


@pytest.mark.parametrize("signer", SIGNERS)
@given(data=st.data())
def test_no_token_survives_a_changed_character(signer: SoftwareSigner, data: st.DataObject) -> None:
    encoded = jws.sign(data.draw(st.binary(max_size=60)), signer)
    at = data.draw(st.integers(min_value=0, max_value=len(encoded) - 1))
    other = data.draw(
        (st.sampled_from(ALPHABET) | st.characters()).filter(lambda c: c != encoded[at])
    )
    with pytest.raises(JWSError):
        jws.verify(jws.parse(encoded[:at] + other + encoded[at + 1 :]), signer.public)


@pytest.mark.parametrize("signer", SIGNERS)
def test_no_signature_survives_a_flipped_bit(signer: SoftwareSigner) -> None:
    signature = signer.sign(b"data")
    assert signer.public.accepts(b"data", signature)
    for bit in range(512):
        bad = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
        assert not signer.public.accepts(b"data", bad)


@pytest.mark.parametrize("r", [0, 1, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, P256_ORDER, 2**256 - 1])
def test_es256_signatures_out_of_range_are_refused(r: int, s: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert not ES256.public.accepts(b"sample", signature)


def test_es256_signatures_in_der_are_refused() -> None:
    key = ec.derive_private_key(RFC6979_D, ec.SECP256R1())
    der = key.sign(b"sample", ec.ECDSA(SHA256()))
    assert not ES256.public.accepts(b"sample", der)


def test_an_es256_signature_has_a_twin_over_the_same_signing_input() -> None:
    """Why equality of what was said is equality of signing inputs, never of tokens."""
    token = jws.parse(jws.sign(b"payload", ES256))
    r, s = token.signature[:32], int.from_bytes(token.signature[32:], "big")
    assert ES256.public.accepts(token.signing_input, r + (P256_ORDER - s).to_bytes(32, "big"))


@given(st.binary(max_size=200))
def test_base64url_goes_there_and_back(data: bytes) -> None:
    encoded = jws.b64url_encode(data)
    assert "=" not in encoded
    assert jws.b64url_decode_strict(encoded) == data


@given(st.text(alphabet="AQgwBCz09-_=+/ \n.*é", max_size=12))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        data = jws.b64url_decode_strict(text)
    except JWSError:
        return
    assert jws.b64url_encode(data) == text


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_public_key_is_a_value_with_a_text_form(signer: SoftwareSigner) -> None:
    key = signer.public
    read = PublicKey.from_text(key.to_text())
    assert read == key
    assert hash(read) == hash(key)
    assert read.key_id == key.key_id
    assert key.to_text().startswith(f"{key.algorithm}:")
    assert "loaded" not in repr(key)


P256_RAW = ES256.public.raw


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", JWSReason.ALGORITHM),
        ("EdDSA:" + RFC8037_X, JWSReason.ALGORITHM),
        ("ed25519:" + RFC8037_X, JWSReason.ALGORITHM),
        ("Ed25519:", JWSReason.KEY),
        ("Ed25519:" + RFC8037_X + "=", JWSReason.MALFORMED),
        ("Ed25519:" + RFC8037_X[:-1], JWSReason.MALFORMED),
        ("ES256:" + RFC8037_X, JWSReason.KEY),
        ("Ed25519:" + jws.b64url_encode(P256_RAW), JWSReason.KEY),
        ("ES256:" + jws.b64url_encode(P256_RAW[:64] + b"\x00"), JWSReason.KEY),
        ("ES256:" + jws.b64url_encode(b"\x02" + P256_RAW[1:33]), JWSReason.KEY),
        ("ES256:" + jws.b64url_encode(b"\x06" + P256_RAW[1:]), JWSReason.KEY),
        ("ES256:" + jws.b64url_encode(b"\x00"), JWSReason.KEY),
        ("ES256:" + jws.b64url_encode(b"\x04" + bytes(64)), JWSReason.KEY),
    ],
)
def test_a_text_that_is_no_key_is_refused(text: str, reason: JWSReason) -> None:
    with pytest.raises(JWSError) as caught:
        PublicKey.from_text(text)
    assert caught.value.reason is reason


FIELD = 2**255 - 19


def small_order_y() -> set[int]:
    """Find the y of all points of order 1, 2, 4 and 8 by arithmetic on the curve, RFC 8032 §5.1."""
    d = -121665 * pow(121666, -1, FIELD) % FIELD
    order = 2**252 + 27742317777372353535851937790883648493

    def add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
        k = d * p[0] * q[0] * p[1] * q[1] % FIELD
        x = (p[0] * q[1] + p[1] * q[0]) * pow(1 + k, -1, FIELD)
        return x % FIELD, (p[1] * q[1] + p[0] * q[0]) * pow(1 - k, -1, FIELD) % FIELD

    def times(factor: int, p: tuple[int, int]) -> tuple[int, int]:
        product = (0, 1)
        for bit in f"{factor:b}":
            product = add(product, product)
            product = add(product, p) if bit == "1" else product
        return product

    found = set()
    for y in range(2, 60):
        square = (y * y - 1) * pow(d * y * y + 1, -1, FIELD) % FIELD
        for x in (
            pow(square, (FIELD + 3) // 8, FIELD),
            pow(square, (FIELD + 3) // 8, FIELD) * pow(2, (FIELD - 1) // 4, FIELD) % FIELD,
        ):
            if x * x % FIELD == square:
                found.add(times(order, (x, y))[1])
    return found


def test_ed25519_keys_that_fit_any_message_are_refused() -> None:
    weak = small_order_y()
    assert len(weak) == 5
    for y in (*weak, *(y + FIELD for y in weak if y + FIELD < 2**255), FIELD + 5, 2**255 - 1):
        for sign_of_x in (0, 1 << 255):
            with pytest.raises(JWSError, match="unsafe"):
                PublicKey(Algorithm.ED25519, (y | sign_of_x).to_bytes(32, "little"))


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP384R1()])
def test_other_curves_do_not_sign(curve: ec.EllipticCurve) -> None:
    with pytest.raises(JWSError) as caught:
        SoftwareSigner(ec.generate_private_key(curve))
    assert caught.value.reason is JWSReason.KEY


def test_a_signer_that_returns_der_is_a_bug() -> None:
    class Module:
        public = ES256.public

        def sign(self, data: bytes) -> bytes:
            key = ec.derive_private_key(RFC6979_D, ec.SECP256R1())
            return key.sign(data, ec.ECDSA(SHA256()))

    with pytest.raises(AssertionError, match="DER"):
        jws.sign(b"payload", Module())
