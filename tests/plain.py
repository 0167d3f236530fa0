# SPDX-License-Identifier: Apache-2.0
"""Whether what people are told of a mistake is ours, and not a library's report on itself."""

TRACES = (
    "Value error",
    "Assertion failed",
    "validation error",
    "pydantic.dev",
    "[type=",
    "input_value",
    "\\u000a",
    "\n",
)


def traces_of_pydantic(text: str) -> list[str]:
    """What pydantic says of itself, in what a person or a finding's reader is told."""
    return [trace for trace in TRACES if trace in text]
