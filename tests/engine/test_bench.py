"""Benchmarks of conversions: fields are made once, in processes of their own, and measured."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from engine_process import REPOSITORY
from PIL import Image
from short_teachers import share_ball
from stopping_job import StoppingJob
from tiny_fields import tiny_fields

from docs import list_results
from pvd_engine.bench import ablation, budgets, frames, gpu, plain_nerf, plan, speed
from pvd_engine.bench import verb as bench
from pvd_engine.bench.child import ChildRun, peak_memory, run_child
from pvd_engine.bench.matrix import format_table
from pvd_engine.bench.matrix_picture import picture_size
from pvd_engine.bench.measure import measure, require_test_views
from pvd_engine.bench.verb import BenchArguments
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.registry import RADIANCE_FIELDS
from pvd_engine.jobs.folder import Request, has_checkpoints, start_or_resume
from pvd_engine.jobs.job import Job
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs.eval import EvalArguments
from pvd_engine.verbs.table import VERBS
from pvd_engine.verbs.train import TrainArguments

SOURCES = ("sparse_tensor", "hash")
TARGET = "hash"
"""To a hash grid, for conversions to it are quick from teachers that are still fog."""


@pytest.fixture(autouse=True)
def children_find_the_engine(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


@pytest.fixture(scope="module")
def capture(shared):
    return share_ball(shared, size=24)


@pytest.fixture(scope="module")
def no_processes():
    """Children of a benchmark work in the process of the tests, and make tiny fields."""

    def run(verb, arguments, folder, job):
        folder.mkdir(parents=True, exist_ok=True)
        request = Request(VERBS[verb], arguments)
        start_or_resume(folder, request, restart=False)
        with tiny_fields():
            return ChildRun(request.verb.run(arguments, Job(folder)), 1.0, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "run_child", run)
        yield


@pytest.fixture(scope="module")
def matrix(tmp_path_factory, capture, no_processes):
    """Arguments of a small matrix benchmark, its folder and its result."""
    folder = tmp_path_factory.mktemp("matrix")
    arguments = BenchArguments(
        what="matrix",
        capture=capture,
        out=folder,
        budget="1s",
        sources=",".join(SOURCES),
        targets=TARGET,
        device="cpu",
    )
    result = bench.run(arguments, Job(folder / "bench-job"))
    return arguments, folder, result


def test_the_matrix_has_every_teacher_and_every_conversion(matrix):
    _, folder, result = matrix
    assert set(result["teachers"]) == set(SOURCES)
    assert [(c["source"], c["target"]) for c in result["cells"]] == [(s, TARGET) for s in SOURCES]
    half = f"{result['teachers']['hash']['size'] / 2e6:.2f}MB"
    names = [line.split("  ")[0] for line in result["table"].splitlines()[3:]]
    assert names == [
        "images -> sparse_tensor",
        "images -> hash",
        "sparse_tensor -> hash",
        f"hash -> hash ({half})",
    ]
    kept = json.loads((folder / "matrix.json").read_text(encoding="utf-8"))
    assert format_table(kept) == result["table"]
    page = list_results.made(folder)
    assert page.count("\n| ") == 2 + len(SOURCES) * 2
    assert f"| {result['cells'][0]['test']['psnr_to_source']:.2f} |" in page


def test_a_student_of_the_same_architecture_must_have_half_the_size(matrix):
    _, folder, result = matrix
    asked = {}
    for source in SOURCES:
        path = folder / f"{source}-to-hash.job" / "request.json"
        asked[source] = json.loads(path.read_text(encoding="utf-8"))["arguments"]["max_size"]
    half = result["teachers"]["hash"]["size"] / 2e6
    assert asked == {"sparse_tensor": None, "hash": f"{half:.2f}MB"}


def test_a_process_reports_its_result_and_its_own_memory(capture, tmp_path):
    arguments = replace(train_arguments(capture, tmp_path), steps=2)
    run = run_child("train", arguments, tmp_path / "t.job", Job(tmp_path / "job"))
    assert run.outputs["steps"] == 2 and arguments.out.is_file()
    assert run.seconds > 0
    if sys.platform == "linux":
        assert 50e6 < run.peak_memory < 20e9
    else:
        assert run.peak_memory is None


def test_the_matrix_picture_has_its_size(matrix):
    _, folder, _ = matrix
    with Image.open(folder / "matrix.png") as picture:
        assert picture.size == picture_size(len(SOURCES), 1)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 50


def test_what_is_there_is_not_made_again(matrix):
    arguments, folder, result = matrix

    def times():
        names = [*SOURCES, *(f"{source}-to-{TARGET}" for source in SOURCES)]
        files = [folder / f"{n}.{end}" for n in names for end in ("safetensors", "json")]
        return {file.name: file.stat().st_mtime_ns for file in files}

    before = times()
    again = bench.run(arguments, Job(folder / "bench-job"))
    assert times() == before
    assert again["table"] == result["table"]
    (folder / "hash.json").unlink()
    bench.run(arguments, Job(folder / "bench-job"))
    after = times()
    assert [name for name in before if before[name] != after[name]] == ["hash.json"]


def test_a_folder_of_another_plan_is_refused(matrix):
    arguments, folder, _ = matrix
    other = BenchArguments(
        what="matrix", capture=arguments.capture, out=folder, budget="2s", device="cpu"
    )
    with pytest.raises(UserError, match=r"budget \(1s there, 2s now\)"):
        bench.run(other, Job(folder / "bench-job"))


def test_measures_are_those_of_eval(matrix, tmp_path):
    arguments, folder, result = matrix
    field = folder / "hash.safetensors"
    quality = evaluate.run(
        EvalArguments(field=field, capture=arguments.capture, device="cpu"), Job(tmp_path)
    )
    measured = result["teachers"]["hash"]["test"]
    assert measured["psnr"] == pytest.approx(quality["psnr"], abs=1e-3)
    assert measured["ssim"] == pytest.approx(quality["ssim"], abs=1e-4)


def test_a_field_is_most_like_itself(matrix, tmp_path):
    arguments, folder, _ = matrix
    views = require_test_views(open_capture(arguments.capture), 1)
    field = folder / "hash.safetensors"
    assert measure(field, views, "cpu", Job(tmp_path), field)["psnr_to_source"] == 100
    student = folder / "sparse_tensor.safetensors"
    assert 5 < measure(student, views, "cpu", Job(tmp_path), field)["psnr_to_source"] < 60


@pytest.mark.usefixtures("no_processes")
def test_an_ablation_measures_each_variant_with_each_seed(capture, tmp_path, monkeypatch):
    variants = {"default": {}, "no density constraint": {"density_constraint": False}}
    monkeypatch.setattr(ablation, "VARIANTS", variants)
    arguments = BenchArguments(
        what="ablation",
        capture=capture,
        out=tmp_path / "out",
        budget="0.5s",
        seeds=2,
        seed=5,
        targets="hash",
        device="cpu",
    )
    result = bench.run(arguments, Job(tmp_path / "job"))
    rows = result["rows"]
    assert [row["variant"] for row in rows] == list(variants)
    for row in rows:
        values = [run["test"]["psnr"] for run in row["runs"]]
        assert len(values) == 2
        assert row["mean"]["test_psnr"] == pytest.approx(sum(values) / 2)
        assert row["mean"]["val_psnr"] > 0
    request = tmp_path / "out" / "hash-to-hash-no-density-constraint-6.job" / "request.json"
    asked = json.loads(request.read_text(encoding="utf-8"))["arguments"]
    assert (asked["seed"], asked["density_constraint"], asked["report"]) == (6, False, False)
    assert result["table"].count("\n") == 1 + len(rows)
    page = list_results.made(tmp_path / "out")
    assert page.count("| `hash` → `hash`, ") == len(rows)
    assert f"{rows[0]['mean']['test_psnr']:.2f} (" in page


@pytest.mark.usefixtures("no_processes")
def test_speed_gives_students_more_time_until_one_reaches_both_baselines(
    capture, tmp_path, monkeypatch
):
    monkeypatch.setattr(speed, "PARTS", (2, 1))
    for name, value in {"COARSE": 8, "FINE": 8, "WIDTH": 16}.items():
        monkeypatch.setattr(plain_nerf, name, value)
    arguments = BenchArguments(
        what="speed",
        capture=capture,
        out=tmp_path / "out",
        budget="1s",
        seeds=1,
        targets="hash",
        device="cpu",
    )
    result = bench.run(arguments, Job(tmp_path / "job"))
    (run,) = result["runs"]
    goal = max(run[name]["test"]["psnr"] for name in ("scratch", "plain NeRF"))
    reached = [student["test"]["psnr"] >= goal for student in run["students"]]
    assert len(reached) == 2 or reached[-1]
    assert not any(reached[:-1])
    assert [student["fraction"] for student in run["students"]] == [0.5, 1.0][: len(reached)]
    assert [row["baseline"] for row in result["rows"]] == ["scratch", "plain NeRF"]
    assert len(result["table"].splitlines()) == 2 + 2 + 2
    page = list_results.made(tmp_path / "out")
    assert page.count("\n| 0 | ") == 2 and "Median part of the budget: " in page


@pytest.mark.usefixtures("no_processes")
def test_speed_without_the_plain_recipe_has_one_baseline(capture, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "PARTS", (1,))
    monkeypatch.setattr(plain_nerf, "train", None)  # a call would fail
    arguments = BenchArguments(
        what="speed",
        capture=capture,
        out=tmp_path / "out",
        budget="0.5s",
        seeds=1,
        targets="hash",
        plain=False,
        device="cpu",
    )
    result = bench.run(arguments, Job(tmp_path / "job"))
    assert [row["baseline"] for row in result["rows"]] == ["scratch"]
    assert list(result["medians"]) == ["scratch"]
    assert result["command"].endswith("--targets hash --seeds 1 --no-plain")


@pytest.mark.usefixtures("no_processes")
def test_frames_times_every_architecture(capture, tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "SIDE", 20)
    monkeypatch.setattr(frames, "STRIP", 2)
    monkeypatch.setattr(plain_nerf, "WIDTH", 16)
    arguments = BenchArguments(
        what="frames", capture=capture, out=tmp_path / "out", budget="0.3s", device="cpu"
    )
    result = bench.run(arguments, Job(tmp_path / "job"))
    fields = {*RADIANCE_FIELDS, "light_field small", "light_field W181D88", frames.EVERY_RAY}
    assert set(result["seconds"]) == {frames.PLAIN, *fields}
    assert all(seconds > 0 for seconds in result["seconds"].values())
    assert result["ratios"][frames.PLAIN] == 1.0
    page = list_results.made(tmp_path / "out")
    assert page.count("\n| ") == 2 + len(result["seconds"])


@pytest.mark.usefixtures("no_processes")
def test_gpu_measures_kernels_fields_and_frames(capture, tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "SIDE", 20)
    monkeypatch.setattr(gpu, "SIDE", 20)
    monkeypatch.setattr(gpu, "POINTS", {"cpu": 64})
    monkeypatch.setattr(gpu, "TURNS", 2)
    arguments = BenchArguments(
        what="gpu", capture=capture, out=tmp_path / "out", budget="1.2s", device="cpu"
    )
    result = bench.run(arguments, Job(tmp_path / "job"))
    rows = {row["name"]: row for row in result["fields"]}
    assert list(rows) == ["hash-12", "hash-6", "hash-2", *gpu.STUDENTS, "light_field small"]
    assert [rows[name]["budget"] for name in ("hash-12", "hash-6", "vm")] == [0.1, 0.2, 1.2]
    light = rows["light_field small"]
    assert light["rays_per_second"] == pytest.approx(light["steps"] * 512 / light["seconds"])
    assert all(row["frame_seconds"] > 0 and row["test"]["psnr"] > 5 for row in rows.values())
    assert all(row["device_memory"] is None for row in rows.values()), "a CPU has no such memory"
    assert {"products", "reads", "additions", "copies"} <= set(result["ceilings"])
    assert len(result["kernels"]) > 5
    page = list_results.made(tmp_path / "out")
    assert page.count("\n| ") == 2 + len(rows) + 2 + len(result["kernels"])


@pytest.mark.usefixtures("no_processes")
@pytest.mark.parametrize(
    ("targets", "teacher_budget", "made"),
    [
        (None, None, [("images", "hash", 2), ("images", "hash", 1)]),
        ("cp", None, [("images", "hash", 1), ("hash", "cp", 2), ("hash", "cp", 1)]),
        ("cp", "0.25s", [("images", "hash", 4), ("hash", "cp", 2), ("hash", "cp", 1)]),
    ],
)
def test_budgets_gives_growing_parts_to_teachers_or_to_students(
    capture, tmp_path, monkeypatch, targets, teacher_budget, made
):
    monkeypatch.setattr(budgets, "PARTS", (2, 1))
    arguments = BenchArguments(
        what="budgets",
        capture=capture,
        out=tmp_path / "out",
        budget="1s",
        targets=targets,
        teacher_budget=teacher_budget,
        device="cpu",
    )
    result = bench.run(arguments, Job(tmp_path / "job"))
    assert [(row["from"], row["to"], 1 / row["budget"]) for row in result["rows"]] == made
    for row in result["rows"]:
        assert row["spent"] == row["seconds"] / row["budget"]
        assert row["process_spent"] == 1.0 / row["budget"]  # as the process is made up
        assert ("psnr_to_source" in row["test"]) == (row["from"] == "hash")
        part = f"{row['from']}-to-{row['to']}-part-{round(1 / row['budget'])}"
        name = "hash-teacher" if targets and row["from"] == "images" else part
        request = json.loads((tmp_path / "out" / f"{name}.job" / "request.json").read_text())
        assert request["arguments"]["budget"] == f"{row['budget']:.3f}s"
    assert len(result["table"].splitlines()) == 2 + len(made)
    page = list_results.made(tmp_path / "out")
    assert page.count("\n| ") == 2 + len(made)
    assert f"| {result['rows'][0]['test']['psnr']:.2f} |" in page


def test_a_result_names_its_machine_and_the_command_that_makes_it_again(matrix):
    _, folder, _ = matrix
    kept = json.loads((folder / "matrix.json").read_text(encoding="utf-8"))
    assert kept["command"] == (
        f"pvd bench matrix {kept['capture']} --device cpu --budget 1s "
        "--sources sparse_tensor,hash --targets hash"
    )
    assert (kept["width"], kept["height"], kept["seed"], kept["device"]) == (24, 24, 0, "cpu")
    assert kept["name"] and kept["threads"] >= 1
    assert abs(date.fromisoformat(kept["date"]) - datetime.now(UTC).date()) < timedelta(days=2)
    assert str(folder) not in json.dumps(kept)


def train_arguments(capture, folder):
    return TrainArguments(
        capture=capture, arch="hash", out=folder / "t.safetensors", steps=10**6, device="cpu"
    )


def test_a_stopped_job_stops_its_process_at_a_checkpoint(capture, tmp_path):
    with pytest.raises(Cancelled):
        run_child(
            "train",
            train_arguments(capture, tmp_path),
            tmp_path / "t.job",
            StoppingJob(tmp_path / "job", 2),
        )
    assert has_checkpoints(tmp_path / "t.job")
    assert not (tmp_path / "t.safetensors").exists()


def test_a_process_that_fails_is_reported_in_one_sentence(tmp_path):
    arguments = train_arguments(tmp_path / "none", tmp_path)
    with pytest.raises(UserError, match=r"^t failed: .*none does not exist"):
        run_child("train", arguments, tmp_path / "t.job", Job(tmp_path / "job"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_the_peak_of_a_process_does_not_hold_what_its_parent_had():
    mine = bytearray(300 << 20)
    mine[:: 1 << 12] = b"x" * len(mine[:: 1 << 12])
    text = "b = bytearray(b'x') * (64 << 20); del b; print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert 64 << 20 < peak_memory(process.pid) < 128 << 20


def test_what_is_missing_or_unknown_is_reported(capture, tmp_path):
    job = Job(tmp_path / "job")
    with pytest.raises(UserError, match="--out"):
        bench.run(BenchArguments(what="speed", capture=capture, device="cpu"), job)
    wrong = BenchArguments(
        what="matrix", capture=capture, out=tmp_path, sources="hash,bogus", device="cpu"
    )
    with pytest.raises(UserError, match="bogus"):
        bench.run(wrong, job)
    several = BenchArguments(
        what="speed", capture=capture, out=tmp_path, sources="hash,mlp", device="cpu"
    )
    with pytest.raises(UserError, match="--sources"):
        bench.run(several, job)
    with pytest.raises(UserError, match="--seeds"):
        BenchArguments(what="speed", seeds=0)
