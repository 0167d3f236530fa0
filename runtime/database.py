# SPDX-License-Identifier: Apache-2.0
"""What both databases' adapters share: the URL, and whose fault an error is.

Elsewhere: the port and its contract (`store`), the adapters (`sqlite`, `postgres`).
"""

import sqlite3

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from runtime.errors import LocalProtocolError, Unavailable

__all__ = ["database_url", "translated"]


def database_url(url: str) -> URL:
    """The URL in its parts; `LocalProtocolError`, without its password, for one of no use here."""
    try:
        parts = make_url(url)
    except ArgumentError:
        raise LocalProtocolError("the database URL cannot be read") from None
    if parts.drivername not in {"sqlite", "postgresql+asyncpg"}:
        raise LocalProtocolError(
            f"database {parts.drivername} is not supported; use sqlite:///… or "
            "postgresql+asyncpg://…"
        )
    if parts.database in {None, "", ":memory:"}:
        raise LocalProtocolError("the database URL names no database")
    return parts


class translated:  # noqa: N801 - a context manager that reads as an adjective
    """Turn a database's unavailability into `Unavailable`; faults of ours pass through."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError) and _of_the_database(error):
            raise Unavailable(f"database: {error.orig}") from error
        if isinstance(error, sqlite3.Error) and _code(error) in _SQLITE_CODES:
            raise Unavailable(f"database: {error}") from error
        if isinstance(error, OSError):
            raise Unavailable(f"database: {error}") from error


_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}
"""What the disk, the file or another process is to blame for."""

_POSTGRES_CLASSES = {"08", "28", "3D", "40", "53", "55", "57", "58", "XX"}
"""Classes of SQLSTATE: connection, authorization, no such database, rolled back, resources, in use,
operator intervention, system, internal.
"""


def _of_the_database(error: DBAPIError) -> bool:
    """Whether an error is of the database's availability, not of our statement."""
    if isinstance(error.orig, sqlite3.Error):
        return _code(error.orig) in _SQLITE_CODES
    state = str(getattr(error.orig, "sqlstate", None) or "")
    # 25006: a server that takes no writes, such as a standby that has not taken over yet
    return error.connection_invalidated or state[:2] in _POSTGRES_CLASSES or state == "25006"


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
