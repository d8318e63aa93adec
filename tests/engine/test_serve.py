"""The engine as a server of pictures: one process, many requests."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from engine_process import environment

from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.cameras_json import camera_to_dict
from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.fields.architectures import architecture, light_field, make_field
from pvd_engine.fields.light_field import LightField, Reach, bordered_occupancy
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.render.render import render_image
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

LEFT = {"op": "erase", "region": {"box": {"min": [-2, -2, -2], "max": [0, 2, 2]}}}


def camera(side=24):
    """At z = 4, looking at the origin."""
    pose = np.eye(4)
    pose[2, 3] = 4.0
    return Camera(
        camera_to_world=pose, width=side, height=side, fx=side, fy=side, cx=side / 2, cy=side / 2
    )


@pytest.fixture(scope="module")
def field_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("served") / "field.safetensors"
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    save_field(path, make_field(architecture("hash", "small"), BoxMap(box)))
    return path


class Server:
    """The real process."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pvd_engine", "serve", "--device", "cpu", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def say(self, *requests):
        for request in requests:
            line = request if isinstance(request, str) else json.dumps(request)
            self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, request):
        self.say(request)
        return self.answer()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.process.stdin.close()
    assert server.process.wait(timeout=20) == 0, "it ends with its input"


def request(number, field, out, /, **changes):
    values = {
        "id": number,
        "field": str(field),
        "out": str(out),
        "camera": camera_to_dict(camera()),
    }
    return values | changes


def test_a_picture_is_what_rendering_gives(server, field_file, tmp_path):
    out = tmp_path / "picture.npy"
    answer = {"type": "picture", "id": 1, "out": str(out), "warnings": []}
    assert server.ask(request(1, field_file, out)) == answer
    pixels, image = np.load(out), render_image(load_field(field_file), camera())
    assert pixels.dtype == np.float32 and pixels.shape == (24, 24, 5)
    assert np.allclose(pixels[..., :3], image.color, atol=1e-5)
    assert np.allclose(pixels[..., 3], image.alpha, atol=1e-5)
    assert np.allclose(pixels[..., 4], image.depth, atol=1e-3)
    assert image.alpha.max() > 0.1


def test_a_light_field_seen_from_where_it_was_not_taught_is_reported(server, tmp_path):
    box = [[-1.0] * 3, [1.0] * 3]
    near, far = camera(), camera()
    far.camera_to_world[2, 3] = 40.0
    region = PoseDistribution.from_cameras([near, near]).to_json()
    path, out = tmp_path / "light.safetensors", tmp_path / "picture.npy"
    occupancy = bordered_occupancy(OccupancyGrid(BoxMap(torch.tensor(box)), 16))
    spec = light_field("small", 8, "occupied", True, "hash")
    save_field(path, LightField(spec, occupancy, Reach(2.0, 6.0, box, region)))
    assert server.ask(request(1, path, out))["warnings"] == []
    (told,) = server.ask(request(2, path, out, camera=camera_to_dict(far)))["warnings"]
    assert "outside the region" in told


def test_edits_show_at_once_and_go_again(server, field_file, tmp_path):
    outs = [tmp_path / f"{name}.npy" for name in "abc"]
    for number, (out, edits) in enumerate(zip(outs, ([], [LEFT], []), strict=True)):
        assert server.ask(request(number, field_file, out, edits=edits))["type"] == "picture"
    before, edited, after = (np.load(out)[..., 3] for out in outs)
    assert np.array_equal(before, after)
    assert edited[:, :8].max() == 0 and np.allclose(edited[:, 18:], before[:, 18:], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"field": "nowhere.safetensors"}, "nowhere.safetensors"),
        ({"camera": {"width": 3}}, "camera"),
        ({"camera": None}, "camera must be an object"),
        ({"edits": [{"op": "dance"}]}, "Edit 1"),
        ({"out": "picture.txt"}, ".npy"),
        ({"id": "one"}, "number as its id"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_the_next_one_is_served(
    server, field_file, tmp_path, changes, sentence
):
    wrong = server.ask(request(1, field_file, tmp_path / "a.npy", **changes))
    assert wrong["type"] == "failed" and sentence in wrong["message"]
    assert not list(tmp_path.iterdir())
    assert server.ask(request(2, field_file, tmp_path / "b.npy"))["type"] == "picture"


@pytest.mark.parametrize("line", ["picture please", "null", "[]", "7"])
def test_what_is_no_request_is_one_sentence(server, line):
    assert server.ask(line)["type"] == "failed"


def test_what_is_cancelled_is_given_up(server, field_file, tmp_path):
    large = camera_to_dict(camera(3000))
    out = tmp_path / "large.npy"
    server.say(request(77, field_file, out, camera=large), {"cancel": 77})
    assert server.answer() == {"type": "cancelled", "id": 77}
    assert not out.exists()


def test_it_ends_without_requests():
    server = Server("--idle", "0.5")
    assert server.process.wait(timeout=30) == 0
