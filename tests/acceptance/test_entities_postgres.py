# SPDX-License-Identifier: Apache-2.0
"""An entity with the mechanism registry, on PostgreSQL."""

import pytest

from tests.acceptance.test_federation_entities import live
from tests.federation import Federation


@pytest.mark.requirement(24)
async def test_on_postgresql_an_entity_has_an_account_as_long_as_it_is_identified(
    on_postgres: Federation,
) -> None:
    await live(on_postgres)
