"""The command line as its user meets it: words in, real files, sentences and exit codes out.

Most commands run in the process of the tests; `test_every_verb.py` and `test_jobs_run.py` start
processes of their own.
"""

import inspect
import json
import subprocess
import sys

import pytest
from capture_files import write_json
from engine_process import (
    change_capture,
    environment,
    files_below,
    read_json,
    write_disc_capture,
    write_request,
)
from short_teachers import run_train

from pvd_engine.cli import VERBS, RunCommand, main
from pvd_engine.fields.storage import load_any_field, save_field

HELP = {name: verb.arguments for name, verb in VERBS.items()} | {"run": RunCommand}


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A field of the disc, trained for some steps."""
    folder = tmp_path_factory.mktemp("field")
    capture = write_disc_capture(folder / "ball", count=9)
    out = folder / "t.safetensors"
    run_train(capture, out, steps=12)
    return capture, out


def refused(result, *words):
    """One sentence on standard error, nothing else, and a failing exit code."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].endswith(".")
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize("name", HELP)
def test_the_help_of_every_command_teaches(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert inspect.cleandoc(HELP[name].__doc__).splitlines()[0] in text
    assert f"Example: pvd {name} " in text
    assert "--json" in text


def test_the_help_of_all_names_each_command(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(f"• {name}" in text for name in (*HELP, "serve"))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["bogus"], "bogus"),
        (["train", "lego"], "--out"),
        (["train", "lego", "--out", "t.safetensors", "--steps", "many"], "--steps"),
        (["info", "--device", "cpu", "cuda"], "one DEVICE at most"),
        (["train", "lego", "--out", "t.safetensors", "--stepz", "3"], "--stepz"),
        (["bench", "everything"], "everything"),
        (["run"], "JOB"),
    ],
)
def test_wrong_usage_gives_a_short_message(words, hint, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    text = capsys.readouterr().err
    assert end.value.code == 2
    assert hint in text
    assert len(text.splitlines()) < 20


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--budget", "soon"], "budget 'soon'"),
        (["--budget", "3m", "--steps", "5"], "not both"),
        (["--seed", "-1"], "--seed"),
        (["--out", "t.pt"], ".safetensors"),
    ],
)
def test_arguments_that_make_no_sense_are_one_sentence(words, hint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "lego", "--out", "t.safetensors", *words]) == 1
    text = capsys.readouterr().err
    assert hint in text
    assert len(text.splitlines()) == 1
    assert files_below(tmp_path) == []


def test_info_does_not_wait_for_torch(tmp_path):
    write_disc_capture(tmp_path / "ball")
    script = "import sys; from pvd_engine.cli import main; code = main(sys.argv[1:])\n"
    script += "sys.exit(code or ('torch' in sys.modules or 'warp' in sys.modules) * 9)"
    result = subprocess.run(
        [sys.executable, "-c", script, "info", str(tmp_path / "ball"), "--json"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    capture = json.loads(result.stdout)["capture"]
    assert capture["counts"] == {"train": 5, "val": 0, "test": 1}
    assert files_below(tmp_path) == files_below_ball(tmp_path)


IMPORTS = """
import sys
from pvd_engine.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(*sys.modules, file=open("known.txt", "w"))
sys.exit(code)
"""


def imported(folder, *words):
    """Return the modules that a command has imported when it ends."""
    command = [sys.executable, "-c", IMPORTS, *map(str, words)]
    subprocess.run(command, check=True, capture_output=True, env=environment(), cwd=folder)
    return set((folder / "known.txt").read_text().split())


def test_help_waits_for_no_large_library(tmp_path):
    assert not imported(tmp_path, "--help") & {"torch", "numpy", "PIL", "imageio", "scipy"}


def test_a_training_imports_nothing_that_it_does_not_use(tmp_path):
    write_disc_capture(tmp_path / "ball")
    words = ("train", "ball", "--steps", 2, "--device", "cpu", "--out", "t.safetensors")
    unused = {"torch._dynamo", "sympy", "scipy", "skimage", "onnx", "torchvision"}
    assert not imported(tmp_path, *words) & unused


def files_below_ball(folder):
    return [name for name in files_below(folder) if name.startswith("ball")]


def missing_matrices(content):
    for entry in content["frames"]:
        del entry["transform_matrix"]


def nan_poses(content):
    for entry in content["frames"]:
        entry["transform_matrix"][0][3] = float("nan")


def one_image(content):
    del content["frames"][1:]


@pytest.mark.parametrize("verb", ["info", "train"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (missing_matrices, ["transform_matrix", "missing"]),
        (nan_poses, ["transforms.json", "must be a finite number"]),
    ],
    ids=["matrix", "nan"],
)
def test_a_broken_capture_is_one_sentence_and_leaves_nothing(
    run_here, tmp_path, verb, change, words
):
    capture = change_capture(write_disc_capture(tmp_path / "ball"), change)
    before = files_below(tmp_path)
    out = [] if verb == "info" else ["--steps", 3, "--out", tmp_path / "t.safetensors"]
    refused(run_here(verb, capture, *out), *words)
    assert files_below(tmp_path) == before


def test_one_image_is_not_enough_to_train(run_here, tmp_path):
    capture = change_capture(write_disc_capture(tmp_path / "ball"), one_image)
    before = files_below(tmp_path)
    refused(run_here("train", capture, "--steps", 3, "--out", tmp_path / "t.safetensors"), "one")
    assert files_below(tmp_path) == before


def test_a_truncated_picture_is_named_and_leaves_nothing(run_here, tmp_path):
    capture = write_disc_capture(tmp_path / "ball", size=200)
    picture = capture / "images" / "002.png"
    picture.write_bytes(picture.read_bytes()[:300])
    before = files_below(tmp_path)
    result = run_here("train", capture, "--steps", 3, "--out", tmp_path / "t.safetensors")
    refused(result, "002.png")
    assert files_below(tmp_path) == before


def test_a_wrong_folder_is_one_sentence_in_text_and_in_json(run_here, tmp_path):
    result = run_here("train", tmp_path / "no", "--out", tmp_path / "t.safetensors", "--json")
    refused(result, "does not exist")
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["status"] == "failed"
    assert told["error"]["message"] == result.stderr.strip()
    assert files_below(tmp_path) == []


def test_pictures_without_alpha_are_fine_and_a_request_holds_absolute_paths(run_here, tmp_path):
    capture = write_disc_capture(tmp_path / "ball", alpha=False)
    result = run_here("train", "ball", "--steps", 2, "--out", "t.safetensors", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "t.safetensors").is_file()
    job = tmp_path / "t.safetensors.job"
    request = read_json(job / "request.json")
    assert request["verb"] == "train"
    assert request["arguments"]["capture"] == str(capture)
    assert request["arguments"]["out"] == str(tmp_path / "t.safetensors")
    assert read_json(job / "result.json")["status"] == "done"


def test_an_output_that_cannot_be_written_is_reported_before_the_work(run_here, tmp_path):
    capture = write_disc_capture(tmp_path / "ball")
    (tmp_path / "t.safetensors").mkdir()
    result = run_here("train", capture, "--budget", "1h", "--out", tmp_path / "t.safetensors")
    refused(result, "is a folder")


@pytest.mark.skipif(sys.platform != "linux", reason="there is no folder that root cannot write to")
@pytest.mark.parametrize(
    "out", ["/proc/t", "/proc/new/t", "file/t", "file/new/t", "n" * 243, "n" * 300]
)
@pytest.mark.parametrize("verb", ["volume", "train", "rewrite"])
def test_a_place_that_cannot_be_written_is_found_before_the_work(run_here, tmp_path, verb, out):
    (tmp_path / "file").touch()
    words = {"train": ["--steps", 5], "rewrite": ["--to", "colmap"]}.get(verb, [])
    suffix = {"train": ".safetensors", "volume": ".npz"}.get(verb, "")
    path = tmp_path / f"{out}{suffix}"
    result = run_here(verb, tmp_path / "nothing", *words, "--out", path)
    refused(result, "cannot be")
    assert "nothing" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("verb", ["info", "render", "eval"])
def test_what_is_no_field_file_is_one_sentence(run_here, tmp_path, verb):
    capture = write_disc_capture(tmp_path / "ball")
    broken = tmp_path / "b.safetensors"
    broken.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    words = {"info": [], "eval": ["--capture", capture]}
    words["render"] = [*words["eval"], "--out", tmp_path / "o"]
    refused(run_here(verb, broken, *words[verb]), "is not a field file")
    assert not (tmp_path / "o").exists()


def test_info_describes_a_field(run_here, field):
    _, out = field
    result = run_here("info", out, "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)["field"]
    assert told["architecture"]["name"] == "hash"
    assert told["size"] == out.stat().st_size
    assert told["parameters"] > 10_000
    assert told["provenance"]["capture"] == "ball"


ESCAPES = "red\x1b[31m, \x9b2J cleared, \u202ebackwards\r"
OBEYED = {*"\x1b\x9b\u202e\r"}
"""Characters of it that a terminal obeys."""


def test_escapes_in_files_and_names_never_reach_the_terminal(run_here, field, tmp_path):
    stranger = load_any_field(field[1])
    stranger.header["provenance"] = {"capture": ESCAPES}
    path = tmp_path / "stranger.safetensors"
    save_field(path, stranger)
    shown = run_here("info", path).stdout
    assert "red\\u001b[31m, \\u009b2J cleared, \\u202ebackwards\\u000d" in shown
    assert not {*shown} & OBEYED
    shown = run_here("info", path, "--json").stdout
    assert json.loads(shown)["field"]["provenance"]["capture"] == ESCAPES
    assert not {*shown} & OBEYED

    (tmp_path / "job").mkdir()  # so that it is kept with its log
    result = run_here("info", tmp_path / ESCAPES, "--job", tmp_path / "job")
    refused(result, "red\\u001b[31m")
    log = (tmp_path / "job" / "engine.log").read_text(encoding="utf-8")
    assert "red\\u001b[31m" in log
    assert not {*log, *result.stderr} & OBEYED


def test_render_writes_each_view_under_its_own_name(run_here, field, tmp_path):
    from PIL import Image

    capture, out = field
    result = run_here(
        "render", out, "--capture", capture, "--split", "test", "--out", tmp_path / "o"
    )
    assert result.returncode == 0, result.stderr
    assert "view/s" in result.stderr
    names = [
        view["name"] for view in capture_info(run_here, capture)["views"] if view["split"] == "test"
    ]
    assert len(names) == 2
    pictures = [name for name in files_below(tmp_path / "o") if name.endswith(".png")]
    assert pictures == sorted(f"{name}.png" for name in names)
    with Image.open(tmp_path / "o" / pictures[0]) as picture:
        assert picture.mode == "RGBA"
        assert picture.size == (24, 24)


def test_eval_is_the_mean_of_its_views_and_agrees_with_rendered_pictures(run_here, field, tmp_path):
    """PSNR by its formula from the PNG files, which are rounded to 8 bits."""
    import imageio.v3 as iio
    import numpy as np

    capture, out = field
    result = run_here("eval", out, "--capture", capture, "--split", "test", "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    meaning = {"compared_with", "measured_on"}
    assert told.keys() == {"downscale", "psnr", "ssim", "views", "outside", "warnings"} | meaning
    count = len(told["views"])
    assert told["measured_on"] == f"{count} test view{'s' * (count != 1)}, 24 px"
    assert told["compared_with"] == "images"
    assert told["psnr"] == pytest.approx(np.mean([view["psnr"] for view in told["views"]]))
    assert told["ssim"] == pytest.approx(np.mean([view["ssim"] for view in told["views"]]))
    run_here("render", out, "--capture", capture, "--out", tmp_path)

    def on_white(path):
        rgba = iio.imread(path, mode="RGBA").astype(np.float64) / 255
        return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]

    for view in told["views"]:
        picture, truth = (on_white(root / f"{view['name']}.png") for root in (tmp_path, capture))
        expected = -10 * np.log10(np.mean((picture - truth) ** 2))
        assert view["psnr"] == pytest.approx(expected, abs=0.05)


def capture_info(run_here, capture):
    return json.loads(run_here("info", capture, "--json").stdout)["capture"]


def test_render_from_a_cameras_json(run_here, field, tmp_path):
    capture, out = field
    camera = capture_info(run_here, capture)["views"][0]["camera"] | {"name": "front/left"}
    cameras = write_json(tmp_path / "cameras.json", {"cameras": [camera]})
    result = run_here("render", out, "--cameras", cameras, "--out", tmp_path / "o", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["images"] == ["front/left.png"]
    assert (tmp_path / "o" / "front" / "left.png").is_file()


def test_a_split_without_views_is_one_sentence(run_here, field, tmp_path):
    capture, out = field
    result = run_here(
        "render", out, "--capture", capture, "--split", "val", "--out", tmp_path / "o"
    )
    refused(result, "val")
    refused(run_here("eval", out, "--capture", capture, "--split", "val"), "val")
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verb": "explode"}, ["explode"]),
        ({"verb": ["train"]}, ["verb"]),
        ({"protocol": 99}, ["protocol 99"]),
        ({"extra": 1}, ["'extra'"]),
        ({"arguments": {"path": "x", "depth": 3}}, ["'depth'"]),
        ({"arguments": {}}, ["'path'"]),
    ],
)
def test_a_wrong_request_ends_with_hello_and_a_result(run_here, tmp_path, change, words):
    job = write_request(tmp_path / "job", "info", path=tmp_path)
    write_json(job / "request.json", read_json(job / "request.json") | change)
    result = run_here("run", job)
    refused(result, *words)
    kinds = [json.loads(line)["type"] for line in result.stdout.splitlines()]
    assert kinds == ["hello", "end"]
    told = read_json(job / "result.json")
    assert told["status"] == "failed"
    assert told["error"]["message"] == result.stderr.strip()


@pytest.mark.parametrize("text", [None, "", "[]", "{", "null"])
def test_a_folder_without_a_request_is_refused(run_here, tmp_path, text):
    if text is not None:
        (tmp_path / "request.json").write_text(text)
    refused(run_here("run", tmp_path), "request.json")
    refused(run_here("run", tmp_path / "none"), "request.json")
    assert not (tmp_path / "none").exists()
