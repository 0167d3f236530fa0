# SPDX-License-Identifier: Apache-2.0
"""JSON as RFC 8259 wants it between strangers, who must read the same thing in the same text.

Refused is what two readers may understand differently: names that stand twice in one object,
floats and `NaN`, integers beyond 2^53, other encodings than UTF-8; and much depth.

Elsewhere: which members a text has (`messages`, `envelope`, `directory`).
"""

import json
from collections import Counter
from typing import Any, NoReturn

from schemas import limits

__all__ = ["no_boolean", "only_boolean", "strict_json"]


def strict_json(text: bytes | str) -> Any:
    """Parse strict JSON in time linear in its length; `ValueError` for anything else."""
    try:
        value = json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            object_pairs_hook=_unique,
            parse_int=_bounded,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value, limits.NESTING_MAX)
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


def _check_depth(value: Any, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if left == 0:
        raise _too_deep()
    for member in value.values() if isinstance(value, dict) else value:
        _check_depth(member, left - 1)


def _too_deep() -> ValueError:
    return ValueError(f"nested deeper than {limits.NESTING_MAX}")
