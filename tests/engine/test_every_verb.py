"""Every verb runs end to end through the real command line, with every format that it can write."""

import json
from typing import get_args, get_type_hints

import imageio.v3 as iio
import numpy as np
import pytest
from capture_files import write_json
from engine_process import pvd, start, write_disc_capture, write_request
from splat_clouds import ball_of_splats

from pvd_engine.cli import VERBS
from pvd_engine.data.formats.cameras_json import camera_to_dict
from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.data.readers import open_capture
from pvd_engine.exchange.splats.splat_files import write_splats
from pvd_engine.fields.architectures import light_field
from pvd_engine.fields.header import read_header
from pvd_engine.fields.light_field import LightField, Reach, bordered_occupancy
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.verbs.export import ExportArguments
from pvd_engine.verbs.rewrite import RewriteArguments
from tests.made_once import once


@pytest.fixture(scope="module")
def made(shared):
    """A folder with a capture and a teacher, to read and not to change."""

    def make(folder):
        write_disc_capture(folder / "disc", count=9)
        teacher = folder / "teacher.safetensors"
        answer("train", folder / "disc", "--arch", "hash", "--steps", 12, "--out", teacher)

    return once(shared / "verbs", make)


def answer(*words, **options):
    """The JSON with which a command ends; it must not fail."""
    result = pvd(*words, "--json", **options)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def train(made, tmp_path):
    assert read_header(made / "teacher.safetensors")["kind"] == "radiance_field"


def info(made, tmp_path):
    assert len(answer("info", made / "disc")["capture"]["views"]) == 9
    assert answer("info", made / "teacher.safetensors")["field"]["kind"] == "radiance_field"
    assert answer("info", "--device", "cpu")["device"]["type"] == "cpu"


def compile(made, tmp_path):
    assert answer("compile")["devices"][0] == "cpu"


def rewrite(made, tmp_path):
    formats = get_args(get_type_hints(RewriteArguments)["to"])
    assert formats
    for name in formats:
        answer("rewrite", made / "disc", "--to", name, "--out", tmp_path / name)
        assert len(open_capture(tmp_path / name).views) == 9


def convert(made, tmp_path):
    out = tmp_path / "vm.safetensors"
    words = ("--to", "vm", "--no-projection", "--capture", made / "disc", "--steps", 2)
    told = answer("convert", made / "teacher.safetensors", *words, "--out", out)
    assert read_header(out)["architecture"]["name"] == "vm"
    report = json.loads((tmp_path / "vm.report.json").read_text(encoding="utf-8"))
    assert report["times"]["steps"] == told["steps"] == 2
    assert (tmp_path / "vm.report.html").read_text(encoding="utf-8").startswith("<!")


def edit(made, tmp_path):
    region = {"sphere": {"center": [0, 0, 0], "radius": 0.2}}
    write_json(tmp_path / "edits.json", [{"op": "erase", "region": region}])
    out = tmp_path / "edited.safetensors"
    answer("edit", made / "teacher.safetensors", "--edits", tmp_path / "edits.json", "--out", out)
    assert read_header(out)["kind"] == "edited_field"


def floaters(made, tmp_path):
    out = tmp_path / "floaters.npz"
    answer("floaters", made / "teacher.safetensors", "--resolution", 16, "--out", out)
    assert {"density", "box", "vertices", "faces"} == set(np.load(out))


def merge(made, tmp_path):
    out = tmp_path / "merged.safetensors"
    fields = [made / "teacher.safetensors"] * 2
    write_json(tmp_path / "placements.json", [np.eye(4).tolist()] * 2)
    told = answer("merge", *fields, "--placements", tmp_path / "placements.json", "--out", out)
    assert told["parts"] == 2
    assert read_header(out)["kind"] == "merged_field"


def volume(made, tmp_path):
    out = tmp_path / "volume.npz"
    answer("volume", made / "teacher.safetensors", "--resolution", 16, "--out", out)
    assert np.load(out)["density"].shape == (16, 16, 16)


def render(made, tmp_path):
    words = ("--capture", made / "disc", "--split", "test", "--out", tmp_path / "pictures")
    told = answer("render", made / "teacher.safetensors", *words)
    assert iio.imread(tmp_path / "pictures" / told["images"][0]).shape[:2] == (24, 24)


def compare(made, tmp_path):
    field = made / "teacher.safetensors"
    words = ("--reference", field, "--capture", made / "disc", "--out", tmp_path / "d")
    told = answer("compare", field, *words)
    assert told["psnr"] is None, "a field is equal to itself"
    assert (tmp_path / "d" / told["images"][0]).is_file()


def measure(made, tmp_path):
    told = answer("eval", made / "teacher.safetensors", "--capture", made / "disc")
    assert told["views"] and told["psnr"] > 0


def export(made, tmp_path):
    light = tmp_path / "light.safetensors"
    spec = light_field("small", points=4, interval="occupied", skip_empty=True)
    spec["network"] = {"width": 16, "depth": 4}
    teacher = load_field(made / "teacher.safetensors")
    views = open_capture(made / "disc").views
    region = PoseDistribution.from_cameras([view.camera for view in views]).to_json()
    reach = Reach(0.5, 4.0, teacher.box.tolist(), region)
    save_field(light, LightField(spec, bordered_occupancy(teacher.occupancy), reach))
    for name in get_args(get_type_hints(ExportArguments)["to"]):
        out = tmp_path / f"made.{name}"
        field = light if name == "onnx" else made / "teacher.safetensors"
        told = answer("export", field, "--to", name, "--splats", 500, "--out", out)
        assert told["size"] == out.stat().st_size > 0


def import_splats(made, tmp_path):
    write_splats(ball_of_splats(200), tmp_path / "cloud.ply")
    out = tmp_path / "field.safetensors"
    told = answer("import", tmp_path / "cloud.ply", "--out", out)
    assert told["splats"] == 200
    assert read_header(out)["kind"] == "gaussians"


def undistort(made, tmp_path):
    view = open_capture(made / "disc").views[0]
    write_json(tmp_path / "camera.json", camera_to_dict(view.camera))
    out = tmp_path / "pinhole.png"
    answer("undistort", view.image_path, "--camera", tmp_path / "camera.json", "--out", out)
    assert iio.imread(out).shape[:2] == (24, 24)


def bench(made, tmp_path):
    out = tmp_path / "bench"
    words = ("--budget", "1s", "--sources", "hash", "--targets", "hash", "--out", out)
    told = answer("bench", "matrix", made / "disc", *words)
    assert told["table"]
    assert (out / "matrix.json").is_file()


CASES = {
    **{
        case.__name__: case
        for case in (
            train,
            info,
            compile,
            rewrite,
            convert,
            edit,
            floaters,
            merge,
            volume,
            render,
            compare,
            export,
            undistort,
            bench,
        )
    },
    "eval": measure,
    "import": import_splats,
}


def test_every_verb_has_a_case():
    assert set(CASES) == set(VERBS)


@pytest.mark.parametrize("verb", CASES)
def test_a_verb_runs_through_the_command_line(verb, made, tmp_path):
    CASES[verb](made, tmp_path)


def test_a_request_runs_through_the_command_line(made, tmp_path):
    job = write_request(tmp_path / "job", "info", path=made / "disc")
    assert len(answer("run", job)["capture"]["views"]) == 9


def test_pictures_are_served_through_the_command_line(made, tmp_path):
    camera = camera_to_dict(open_capture(made / "disc").views[0].camera)
    request = {"id": 1, "field": str(made / "teacher.safetensors"), "camera": camera}
    with start("serve", "--device", "cpu") as server:
        server.stdin.write(json.dumps(request | {"out": str(tmp_path / "picture.npy")}) + "\n")
        server.stdin.flush()
        assert json.loads(server.stdout.readline())["type"] == "picture"
        server.stdin.close()  # upon which the server ends
    assert np.load(tmp_path / "picture.npy").shape == (24, 24, 5)
    assert server.returncode == 0


@pytest.mark.slow
def test_kernels_are_measured_through_the_command_line(tmp_path):
    told = answer("bench", "kernels", "--device", "cpu", "--out", tmp_path)
    assert "hash" in told["table"]
