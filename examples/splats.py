"""A field as splats of Blender, cut by nodes and moved, and back: what each step costs, in dB.

    PVD_ENGINE_PYTHON=<engine's python> python examples/splats.py lego --out splats_output

Run it in an environment with Blender 5.3 or later. The field becomes a splat object. Cycles and the
engine draw it from test cameras of the capture, and both pictures are compared with the field's
own. Then geometry nodes cut the object, it is moved, becomes a field and is converted; the picture
is compared with that of the field with the same edits. It leaves ``metrics.json``, pictures and
``splats.blend`` in the output folder.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import numpy as np
from bpy.types import Object
from mathutils import Matrix
from script_api import add_on_api, parse

SAMPLES = 64
"""Samples a pixel of Cycles; a second picture with another seed tells their noise."""

CUT = 0.5
"""Part of the height of the capture's box, from below, that is cut off."""

LENS = ("lens", "sensor_fit", "sensor_width", "shift_x", "shift_y")
"""Properties of a camera that make its picture, whatever its size."""

MOVE = Matrix.Translation((0.1, 0.05, 0.0)) @ Matrix.Rotation(0.4, 4, "Z")
"""Movement of the cut object in the capture's frame."""


def pixels(image: bpy.types.Image) -> np.ndarray:
    """Return an image's own values (H, W, 4), rows downwards."""
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(height, width, 4)[::-1]


def on_white(straight: np.ndarray) -> np.ndarray:
    """Return straight display colours with alpha over white."""
    return straight[..., :3] * straight[..., 3:] + 1 - straight[..., 3:]


def encoded(linear: np.ndarray) -> np.ndarray:
    """Return linear light as sRGB."""
    linear = np.clip(linear, 0, None)
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the PSNR of two pictures in dB."""
    return float(-10 * np.log10(np.square(first.clip(0, 1) - second.clip(0, 1)).mean()))


def without_noise(first: np.ndarray, second: np.ndarray, other: np.ndarray) -> float:
    """Return the PSNR in dB that a picture would have without the noise that differs in two."""
    return float(-10 * np.log10(((first - other) * (second - other)).mean()))


def by_cycles(path: Path, seed: int) -> np.ndarray:
    """Render the scene with Cycles; return premultiplied linear light (H, W, 4)."""
    scene = bpy.context.scene
    scene.render.engine, scene.render.film_transparent = "CYCLES", True
    scene.cycles.samples, scene.cycles.seed = SAMPLES, seed
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return pixels(bpy.data.images.load(str(path)))


def display(premultiplied: np.ndarray) -> np.ndarray:
    """Return linear light (H, W, 4) as straight display colours, as a viewer of splats has them."""
    alpha = premultiplied[..., 3:]
    return np.concatenate([encoded(premultiplied[..., :3] / np.maximum(alpha, 1e-6)), alpha], -1)


def cut_by_nodes(item: Object, height: float) -> None:
    """Delete an object's points below a height with geometry nodes."""
    tree = bpy.data.node_groups.new("Cut", "GeometryNodeTree")
    for kind in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Splats", in_out=kind, socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    delete = tree.nodes.new("GeometryNodeDeleteGeometry")
    position = tree.nodes.new("GeometryNodeInputPosition")
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    below = tree.nodes.new("FunctionNodeCompare")
    below.operation = "LESS_THAN"
    below.inputs[1].default_value = height
    for source, target in (
        (position.outputs[0], parts.inputs[0]),
        (parts.outputs["Z"], below.inputs[0]),
        (below.outputs[0], delete.inputs["Selection"]),
        (start.outputs[0], delete.inputs["Geometry"]),
        (delete.outputs[0], end.inputs[0]),
    ):
        tree.links.new(source, target)
    item.modifiers.new("Cut", "NODES").node_group = tree


def same_edits(box: np.ndarray, height: float) -> list[dict]:
    """Return the cut and the movement as entries of an ``edits.json``."""
    low, high = box[0] - 100, box[1] + 100
    below = {"min": low.tolist(), "max": [*high[:2].tolist(), height]}
    kept = {"min": [*low[:2].tolist(), height], "max": high.tolist()}
    return [
        {"op": "erase", "region": {"box": below}},
        {"op": "move", "region": {"box": kept}, "to": [list(row) for row in MOVE]},
    ]


def plain_camera(seen: Object) -> Object:
    """Return a new camera that sees what a square camera of a capture sees, at any size."""
    data = bpy.data.cameras.new(seen.name)
    for name in LENS:
        setattr(data, name, getattr(seen.data, name))
    item = bpy.data.objects.new(seen.name, data)
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.update()
    item.matrix_world = seen.matrix_world
    return item


class Comparison:
    """Pictures of fields and splats from the test cameras of a capture, and their PSNR.

    Parameters
    ----------
    api : module
    frame : Object
        The capture's frame.
    out : Path
        Folder for pictures.
    views : int
        Number of cameras.
    size : int
        Width and height of the pictures, pixels.
    """

    def __init__(self, api: ModuleType, frame: Object, out: Path, views: int, size: int) -> None:
        cameras = [item for item in frame.children if item.type == "CAMERA"]
        tests = [item for item in cameras if item.name.startswith("test")] or cameras
        chosen = [tests[i] for i in np.linspace(0, len(tests) - 1, views).astype(int)]
        self._cameras = [plain_camera(item) for item in chosen]
        self._api, self._frame, self._out = api, frame, out
        scene = bpy.context.scene
        scene.render.resolution_x = scene.render.resolution_y = size

    def of_field(self, field: Path) -> list[np.ndarray]:
        """Return the field's pictures over white, from each camera."""
        return [
            on_white(pixels(self._api.render(self._frame, camera, field)))
            for camera in self._cameras
        ]

    def of_cycles(self, name: str, seed: int) -> list[np.ndarray]:
        """Return the scene's pictures by Cycles over white, mixed in display colour."""
        found = []
        for number, camera in enumerate(self._cameras):
            bpy.context.scene.camera = camera
            picture = by_cycles(self._out / f"{name}_{number}_{seed}.exr", seed)
            found.append(on_white(display(picture)))
        return found


def mean_psnr(*pictures: list[np.ndarray], of: Callable[..., float] = psnr) -> float:
    """Return the mean PSNR of pictures from the same cameras in dB, with two decimals."""
    return round(float(np.mean([of(*same) for same in zip(*pictures, strict=True)])), 2)


def measure(api: ModuleType, frame: Object, field: Path, values: argparse.Namespace) -> dict:
    """Go there and back, and return the figures."""
    compared = Comparison(api, frame, values.out, values.views, values.size)
    start = time.monotonic()
    item = api.show_splats(frame, field, values.splats)
    seconds = time.monotonic() - start
    own = compared.of_field(field)
    drawn = compared.of_field(api.use_as_field([item], frame))
    cycles, again = compared.of_cycles("whole", 0), compared.of_cycles("whole", 1)
    sheet = [own[0], drawn[0], cycles[0]]
    figures = {
        "splats": len(item.data.points),
        "seconds to show": round(seconds, 1),
        "drawn by the engine, PSNR to the field": mean_psnr(drawn, own),
        "drawn by Cycles, PSNR to the field": mean_psnr(cycles, own),
        "the same without noise": mean_psnr(cycles, again, own, of=without_noise),
        "Cycles without noise, PSNR to the engine": mean_psnr(
            cycles, again, drawn, of=without_noise
        ),
        # The difference of two pictures has twice the noise of one.
        "noise of Cycles, PSNR": round(mean_psnr(cycles, again) + 10 * np.log10(2), 2),
    }
    box = np.reshape(frame["pvd_box"], (2, 3))
    height = float(box[0, 2] + CUT * (box[1, 2] - box[0, 2]))
    cut_by_nodes(item, height)
    item.matrix_basis = MOVE
    edited = compared.of_field(api.apply_edits(frame, field, same_edits(box, height)))
    back = api.use_as_field([item], frame)
    drawn = compared.of_field(back)
    student = compared.of_field(
        api.convert(frame, "hash", back, budget=values.budget, report=False, fine_tune=0.0)
    )
    cycles = compared.of_cycles("edited", 0)
    sheet += [edited[0], student[0], cycles[0]]
    save_sheet(values.out / "splats.png", sheet)
    return figures | {
        "edited, drawn by the engine, PSNR to the edited field": mean_psnr(drawn, edited),
        "edited, converted to hash, PSNR to the edited field": mean_psnr(student, edited),
        "edited, drawn by Cycles, PSNR to the edited field": mean_psnr(cycles, edited),
    }


def save_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    """Save six pictures of one size as two rows of three."""
    rows = [np.concatenate(pictures[start : start + 3], axis=1) for start in (0, 3)]
    sheet = np.concatenate(rows)[::-1]
    height, width = sheet.shape[:2]
    image = bpy.data.images.new("Sheet", width, height)
    opaque = np.concatenate([sheet, np.ones((height, width, 1))], axis=-1)
    image.pixels.foreach_set(np.ascontiguousarray(opaque, np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


def main() -> None:
    """Import the capture, measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path, help="a capture's folder or transforms.json")
    parser.add_argument("--field", type=Path, help="a field of that capture; else one is trained")
    parser.add_argument("--budget", type=float, default=60, help="seconds of each training")
    parser.add_argument("--splats", type=int, help="number of splats; else the engine chooses")
    parser.add_argument("--views", type=int, default=3, help="test cameras that are compared")
    parser.add_argument("--size", type=int, default=400, help="width and height of pictures")
    parser.add_argument("--out", type=Path, required=True, help="output folder")
    values = parse(parser)
    values.out = values.out.absolute()
    values.out.mkdir(parents=True, exist_ok=True)
    api = add_on_api(values.out / "work")
    bpy.ops.wm.read_homefile(use_empty=True)
    frame = api.import_capture(values.capture)
    api.use_standard_view()
    if values.field is None:
        field = api.train(frame, "hash", budget=values.budget)
    else:
        field = api.add_field(frame, values.field.absolute())
    figures = measure(api, frame, field, values)
    bpy.ops.wm.save_as_mainfile(filepath=str(values.out / "splats.blend"))
    (values.out / "metrics.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    for name, value in figures.items():
        print(f"{name:<55}{value:>10}")


if __name__ == "__main__":
    main()
