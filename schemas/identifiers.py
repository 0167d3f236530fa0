# SPDX-License-Identifier: Apache-2.0
"""Identifiers as validated values: what a registry, a unit, an account or a message is called.

Every identifier is a `str` that cannot exist in a wrong form: building one from bad text raises
`ValueError` naming the form that was expected. They travel, sort and store as plain text.

Rules carried out here: 6/CMA.4 annex I para 5 (the five parts of a unique identifier), the
common nomenclatures' registry codes (`UN01` is the mechanism registry, so three letters and two
digits is not the only form), ISO 7064 MOD 97-10 (account numbers), RFC 9562 (UUIDv7).

Elsewhere: what a block of units is (`units`), arithmetic on blocks (`ledger.blocks`).
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "ADMINISTRATOR",
    "HUB",
    "HUB_ACTOR",
    "MECHANISM",
    "REC",
    "REC_ACTOR",
    "AccountNumber",
    "Actor",
    "ApproachId",
    "AuthorizationId",
    "CaseId",
    "Day",
    "Digest",
    "Identifier",
    "Instant",
    "MessageId",
    "Participant",
    "PartyCode",
    "RegistryId",
    "TransactionId",
    "account_number",
    "message_id",
]

_REGISTRY = r"(?:[A-Z]{3}[0-9]{2}|UN[0-9]{2})"
_ACTOR = rf"(?:{_REGISTRY}/[A-Z]{{3}}|HUB|REC)"


KNOWN_MAX: Final = 4096
"""Identifiers of a kind that are remembered; a federation has some hundreds of each."""


class Identifier(str):
    """Text that matches its class's `pattern`; anything else is refused with `ValueError`.

    Where `few` is set the same few texts come again and again: each is looked at once.
    """

    __slots__ = ()
    pattern: ClassVar[str] = r".*"
    form: ClassVar[str] = "text"
    few: ClassVar[bool] = False
    _regex: ClassVar[re.Pattern[str]]
    _known: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._regex = re.compile(cls.pattern, re.ASCII)
        cls._known = {}

    def __new__(cls, text: str) -> Self:
        if type(text) is cls:
            return text
        known: Self | None = cls._known.get(text)
        if known is not None:
            return known
        if cls._regex.fullmatch(text) is None:
            raise ValueError(f"{text!r:.80} is not {cls.form}")
        return cls._of_the_pattern(text)

    @classmethod
    def _of_the_pattern(cls, text: str) -> Self:
        """The value of a text that matches."""
        if type(text) is cls:
            return text
        known: Self | None = cls._known.get(text)
        if known is not None:
            return known
        value = str.__new__(cls, text)
        value.check()
        if cls.few:
            if len(cls._known) == KNOWN_MAX:
                cls._known.clear()
            cls._known[str(value)] = value
        return value

    def check(self) -> None:
        """Refuse what the pattern alone cannot see."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(pattern=f"^(?:{cls.pattern})$", strict=True)
        return core_schema.no_info_after_validator_function(cls._of_the_pattern, text)


class RegistryId(Identifier):
    """A registry: alpha-3 and two digits (`GHA01`), or `UN` and two digits (`UN01`)."""

    pattern = _REGISTRY
    few = True
    form = "a registry id such as GHA01 or UN01"


class Participant(Identifier):
    """A program admitted to the hub: a registry, the hub itself or the reconciliation service."""

    pattern = rf"(?:{_REGISTRY}|HUB|REC)"
    few = True
    form = "a participant such as GHA01, UN01, HUB or REC"


HUB: Final = Participant("HUB")
REC: Final = Participant("REC")
"""The two participants that are no registries."""

MECHANISM: Final = Participant("UN01")
"""The registry of the Article 6.4 mechanism."""

ADMINISTRATOR: Final = "ADM"
"""The section of a registry's administrator, who is no Party (6/CMA.4 annex I para 12)."""


class PartyCode(Identifier):
    """An ISO 3166-1 alpha-3 code, reserved codes such as `EUE` included."""

    pattern = r"[A-Z]{3}"
    few = True
    form = "a Party code of three capital letters"

    def check(self) -> None:
        """Refuse the name of administrators' sections: no Party has it."""
        if self == ADMINISTRATOR:
            raise ValueError(f"{ADMINISTRATOR} is the section of an administrator, and no Party")


class Actor(Identifier):
    """A participant and a Party section in it (`GHA01/GHA`, `UN02/VUT`), or `HUB` or `REC`.

    Actors sign and actors hold; the section `ADM` is a registry's administrator.
    """

    pattern = _ACTOR
    few = True
    form = "an actor such as GHA01/GHA, UN01/ADM, HUB or REC"

    @property
    def participant(self) -> Participant:
        """The program that speaks for this actor."""
        return Participant(self.partition("/")[0])

    @property
    def section(self) -> str:
        """The Party code or `ADM`; empty for the hub and the reconciliation service."""
        return self.partition("/")[2]


HUB_ACTOR: Final = Actor("HUB")
REC_ACTOR: Final = Actor("REC")
"""The actors of these two: each has one, under the same name."""


class ApproachId(Identifier):
    """A cooperative approach, `CA` and four digits; `CA0001` is the Article 6.4 mechanism."""

    pattern = r"CA[0-9]{4}"
    form = "a cooperative approach id such as CA0007"


class AuthorizationId(Identifier):
    """An authorization's id, given by the authorizing Party: letters, digits, spaces, `-./`."""

    pattern = r"[A-Za-z0-9](?:[A-Za-z0-9 ./-]{0,62}[A-Za-z0-9])?"
    form = "an authorization id of letters, digits, spaces, hyphens, dots and slashes"


class TransactionId(Identifier):
    """A transaction, minted by its proposer: `<registry>-<section>-<number>` (`GHA01-GHA-17`)."""

    pattern = rf"{_REGISTRY}-[A-Z]{{3}}-[1-9][0-9]{{0,14}}"
    form = "a transaction id such as GHA01-GHA-17"

    @property
    def proposer(self) -> Actor:
        """The actor whose number this is."""
        registry, section, _ = self.split("-")
        return Actor(f"{registry}/{section}")


class CaseId(Identifier):
    """A discrepancy case, minted by the reconciliation service: `REC-<number>`."""

    pattern = r"REC-[1-9][0-9]{0,14}"
    form = "a case id such as REC-3"


class Digest(Identifier):
    """A SHA-256 value as 64 lower-case hexadecimal digits."""

    pattern = r"[0-9a-f]{64}"
    form = "a SHA-256 digest of 64 lower-case hexadecimal digits"


class MessageId(Identifier):
    """A UUIDv7 (RFC 9562) in its canonical lower-case form."""

    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    form = "a UUIDv7 in lower case"


class Instant(Identifier):
    """A UTC instant with microseconds, `2026-01-31T23:59:59.000000Z`; text order is time order."""

    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
    few = True  # a batch repeats a few instants, and checking one against the calendar is dear
    form = "a UTC instant such as 2026-01-31T23:59:59.000000Z"

    def check(self) -> None:
        """Refuse days and hours that no calendar has."""
        try:
            datetime.fromisoformat(self)
        except ValueError:
            raise ValueError(f"{str(self)!r} is not a day and time that exist") from None

    @classmethod
    def of(cls, moment: datetime) -> "Instant":
        """The instant of an aware `datetime`."""
        text = moment.astimezone(UTC).isoformat(timespec="microseconds")
        return cls(text.removesuffix("+00:00") + "Z")

    def moment(self) -> datetime:
        """The aware `datetime` of this instant."""
        return datetime.fromisoformat(self)


class Day(Identifier):
    """A calendar day, `2024-02-29`; text order is time order."""

    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    few = True
    form = "a day such as 2024-02-29"

    def check(self) -> None:
        """Refuse days that no calendar has."""
        try:
            date.fromisoformat(self)
        except ValueError:
            raise ValueError(f"{str(self)!r} is not a day that exists") from None


class AccountNumber(Identifier):
    """`<registry>-<section>-<kind>-<number>-<check>`, e.g. `GHA01-GHA-HLD-1-51`.

    The kind is a three-letter code (see `units.KIND_CODES`), so rules about kinds need no list of
    accounts. The two check digits are ISO 7064 MOD 97-10 over the parts before them, letters
    counting A=10 … Z=35; they protect people who type, and are verified wherever one is read. They
    are 02 to 98: 00, 01 and 99 would be second spellings of 97, 98 and 02.
    """

    pattern = rf"{_REGISTRY}-[A-Z]{{3}}-[A-Z]{{3}}-[1-9][0-9]{{0,9}}-(?:0[2-9]|[1-8][0-9]|9[0-8])"
    few = True
    form = "an account number such as GHA01-GHA-HLD-1-51"

    def check(self) -> None:
        """Verify the check digits."""
        if int(_digits(self)) % 97 != 1:
            raise ValueError(f"{str(self)!r} has wrong check digits; compare it with its source")

    @property
    def actor(self) -> Actor:
        """The actor that holds this account."""
        return _holder(self)

    @property
    def kind_code(self) -> str:
        """The three letters that say what kind of account this is."""
        return self.split("-")[2]


@lru_cache(maxsize=KNOWN_MAX)
def _holder(number: AccountNumber) -> Actor:
    registry, section, _, _, _ = number.split("-")
    return Actor(f"{registry}/{section}")


def account_number(actor: Actor, kind_code: str, number: int) -> AccountNumber:
    """Give an actor's account its number, check digits included (ISO 7064 MOD 97-10)."""
    stem = f"{actor.replace('/', '-')}-{kind_code}-{number}"
    check = 98 - int(_digits(stem) + "00") % 97
    return AccountNumber(f"{stem}-{check:02d}")


def _digits(text: str) -> str:
    return "".join(str(int(c, 36)) for c in text if c != "-")


def message_id(milliseconds: int, random: bytes) -> MessageId:
    """A UUIDv7 from milliseconds since 1970 and ten random bytes (RFC 9562 §5.7)."""
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(random[:10])
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    h = f"{value:032x}"
    return MessageId(f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}")
