# SPDX-License-Identifier: Apache-2.0
"""Levels of an answer: what is true of a root is taken, and nothing else."""

import pytest

from ledger.tree import LEVELS, Tree
from reconciliation.drill import Drill, Place, begin
from reconciliation.levels import FalseAnswer, stated_below
from schemas.identifiers import Digest
from schemas.messages import Answer, Delivered
from schemas.nodes import Children
from tests.unit.reconciliation.world import GHANA, START

NODE, FAR = 0x123_0000_0000_1, 0x123_0000_8000_1
"""Two buckets whose ways part at level 8."""

TREE = Tree()
TREE.put({NODE >> 4 << 4 | n: bytes([n]) * 32 for n in (1, 2)})
TWO = Tree()
TWO.put({NODE: b"\1" * 32, FAR: b"\2" * 32})
FORGED = b"\xab" * 32


def root(tree: Tree) -> Digest:
    return Digest(tree.root.hex())


def at(tree: Tree, level: int) -> Drill:
    """A drill-down that asks about our one node at a level."""
    drill = begin(GHANA, root(tree), root(Tree()), [], START)
    node = NODE >> 4 * (LEVELS - level)
    digest = Digest(tree.below(level - 1, [node >> 4])[node].hex())
    return drill.but(level=level, now=(Place(node=node, digest=digest, root=root(tree)),))


def given(tree: Tree, level: int) -> Children:
    """The children of our node at a level."""
    node = NODE >> 4 * (LEVELS - level)
    return Children.of(level, node, tree.below(level, [node]))


def answer(tree: Tree, level: int, *children: Children) -> Answer:
    return Answer(
        question="children",
        actor=GHANA,
        delivered=Delivered(size=0, root=Digest("0" * 64)),
        holdings=root(tree),
        level=level,
        children=children,
    )


def stranger(level: int, node: int) -> Children:
    return Children.of(level, node, {node << 4: FORGED})


@pytest.mark.parametrize("last", range(3, 12))
def test_all_levels_on_the_way_to_what_an_answer_has_are_known(last: int) -> None:
    """It may have fewer than it could."""
    stated = stated_below(at(TREE, 3), answer(TREE, 3, given(TREE, last)))
    assert stated == {
        (one.level, one.node): one.below
        for one in (given(TREE, level) for level in range(3, last + 1))
    }


LIES: dict[str, tuple[Tree, int, list[Children], str]] = {
    **{
        f"a digest forged at level {level}": (
            TREE,
            3,
            [
                Children.of(
                    level, given(TREE, level).node, {**given(TREE, level).below, low: FORGED}
                )
            ],
            "do not hash",
        )
        for level in range(3, 12)
        for low in [min(given(TREE, level).below)]
    },
    "nothing of what there is": (TREE, 3, [], "do not hash"),
    "a child left out": (TREE, 3, [Children.of(11, NODE >> 4, {NODE: b"\1" * 32})], "do not hash"),
    "one child of two and what is below": (TWO, 3, [given(TWO, 11)], "do not hash"),
    "the same twice": (TREE, 3, [given(TREE, 11)] * 2, "given twice"),
    "two levels": (TREE, 3, [given(TREE, 11), given(TREE, 5)], "given twice"),
    "a stranger beside it": (TREE, 3, [given(TREE, 11), stranger(3, 0x124)], "not asked for"),
    "a stranger far below": (TREE, 3, [given(TREE, 11), stranger(9, 0x124 << 24)], "not asked for"),
    "a stranger below it": (TREE, 3, [given(TREE, 11), stranger(7, 0x1230001)], "given twice"),
    "a level above": (TREE, 3, [given(TREE, 11), stranger(2, 0x12)], "not asked for"),
    "what is beyond the slots": (TREE, 0, [given(TREE, 3)], "not asked for"),
}


@pytest.mark.parametrize("lie", LIES)
def test_whatever_else_is_given_is_false(lie: str) -> None:
    tree, level, children, why = LIES[lie]
    drill = at(tree, level) if level else begin(GHANA, root(tree), root(Tree()), [], START)
    false = answer(tree, level, *children)
    with pytest.raises(FalseAnswer, match=why):
        stated_below(drill, false)


def test_a_fault_of_ours_is_no_lie() -> None:
    """Nobody reads an answer with shorter digests; somebody of ours has cut this one."""
    said = answer(TREE, 3, given(TREE, 11))
    (one,) = said.children
    one.__dict__["below"] = {node: digest[:31] for node, digest in one.below.items()}
    with pytest.raises(ValueError, match="32 bytes"):
        stated_below(at(TREE, 3), said)


def test_of_other_questions_no_children_are_read() -> None:
    drill = at(TREE, 3).but(question="points")
    assert stated_below(drill, answer(TREE, 3, stranger(3, 0x124))) == {}


@pytest.mark.parametrize("part", ["todo", "found"])
def test_another_level_is_false_where_one_was_asked_for(part: str) -> None:
    more = (Place(node=0x124, digest=None, root=root(TREE)),)
    drill = at(TREE, 3).but(**{part: more})
    stated_below(drill, answer(TREE, 3, given(TREE, 3)))
    with pytest.raises(FalseAnswer, match="not asked for"):
        stated_below(drill, answer(TREE, 3, given(TREE, 4)))


def test_children_that_the_actor_said_it_has_not_are_false() -> None:
    drill = at(TREE, 3)
    gone = drill.but(now=tuple(place.model_copy(update={"digest": None}) for place in drill.now))
    assert stated_below(gone, answer(TREE, 3)) == {(3, 0x123): {}}
    with pytest.raises(FalseAnswer, match="do not hash"):
        stated_below(gone, answer(TREE, 3, given(TREE, 11)))


def test_rows_that_have_moved_on_may_have_other_children() -> None:
    drill = at(TREE, 3)
    moved = drill.but(
        now=tuple(place.model_copy(update={"root": root(TWO)}) for place in drill.now)
    )
    other = stranger(3, 0x123)
    assert stated_below(moved, answer(TREE, 3, other)) == {(3, 0x123): other.below}
