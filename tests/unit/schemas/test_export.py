# SPDX-License-Identifier: Apache-2.0
"""The exported JSON Schemas: as the models make them, and as another library reads them."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import jws
from schemas.export import FOLDER, documents, main
from schemas.messages import MESSAGE_TYPES
from tests.make_vectors import FOLDER as VECTORS
from tests.vectors.messages import UNSEEN_CHECK, UNSEEN_RULE

Json = dict[str, Any]

DOCUMENTS: dict[str, Json] = {name: json.loads(text) for name, text in documents().items()}
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in DOCUMENTS.items()}
CASES = json.loads((VECTORS / "messages.json").read_text(encoding="utf-8"))["cases"]
GOOD = [case for case in CASES if case["expect"] == "ok" and "line" in case]
BAD = [case for case in CASES if case["expect"] != "ok" and "line" in case]
ENVELOPES = json.loads((VECTORS / "envelopes.json").read_text(encoding="utf-8"))["cases"]
UNSEEN = {UNSEEN_CHECK, UNSEEN_RULE}


def named(cases: list[Json]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


def accepts(name: str, value: Any) -> bool:
    return bool(VALIDATORS[f"{name}.json"].is_valid(value))


def test_the_committed_schemas_are_those_of_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out
    assert {path.name for path in FOLDER.iterdir()} == set(documents())


def test_there_is_a_schema_for_every_type_and_for_all_of_them() -> None:
    wanted = {*MESSAGE_TYPES, "messages", "manifest", "acts", "evidence", "misbehaviour", "trust"}
    assert set(documents()) == {f"{name}.json" for name in wanted}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_schema_is_one_of_draft_2020_12_and_has_an_id_of_its_own(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENTS[name])
    assert DOCUMENTS[name]["$id"] == f"urn:a6hub:1:{name.removesuffix('.json')}"


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_schema_is_written_in_one_way(name: str) -> None:
    text = documents()[name]
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("case", named(GOOD))
def test_good_messages_follow_the_schema_of_their_type_and_no_other(case: Json) -> None:
    value = json.loads(case["line"])
    assert accepts("messages", value)
    assert [name for name in MESSAGE_TYPES if accepts(name, value)] == [case["type"]]


@pytest.mark.parametrize("case", named(BAD))
def test_bad_messages_are_refused_by_the_schema_or_say_why_it_cannot_see(case: Json) -> None:
    try:
        value = json.loads(case["line"])
    except ValueError:
        assert case["unseen_by_schema"], "no JSON at all is beyond any schema"
        return
    if accepts("messages", value):
        assert case["unseen_by_schema"], "the schema lets it pass, and the vector does not say why"
    elif not case["unseen_by_schema"]:
        assert not any(accepts(name, value) for name in MESSAGE_TYPES)


@pytest.mark.parametrize("case", named([c for c in BAD if c["unseen_by_schema"] in UNSEEN]))
def test_what_a_schema_is_said_not_to_see_it_does_not_see(case: Json) -> None:
    assert accepts("messages", json.loads(case["line"]))


@pytest.mark.parametrize("case", named([case for case in ENVELOPES if case["expect"] == "ok"]))
def test_manifests_of_good_envelopes_follow_their_schema(case: Json) -> None:
    payload = jws.parse(case["envelope"].partition("\n")[0]).payload
    assert accepts("manifest", json.loads(payload))
