# SPDX-License-Identifier: Apache-2.0
"""Text of whatever origin, made fit to be read by people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, field_validator, model_validator

from schemas.plain import MISTAKE_MAX, in_words, mistake_in, printable
from tests.plain import traces_of_pydantic

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


class Part(BaseModel):
    size: int = 0
    name: str = ""

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        assert name != "asserted", "no such name"
        if len(name) > 3:
            raise ValueError(f"{name} is\nlong" if name != "silent" else "")
        return name


class Whole(BaseModel):
    parts: list[Part] = []
    secret: str = ""

    @model_validator(mode="after")
    def _guarded(self) -> "Whole":
        if self.secret:
            raise ValueError("no secrets here")
        return self


MISTAKES = {
    '{"parts": [{}, {"size": "x"}]}': (
        "parts/1/size: Input should be a valid integer, unable to parse string as an integer"
    ),
    '{"parts": [{"name": "tall"}]}': "parts/0/name: tall is long",
    '{"parts": [{"name": "asserted"}]}': "parts/0/name: no such name",
    '{"parts": [{"name": "silent"}]}': "parts/0/name: it does not fit",
    '{"parts": [{"size": "x", "name": "tall"}]}': "parts/0/size: Input should be ",
    '{"secret": "hush"}': "no secrets here",
    "{": "Invalid JSON: ",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_sentence_with_its_place(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate_json(text)
    words = in_words(caught.value)
    assert words.startswith(MISTAKES[text])
    assert traces_of_pydantic(words) == []
    assert "hush" not in words


def test_what_is_said_of_a_mistake_has_an_end() -> None:
    with pytest.raises(ValidationError) as caught:
        Part(name="n" * 1000)
    assert len(mistake_in(caught.value).words) == MISTAKE_MAX
    assert in_words(caught.value).endswith("n…")


def test_any_other_error_is_said_on_one_line() -> None:
    assert in_words(ValueError("two\n  lines")) == "two lines"
