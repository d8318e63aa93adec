"""Notes say how much, and never that something is nothing."""

import pytest

from pvd_engine.data.notes import counted, left_out, percentage


def test_counts_agree_with_what_they_count():
    assert counted(1, "image has", "images have") == "1 image has"
    assert counted(0, "image has", "images have", of=9) == "0 of 9 images have"


def test_nothing_is_said_of_nothing():
    assert left_out([], 4) == []
    assert left_out(["b.json is empty."], 1) == [
        "1 of 1 camera entries was left out. The first: b.json is empty."
    ]


@pytest.mark.parametrize(
    ("fraction", "decimals", "text"),
    [
        (0.0, 2, "0.00 %"),
        (3e-7, 2, "less than 0.01 %"),
        (1e-4, 2, "0.01 %"),
        (0.125, 1, "12.5 %"),
        (0.9999, 0, "more than 99 %"),
        (1.0, 0, "100 %"),
        (1.5, 0, "150 %"),
    ],
)
def test_a_percentage_is_zero_only_for_nothing_and_all_only_for_all(fraction, decimals, text):
    assert percentage(fraction, decimals) == text
