# SPDX-License-Identifier: Apache-2.0
"""Reporting workbooks out of databases on PostgreSQL are the same as out of any other."""

import io

from aef.report import check
from tests.acceptance.test_federation_aef import LISTS, books, packed, work
from tests.federation import Federation


async def test_on_postgresql_the_same_is_reported(on_postgres: Federation) -> None:
    await work(on_postgres)
    found = await books(on_postgres)
    report = check([(p, io.BytesIO(packed(book))) for p, book in found.items()], LISTS)
    assert {str(one.code) for one in report.findings} == {"R01"}
    assert [len(book.actions) for book in found.values()] == [2, 4, 4, 1, 1]
    assert [len(book.holdings) for book in found.values()] == [0, 1, 2, 1, 1]
