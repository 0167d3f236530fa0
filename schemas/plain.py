# SPDX-License-Identifier: Apache-2.0
"""Text of whatever origin, made fit to be read by people. Pure.

Elsewhere: what a picture or a report page does with it, where an escape would be noise
(`harness.pictures`).
"""

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Text that any terminal, JSON reader and database takes: others' bytes may be quoted in it.

    What does not print, line breaks included, stands as an escape, as `\u001b`: it cannot move a
    cursor, turn the direction of reading or begin a line. Everything else stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
