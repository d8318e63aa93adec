"""The page of measured results: its tables are written from the benchmarks' JSON, and no others."""

import json
import re
from typing import get_args, get_type_hints

import pytest
import tyro

from docs import list_results
from pvd_engine.bench.verb import BenchArguments, command

PAGE = list_results.PAGE.read_text(encoding="utf-8")
CONDITIONS = {
    "command": "pvd bench frames lego --budget 20s",
    "capture": "lego",
    "width": 200,
    "height": 100,
    "seed": 3,
    "name": "Some Processor",
    "threads": 2,
    "version": "9.8.7",
    "date": "2031-02-03",
}
FRAMES = CONDITIONS | {
    "side": 800,
    "seconds": {"NeRF": 100.0, "hash": 0.504},
    "ratios": {"NeRF": 1.0, "hash": 198.4},
}


def write(folder, name, result):
    (folder / name).mkdir(parents=True)
    (folder / name / f"{name}.json").write_text(json.dumps(result))


def regions(text):
    """What stands in each pair of marks, and everything around them."""
    found = {match["name"]: match[0] for match in list_results.MARKED.finditer(text)}
    return found, list_results.MARKED.sub("", text)


def rows(text):
    """The cells of a table below its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_only_the_table_that_was_measured_changes(tmp_path):
    write(tmp_path, "frames", FRAMES)
    before, around = regions(PAGE)
    made = list_results.page(PAGE, tmp_path)
    after, still_around = regions(made)
    assert still_around == around
    assert [name for name in before if before[name] != after[name]] == ["frames"]
    assert rows(after["frames"]) == [["NeRF", "100.00", "1"], ["hash", "0.50", "198"]]
    assert list_results.page(made, tmp_path) == made


def test_a_table_names_command_day_machine_resolution_and_seed(tmp_path):
    write(tmp_path, "frames", FRAMES)
    assert (
        "`pvd bench frames lego --budget 20s`; 2031-02-03, version 9.8.7; 200 × 100 pixels; "
        "Some Processor, 2 threads; seed 3.\n"
    ) in list_results.made(tmp_path / "frames")


def test_marks_come_in_pairs_with_names_of_their_own():
    names = [match["name"] for match in list_results.MARKED.finditer(PAGE)]
    assert len(names) == len(set(names)) == PAGE.count("<!-- results of ")
    assert len(names) == PAGE.count("<!-- end of results -->")
    assert set(list_results.PICTURES) <= set(names)


def test_every_benchmark_has_a_table_on_the_page_and_headings_name_no_others():
    kinds = set(get_args(get_type_hints(BenchArguments)["what"]))
    assert set(list_results.FORMATS) == {*kinds, "metrics"}
    assert set(re.findall(r"^#+ .*`pvd bench (\w+)", PAGE, flags=re.MULTILINE)) == kinds


def test_what_make_results_measures_has_a_table_and_is_a_valid_command():
    text = (list_results.ROOT / "Makefile").read_text(encoding="utf-8")
    lines = re.findall(r"^\t\$\(BENCH\) (.*) --out \$\(RESULTS_OUT\)/([\w-]+)$", text, re.MULTILINE)
    marks = {match["name"] for match in list_results.MARKED.finditer(PAGE)}
    assert len(lines) == text.count("$(BENCH) ") > 0
    assert {folder for _, folder in lines} <= marks
    for words, folder in lines:
        given = tyro.cli(BenchArguments, args=words.replace("$(CAPTURE)", "lego").split())
        assert given.what == folder.partition("-")[0]
        assert command(given) == f"pvd bench {words.replace('$(CAPTURE)', 'lego')}"


def test_results_without_marks_and_folders_with_two_are_refused(tmp_path):
    write(tmp_path / "one", "frames", FRAMES)
    with pytest.raises(ValueError, match="no marks for one"):
        (tmp_path / "one" / "frames").rename(tmp_path / "one" / "one")
        list_results.page(PAGE, tmp_path / "one")
    write(tmp_path, "frames", FRAMES)
    (tmp_path / "frames" / "speed.json").write_text("{}")
    with pytest.raises(ValueError, match="speed and frames"):
        list_results.page(PAGE, tmp_path)


def test_pictures_of_benchmarks_go_to_the_docs(tmp_path, monkeypatch):
    images = tmp_path / "images"
    images.mkdir()
    monkeypatch.setattr(list_results, "IMAGES", images)
    (tmp_path / "cost").mkdir()
    (tmp_path / "cost" / "cost.svg").write_text("<svg/>")
    list_results.copy_pictures(tmp_path)
    assert [path.name for path in images.iterdir()] == ["cost.svg"]
    (tmp_path / "cost" / "frames.json").write_text(json.dumps(FRAMES))
    assert "](images/cost.svg)" in list_results.made(tmp_path / "cost")


def test_the_demo_has_a_row_for_each_field_and_leaks_of_the_edited_ones():
    leak = {"rays": 9, "mean": 0.00123, "percentile_99": 0.0312, "max": 0.184}
    fields = {
        name: {"psnr": 30.0 + number, "ssim": 0.98, "size": 2_000_000}
        for number, name in enumerate(list_results.DEMO)
    }
    fields["edited"]["alpha_where_only_the_bucket_was"] = leak
    made = rows(list_results.metrics({"fields": fields}))
    assert [row[2] for row in made] == ["30.00", "31.00", "32.00", "33.00", "34.00"]
    assert [row[5] for row in made] == ["", "", "0.0012, 0.031, 0.18", "", ""]


def test_merged_fields_have_a_column_for_each_distance():
    def distance(psnr, lost):
        field = {"psnr": psnr, "ssim": 0.99, "covered": psnr - 10}
        return dict.fromkeys(("yellow", "blue", "merged"), field) | {"added": 36.3, "lost": lost}

    both = {"apart": distance(38.6, -0.13), "close": distance(36.0, 0.46)}
    made = rows(list_results.metrics({"views of both": both}))
    assert made[2] == ["merged", "38.60, 0.990, 28.60", "36.00, 0.990, 26.00"]
    assert [row[1:] for row in made[3:]] == [["36.30", "36.30"], ["+0.13 dB", "-0.46 dB"]]


def test_a_head_start_that_did_not_arrive_has_no_ratio():
    result = {
        "rows": [
            {"target": "vm", "final": 28.9, "arrivals": {"projection": 1 / 5, "noise": 1 / 3}},
            {"target": "cp", "final": 27.0, "arrivals": {"projection": 1 / 7, "noise": None}},
        ]
    }
    assert rows(list_results.head_start(result)) == [
        ["`vm`", "28.90", "1/5", "1/3", "0.60"],
        ["`cp`", "27.00", "1/7", "not", ""],
    ]


def test_rates_of_kernels_are_millions():
    kernel = {
        "name": "Adam",
        "rival": "torch",
        "unit": "rows",
        "fast_per_second": 921e6,
        "other_per_second": 39.54e6,
        "ratio": 23.3,
    }
    assert rows(list_results.kernels({"kernels": [kernel]})) == [
        ["Adam, against torch", "921 rows", "39.5", "23.3"]
    ]
