# SPDX-License-Identifier: Apache-2.0
"""The documents agree with the code and with one another.

What commands in them do is the acceptance tests' matter.
"""

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from harness import catalogue
from runtime import events
from tests.tidy import INDEX_HOSTS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RECORDS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
PACKAGES = SETTINGS["importlinter"]["root_packages"]
RECORD_LINES_MAX = 90

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
RULE = re.compile(r"^\*\*(\d+)\.(\d+)\*\* ", re.MULTILINE)
EVENT_ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \| [^|]+ \|([^|]*)\|", re.MULTILINE)
CITATION = re.compile(r"(?:protocol|docs/protocol\.md,?) (?:rule )?(\d+(?:\.\d+)?)\b")
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:home|root|tmp|work|Users)/")

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def prose(document: Path) -> str:
    """A document without its code."""
    return CODE.sub("", FENCED.sub("", document.read_text(encoding="utf-8")))


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as renderers make them."""
    headings = HEADING.findall(FENCED.sub("", document.read_text(encoding="utf-8")))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


# --- all documents ------------------------------------------------------------------------------


@each_document
def test_every_link_inside_the_project_leads_somewhere(document: Path) -> None:
    broken = []
    for target in LINK.findall(prose(document)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = document if not name else (document.parent / name).resolve()
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@each_document
def test_no_document_names_a_package_index_or_a_folder_of_some_machine(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert not INDEX_HOSTS.search(text)
    assert not MACHINE_PATH.search(text)


def test_what_is_generated_is_up_to_date() -> None:
    assert catalogue.outdated() == [], "run python -m harness.catalogue"
    assert catalogue.main(["--check"]) == 0


def test_a_page_without_a_block_that_is_made_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="it should have"):
        catalogue.with_blocks("<!-- generated: one -->\nold\n<!-- end -->", {"two": "new"})


def test_text_outside_the_marks_stays_as_it_is() -> None:
    page = "before\n<!-- generated: one -->\nold\n<!-- end -->\nafter"
    made = catalogue.with_blocks(page, {"one": "new"})
    assert made == page.replace("old", "new")
    assert catalogue.with_blocks(made, {"one": "new"}) == made


# --- docs/events.md -----------------------------------------------------------------------------


def event_rows() -> dict[str, tuple[str, set[str]]]:
    """Level and fields by event, as the page says; an event with two rows fails."""
    rows = EVENT_ROW.findall((ROOT / "docs" / "events.md").read_text(encoding="utf-8"))
    assert [name for name, times in Counter(row[0] for row in rows).items() if times > 1] == []
    return {name: (level, set(re.findall(r"`(\w+)`", cells))) for name, level, cells in rows}


def events_logged() -> dict[str, tuple[set[str], set[str]]]:
    """Levels and fields by event, as the code logs them."""
    found: defaultdict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Attribute) and ast.unparse(name.value) == "events":
                levels, fields = found[getattr(events, name.attr)]
                # `Batch.log` is logged by the node, at info, once the batch is durable.
                levels.add("info" if node.func.attr == "log" else node.func.attr)
                fields |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return found


def test_every_event_has_exactly_one_row_and_every_row_an_event() -> None:
    assert set(event_rows()) == {getattr(events, name) for name in events.__all__}


def test_levels_and_fields_of_events_are_those_of_the_code() -> None:
    logged = events_logged()
    for name, (level, fields) in event_rows().items():
        levels, given = logged.get(name, ({"–"}, set()))  # noqa: RUF001 - the page's own mark
        assert {level} == levels, name
        assert fields == given, name


# --- docs/glossary.md ---------------------------------------------------------------------------


def test_the_glossary_is_sorted_and_gives_a_source_for_every_word() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    words = [section.partition("\n")[0] for section in sections]
    assert [(a, b) for a, b in pairwise(words) if a.casefold() >= b.casefold()] == []
    without = [
        word
        for word, section in zip(words, sections, strict=True)
        if not re.search(r"\[[^\]]+\]", section)
    ]
    assert without == []


# --- docs/protocol.md ---------------------------------------------------------------------------


def rules() -> list[tuple[int, int]]:
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    return [(int(section), int(number)) for section, number in RULE.findall(text)]


def test_rules_are_numbered_without_gaps_in_their_sections() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for number, section in enumerate(sections, start=1):
        assert section.startswith(f"{number}. ")
        found = [(int(a), int(b)) for a, b in RULE.findall(section)]
        assert found == [(number, rule) for rule in range(1, len(found) + 1)]


def test_every_rule_that_the_code_cites_exists() -> None:
    known = {f"{section}.{number}" for section, number in rules()}
    known |= {str(section) for section, _ in rules()}
    cited = {
        f"{path.relative_to(ROOT)}: {number}"
        for path in sources()
        for number in CITATION.findall(path.read_text(encoding="utf-8"))
        if number not in known
    }
    assert cited == set()


# --- docs/adr -----------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_says_context_options_decision_and_consequences(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert text.startswith(f"# {record.name[:4]}. ")
    assert "\nStatus: " in text
    headings = [heading.partition(" ")[0] for heading in HEADING.findall(text)[1:]]
    assert list(dict.fromkeys(headings)) == ["Context", "Options", "Decision", "Consequences"]
    assert re.search(r"[Gg]ood,\s+because", text)
    assert re.search(r"[Bb]ad,\s+because", text)
    assert len(text.splitlines()) <= RECORD_LINES_MAX, "a record is one page"


def test_the_index_lists_every_record_by_its_title() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \|$", index, re.MULTILINE)
    titles = [path.read_text(encoding="utf-8").splitlines()[0] for path in RECORDS]
    assert [f"# {number}. {title}" for number, _, title in listed] == titles
    assert [name for _, name, _ in listed] == [path.name for path in RECORDS]
    assert [number for number, _, _ in listed] == [f"{n:04}" for n in range(1, len(listed) + 1)]
