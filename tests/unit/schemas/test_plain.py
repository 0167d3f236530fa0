# SPDX-License-Identifier: Apache-2.0
"""Text of whatever origin, made fit to be read by people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.plain import printable

ESCAPED = {
    "as it is: ÅØ 東京 'quoted' \\n": "as it is: ÅØ 東京 'quoted' \\n",
    "\x1b[2J": "\\u001b[2J",
    "a\nb\r\tc\x00": "a\\u000ab\\u000d\\u0009c\\u0000",
    "\u202eturned\u2028": "\\u202eturned\\u2028",
    "tag\U000e0041": "tag\\U000e0041",
    "half \ud800": "half \\ud800",
}


@pytest.mark.parametrize("text", ESCAPED)
def test_what_does_not_print_is_escaped(text: str) -> None:
    assert printable(text) == ESCAPED[text]


@given(st.text())
def test_whatever_comes_prints_and_is_not_escaped_again(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
