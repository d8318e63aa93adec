"""Merge the fields of two captures, and measure the result against both scenes together.

    PVD_ENGINE_PYTHON=<engine's python> python examples/merge.py --out merge_output

Run it in Blender's environment. It renders the demo's excavator and a blue one separately and
trains a field of each. Then it turns, scales and moves the blue volume next to the other, as an
artist would, and merges the two fields. The renders of the merged field are compared with
pictures by Cycles of both machines, and those of each field with pictures of its machine alone,
from the same cameras. It leaves ``merge.blend``, the fields, ``metrics.json`` and
``contact_sheet.png`` in the output folder.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import bpy
import demo_scene
from bpy.types import Object, Scene
from demo import SAMPLES, SEED, Clock, conditions, draw_sheet, measure, render_capture
from demo_parts import paint
from mathutils import Matrix, Vector
from sphere_cameras import sphere_cameras

OWN_VIEWS = {"train": 50, "test": 4}
# A capture needs a training view to be one.
SHARED_VIEWS = {"train": 1, "test": 8}
RESOLUTION = 200
TEACHER_SECONDS = 60
SHOWN_VIEW = "test_002"

TURN, SCALE = math.radians(140), 0.85
DISTANCES = {"apart": 2.8, "close": 1.6}
"""Distances between the middles of the machines; a machine is about 2 long."""

SLEW = math.radians(-50)
TURNTABLE = Vector((-0.14, 0.0, 0.0))
STANDING = ("Ground", "Track", "Tread", "Wheel", "Hub", "Undercarriage")
"""Names of the parts that do not turn with the cabin."""

WITHIN = 1.0
"""PSNR in dB that merging may cost."""


def place(distance: float) -> Matrix:
    """Return the transform of the blue machine in the other's scene, on the ground."""
    foot = Vector((*demo_scene.CENTER[:2], 0.0))
    move = Matrix.Translation(foot + Vector((0.3, distance, 0.0)))
    return move @ Matrix.Rotation(TURN, 4, "Z") @ Matrix.Scale(SCALE, 4) @ Matrix.Translation(-foot)


def new_scene() -> Scene:
    """Start an empty file."""
    bpy.ops.wm.read_homefile(use_empty=True)
    return bpy.context.scene


def build_blue(scene: Scene) -> list[Object]:
    """Build the other machine, in other colours and with its cabin turned."""
    paints = replace(
        demo_scene.Paints.mix(),
        yellow=paint("Blue paint", (0.03, 0.17, 0.52), 0.38, coat=0.25),
        red=paint("Green paint", (0.06, 0.33, 0.09), 0.35),
    )
    items = demo_scene.build_excavator(scene, paints)
    there = Matrix.Translation(TURNTABLE)
    turn = there @ Matrix.Rotation(SLEW, 4, "Z") @ there.inverted()
    transform([item for item in items if item.name.split(".")[0] not in STANDING], turn)
    return items


def transform(items: list[Object], matrix: Matrix) -> None:
    """Move objects by a matrix in the scene."""
    bpy.context.view_layer.update()
    for item in items:
        item.matrix_world = matrix @ item.matrix_world
    bpy.context.view_layer.update()


def build_blue_alone() -> Scene:
    """Build the scene of the blue machine, in the light that falls on it in the other's scene."""
    scene = new_scene()
    build_blue(scene)
    demo_scene.light(scene)
    back = place(0.0).to_quaternion().to_matrix().to_4x4().inverted()
    transform(list(bpy.data.collections["Lights"].objects), back)
    return scene


def build_both(where: Matrix) -> Scene:
    """Build both machines in one scene."""
    new_scene()
    scene = demo_scene.build_scene()
    transform(build_blue(scene), where)
    return scene


def own_capture(scene: Scene, folder: Path) -> Path:
    """Capture one machine as the demo does."""
    return _capture(scene, folder, OWN_VIEWS, demo_scene.CENTER, 1, Matrix())


def shared_capture(scene: Scene, folder: Path, seen_from: Matrix | None = None) -> Path:
    """Render the views of both machines, from twice as far at twice the resolution.

    A machine is then about as many pixels wide as in its own capture. `seen_from` brings the
    cameras into the scene's own frame, where that is another.
    """
    x, y, z = demo_scene.CENTER
    middle = (x + 0.15, y + DISTANCES["apart"] / 2, z)
    return _capture(scene, folder, SHARED_VIEWS, middle, 2, seen_from or Matrix())


def _capture(
    scene: Scene,
    folder: Path,
    views: dict[str, int],
    middle: tuple[float, float, float],
    far: int,
    seen_from: Matrix,
) -> Path:
    cameras = sphere_cameras(
        scene,
        views,
        center=middle,
        radius=far * demo_scene.RADIUS,
        elevation=demo_scene.ELEVATION,
        angle=demo_scene.VIEW_ANGLE,
        seed=SEED,
    )
    items = [item for split in cameras.values() for item in split]
    transform(items, seen_from)
    capture = render_capture(scene, folder, cameras, far * RESOLUTION)
    for item in items:  # views of the same name are compared, so the next need these names
        bpy.data.cameras.remove(item.data)
    return capture


def make_captures(folder: Path) -> dict[str, Path]:
    """Render the captures: each machine's own, and the shared views of each alone and of both."""
    new_scene()
    scene = demo_scene.build_scene()
    captures = {"yellow": own_capture(scene, folder / "yellow")}
    captures["yellow, views of both"] = shared_capture(scene, folder / "yellow_far")
    scene = build_blue_alone()
    captures["blue"] = own_capture(scene, folder / "blue")
    for name, distance in DISTANCES.items():
        where = place(distance)
        alone = shared_capture(build_blue_alone(), folder / f"blue_{name}", where.inverted())
        captures[f"blue, {name}"] = alone
        captures[f"both, {name}"] = shared_capture(build_both(where), folder / f"both_{name}")
    return captures


def train(capture: Path, seconds: float) -> tuple[Object, Path, Object]:
    """Import a capture and train its field; return the frame, the field and the volume."""
    from pvd_blender import api

    frame = api.import_capture(capture)
    field = api.train(frame, "hash", budget=seconds, seed=SEED)
    return frame, field, api.extract_volume(frame)


def merge(yellow: tuple, blue: tuple, where: Matrix) -> Path:
    """Move the blue volume to its position, and merge the two volumes into one field."""
    from pvd_blender import api

    frame, _, volume = yellow
    blue[2].matrix_world = frame.matrix_world @ where
    return api.merge(frame, [volume, blue[2]])


def covered_psnr(*folders: Path) -> float:
    """Return the PSNR over the covered pixels."""
    command = [os.environ["PVD_ENGINE_PYTHON"], str(HERE / "covered_psnr.py")]
    done = subprocess.run(
        [*command, *map(str, folders)], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)["psnr"]


def measure_all(captures: dict[str, Path], fields: dict[str, Path], pictures: Path) -> dict:
    """Measure each field against its truth, from its own test views and from the shared views."""

    def entry(field: str, capture: str) -> dict:
        folder = pictures / capture.replace(", ", "_").replace(" ", "_")
        found = measure(fields[field], captures[capture], folder)
        return found | {"covered": covered_psnr(folder, captures[capture])}

    yellow_truth = captures["yellow, views of both"]
    results: dict = {
        "own views": {name: entry(name, name) for name in ("yellow", "blue")},
        "views of both": {},
    }
    yellow = entry("yellow", "yellow, views of both")
    for name in DISTANCES:
        blue_truth, truth = captures[f"blue, {name}"], captures[f"both, {name}"]
        rows = {
            "yellow": yellow,
            "blue": entry("blue", f"blue, {name}"),
            "merged": entry(f"merged, {name}", f"both, {name}"),
        }
        worse = min(rows["yellow"]["covered"], rows["blue"]["covered"])
        results["views of both"][name] = rows | {
            "added": added(rows["yellow"]["psnr"], rows["blue"]["psnr"]),
            "lost": worse - rows["merged"]["covered"],
            "light": {
                "yellow": covered_psnr(yellow_truth, truth, blue_truth),
                "blue": covered_psnr(blue_truth, truth, yellow_truth),
            },
        }
    return results


def added(*decibels: float) -> float:
    """Return the PSNR of a picture that has the errors of several pictures at other positions."""
    return -10 * math.log10(sum(10 ** (-value / 10) for value in decibels))


def write_sheet(out: Path, captures: dict[str, Path], results: dict) -> None:
    """Write a sheet with a row per distance: the truth, the merged field, and the two alone."""

    def entry(folder: Path, caption: str) -> dict:
        return {"image": str(folder / "test" / f"{SHOWN_VIEW}.png"), "caption": caption}

    rows = []
    for name in DISTANCES:
        found = results["views of both"][name]
        decibels = {
            key: f"{name}: {found[key]['covered']:.2f} dB" for key in ("merged", "yellow", "blue")
        }
        pictures = out / "pictures"
        rows.append(
            [
                entry(captures[f"both, {name}"], f"{name}: Cycles"),
                entry(pictures / f"both_{name}", decibels["merged"]),
                entry(pictures / "yellow_views_of_both", decibels["yellow"]),
                entry(pictures / f"blue_{name}", decibels["blue"]),
            ]
        )
    draw_sheet(out, ["truth of both", "merged", "yellow alone", "blue alone"], rows)


def run(out: Path, seconds: float) -> dict:
    """Run all steps and return the measures."""
    from pvd_blender import api

    clock = Clock()
    api.configure(
        engine_python=os.environ["PVD_ENGINE_PYTHON"], device="auto", work_folder=out / "work"
    )
    captures = clock("Render the captures", make_captures, out / "captures")
    new_scene()
    yellow = clock("Train the yellow one (hash)", train, captures["yellow"], seconds)
    blue = clock("Train the blue one (hash)", train, captures["blue"], seconds)
    fields = {"yellow": yellow[1], "blue": blue[1]}
    for name, distance in DISTANCES.items():
        fields[f"merged, {name}"] = clock(f"Merge, {name}", merge, yellow, blue, place(distance))
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "merge.blend"), relative_remap=True)
    for name, path in fields.items():
        shutil.copy(path, out / f"{name.replace(', ', '_')}.safetensors")
    results = clock("Measure", measure_all, captures, fields, out / "pictures")
    write_sheet(out, captures, results)
    settings = {
        "seconds": seconds,
        "own views": OWN_VIEWS,
        "views of both": SHARED_VIEWS,
        "samples": SAMPLES,
    }
    measured = conditions("python examples/merge.py", RESOLUTION)
    return {**measured, "settings": settings, **results, "seconds": clock.seconds}


def print_table(results: dict) -> None:
    """Print the table of measures."""
    print(f"\n{'field':<28}{'PSNR':>8}{'SSIM':>8}{'covered':>9}")
    for name, row in results["own views"].items():
        _print_row(f"{name}, its own views", row)
    for name, rows in results["views of both"].items():
        print(f"views of both, {name}")
        for key in ("yellow", "blue", "merged"):
            _print_row(f"  {key}" if key == "merged" else f"  {key} alone", rows[key])
        print(f"{'  errors of both, added':<28}{rows['added']:>8.2f}")
        light = ", ".join(f"{key} {value:.1f}" for key, value in rows["light"].items())
        verdict = "within" if rows["lost"] <= WITHIN else "NOT within"
        print(
            f"  merged is {verdict} {WITHIN:g} dB of the worse of the two ({-rows['lost']:+.2f} dB)"
        )
        print(f"  PSNR between the truths, alone against together, in dB: {light}")


def _print_row(name: str, row: dict) -> None:
    print(f"{name:<28}{row['psnr']:>8.2f}{row['ssim']:>8.3f}{row['covered']:>9.2f}")


def main() -> None:
    """Run, print the table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("merge_output"), help="output folder")
    parser.add_argument(
        "--seconds", type=float, default=TEACHER_SECONDS, help="seconds of training for each field"
    )
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if "PVD_ENGINE_PYTHON" not in os.environ:
        sys.exit("Set PVD_ENGINE_PYTHON to the Python of the engine's environment.")
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    bpy.ops.preferences.addon_enable(module="pvd_blender")
    results = run(out, arguments.seconds)
    results["seconds"]["in all"] = round(time.monotonic() - start, 1)
    (out / "metrics.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    print_table(results)
    print(f"\n{results['seconds']['in all']:.0f} s in total; the results are in {out}")


if __name__ == "__main__":
    main()
