"""The cases of wrong pictures that users met, each with its right value."""

import csv
from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender.engine_run import printed


def stored(path):
    """The pixels of a PNG as its file holds them, (H, W, 4) of 0 to 255, rows downwards."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    width, height = image.size
    values = np.array(image.pixels[:]).reshape(height, width, 4)[::-1]
    return np.rint(values * 255).astype(int)


@pytest.fixture
def seen(api, trained, teacher, capture, warm_python, tmp_path):
    """The first camera of a capture in a scene with the settings of a new file, and the picture
    from it that the command line renders."""
    camera = next(item for item in trained.children if item.type == "CAMERA")
    api.look_through(camera)
    view = bpy.context.scene.view_settings
    assert (view.view_transform, view.look) == ("AgX", "None")
    out = tmp_path / "rendered"
    split = camera.name.partition("/")[0]
    words = ("render", teacher, "--capture", capture, "--split", split, "--out", out)
    printed(warm_python, "-m", "pvd_engine", *words, "--device", "cpu")
    return trained, stored(out / f"{camera.name}.png")


@pytest.mark.parametrize("view_transform", ["AgX", "Filmic", "Standard"])
def test_saved_pictures_of_a_field_equal_those_of_the_command_line(
    api, seen, tmp_path, view_transform
):
    frame, right = seen
    view = bpy.context.scene.view_settings
    view.view_transform, view.exposure = view_transform, 0.5
    picture = api.render(frame)
    assert picture.colorspace_settings.name == "sRGB", "another would look wrong on screen"
    picture.save(filepath=str(tmp_path / "saved.png"))
    assert right[..., 3].max() > 100
    np.testing.assert_array_equal(stored(tmp_path / "saved.png"), right)


def test_f12_equals_the_command_line_once_standard_is_used(api, seen, tmp_path):
    _, right = seen
    scene = bpy.context.scene
    scene.render.engine, scene.render.film_transparent = "CONVERT_FIELD", True
    scene.render.image_settings.color_mode = "RGBA"
    differences = {}
    for name in ("AgX", "Standard"):
        scene.render.filepath = str(tmp_path / f"{name}.png")
        bpy.ops.render.render(write_still=True)
        found = stored(tmp_path / f"{name}.png")
        opaque = right[..., 3] > 250
        differences[name] = np.abs(found - right)[opaque].max()
        bpy.ops.convert_field.use_standard_view()
    assert differences["Standard"] <= 2
    assert differences["AgX"] > 10


CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "field_cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared data is not here")
def test_cameras_in_utm_stand_as_those_of_the_same_capture_near_the_origin(api):
    found = {}
    for name in ("capture_local", "capture_utm"):
        frame = api.import_capture(CASES / "georeferenced-utm" / name)
        origin = np.array(frame.get("pvd_origin", (0.0, 0.0, 0.0)))
        items = [item for item in frame.children if item.type == "CAMERA"]
        world = {item.name[:8]: np.array(item.matrix_world, np.float64) for item in items}
        with (CASES / "georeferenced-utm" / name / "cameras.csv").open() as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            position = [float(row[key]) for key in ("x", "y", "alt")]
            item = world[Path(row["#name"]).stem]
            assert np.abs(item[:3, 3] + origin - position).max() < 1e-4
        found[name] = "pvd_origin" in frame, "origin" in frame.convert_field.notes
    assert found == {"capture_local": (False, False), "capture_utm": (True, True)}
