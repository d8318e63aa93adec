"""A few of the broken inputs of ``python -m tests.fuzz.add_on``, the same each time."""

import pytest

from tests.fuzz.add_on import Kinds, run_kind

KINDS = (
    "events", "result.json", "blender.json", "job folders", "field files", "replies", "arrays",
    "engine check", "splats",
)  # fmt: skip
INPUTS = 200


@pytest.fixture
def kinds(add_on, tmp_path):
    return Kinds(tmp_path)


def test_every_kind_is_tried(kinds):
    assert set(kinds.all()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_broken_inputs_are_taken_in_or_refused_in_one_sentence(kinds, kind):
    tally = run_kind(kinds, kind, INPUTS, seed=1)
    assert tally.findings == []
    assert tally.inputs == INPUTS == tally.taken + tally.refused
    assert tally.taken > 0, "the valid input is near enough to be taken in at times"
