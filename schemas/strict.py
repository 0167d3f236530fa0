# SPDX-License-Identifier: Apache-2.0
"""JSON as RFC 8259 wants it between strangers, who must read the same thing in the same text.

Refused is what two readers may understand differently: names that stand twice in one object,
floats and `NaN`, integers beyond 2^53, other encodings than UTF-8; much depth; and U+0000 in any
text, which many databases cannot store and some readers take for its end.

Elsewhere: which members a text has (`messages`, `envelope`, `directory`).
"""

import json
from collections import Counter
from typing import Any, NoReturn

from schemas import limits

__all__ = ["no_boolean", "only_boolean", "strict_json"]


def strict_json(text: bytes | str) -> Any:
    """Parse strict JSON in time linear in its length; `ValueError` for anything else."""
    given = text.decode("utf-8") if isinstance(text, bytes) else text
    if given.startswith("\ufeff"):
        raise ValueError("a byte order mark (BOM) stands before it")
    try:
        value = _DECODER.decode(given)
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value, limits.NESTING_MAX)
    if r"\u0000" in given:  # or an escaped backslash before it: only the value tells
        _check_texts(value)
    return value


def no_boolean(value: object) -> object:
    """For literal numbers: a reader that takes `true` for 1 must not make it one."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")  # noqa: TRY004 - pydantic wants ValueError
    return value


def only_boolean(value: object) -> object:
    """For literal booleans: 1 is not `true`."""
    if not isinstance(value, bool):
        raise ValueError("only true is true")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"name {twice!r:.60} is repeated")
    return members


def _bounded(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > limits.INTEGER_MAX:
        raise ValueError(f"integer {digits[:20]} is beyond 2^53")
    return int(digits)


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is not an integer")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_bounded,
    parse_float=_no_float,
    parse_constant=_no_float,
)


def _check_depth(value: Any, most: int) -> None:
    level = [value] if type(value) in _NESTS else []
    while level:
        if most == 0:
            raise _too_deep()
        most -= 1
        level = [
            member
            for one in level
            for member in (one.values() if type(one) is dict else one)
            if type(member) in _NESTS
        ]


_NESTS = (dict, list)
"""The values of the decoder that have others in them."""


def _check_texts(value: Any) -> None:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a text has U+0000 in it")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    for member in value if isinstance(value, list) else ():
        _check_texts(member)


def _too_deep() -> ValueError:
    return ValueError(f"nested deeper than {limits.NESTING_MAX}")
