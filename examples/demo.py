"""The demo: from a scene to a capture, a field, an edited field and a converted field.

``make demo`` runs it in Blender's own environment with the engine as a separate program:

    PVD_ENGINE_PYTHON=<engine's python> python examples/demo.py --out demo_output

All steps use the add-on's operators; only the comparisons at the end call the engine's command
line. It leaves ``demo.blend``, the volume, the fields, ``metrics.json`` and
``contact_sheet.png`` in the output folder.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import bpy
import demo_scene
from mathutils import Matrix
from sphere_cameras import sphere_cameras

VIEWS = {"train": 50, "val": 4, "test": 8}
RESOLUTION = 200
SAMPLES = 24
TEACHER_SECONDS = 75
STUDENT_SECONDS = 80
SEED = 0
SHOWN_VIEW = "test/test_002"
"""The test view on the contact sheet."""


class Clock:
    """Print each step and the time that it took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, title: str, step, *arguments, **options):
        print(f"== {title}", flush=True)
        start = time.monotonic()
        result = step(*arguments, **options)
        self.seconds[title] = round(time.monotonic() - start, 1)
        print(f"   {self.seconds[title]:.0f} s", flush=True)
        return result


def make_captures(folder: Path) -> tuple[Path, Path]:
    """Render the scene as a capture, and its test views again without the bucket."""
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = demo_scene.build_scene()
    cameras = sphere_cameras(
        scene,
        VIEWS,
        center=demo_scene.CENTER,
        radius=demo_scene.RADIUS,
        elevation=demo_scene.ELEVATION,
        angle=demo_scene.VIEW_ANGLE,
        seed=SEED,
    )
    full = render_capture(scene, folder / "excavator", cameras, RESOLUTION)
    demo_scene.show_bucket(False)
    # A capture needs training views to be one; one is enough to compare test views with.
    some = {"train": cameras["train"][:1], "test": cameras["test"]}
    without = render_capture(scene, folder / "excavator_without_bucket", some, RESOLUTION)
    return full, without


def render_capture(scene: bpy.types.Scene, folder: Path, cameras: dict, side: int) -> Path:
    """Export a scene as square pictures on a transparent background, over any older capture."""
    from pvd_blender import api

    shutil.rmtree(folder, ignore_errors=True)
    scene.render.resolution_x = scene.render.resolution_y = side
    scene.render.film_transparent = True
    scene.cycles.samples, scene.cycles.use_denoising = SAMPLES, True
    folder.parent.mkdir(parents=True, exist_ok=True)
    with output_into(folder.parent / f"{folder.name}.log"):
        return api.export_scene(folder, cameras, format="nerf-synthetic")


@contextlib.contextmanager
def output_into(log: Path):
    """Write the output of Cycles, several lines for each picture, into a file."""
    sys.stdout.flush()
    terminal = os.dup(1)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(terminal, 1)
        os.close(terminal)


def import_capture(capture: Path) -> bpy.types.Object:
    """Import the capture into an empty file and return its frame."""
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.convert_field.import_capture(filepath=str(capture))
    return bpy.context.scene.convert_field.frame


def newest_field(frame: bpy.types.Object) -> Path:
    """Return the file of the newest field."""
    state = frame.convert_field
    return Path(state.fields[state.active_field].path)


def train_teacher(frame: bpy.types.Object) -> Path:
    """Train the hash grid, and bring its density back as a Volume object."""
    settings = bpy.context.scene.convert_field
    settings.teacher.architecture = "hash"
    settings.teacher.seconds = TEACHER_SECONDS
    settings.teacher.seed = SEED
    settings.show_volume = False
    bpy.ops.convert_field.train()
    bpy.ops.convert_field.extract_volume()
    return newest_field(frame)


def erase_bucket(frame: bpy.types.Object) -> Path:
    """Put an erase box around the bucket and apply it."""
    bpy.ops.convert_field.add_shape(op="erase", shape="box")
    box = bpy.context.active_object
    box.name = "Erase bucket"
    box.matrix_world = frame.matrix_world @ Matrix(demo_scene.bucket_box().tolist())
    bpy.context.view_layer.update()
    bpy.ops.convert_field.apply_edits()
    bpy.ops.convert_field.extract_volume()
    return newest_field(frame)


def convert_to_mlp(frame: bpy.types.Object) -> Path:
    """Distil the selected field into a network."""
    settings = bpy.context.scene.convert_field.student
    settings.architecture = "mlp"
    settings.seconds = STUDENT_SECONDS
    settings.seed = SEED
    bpy.ops.convert_field.convert()
    return newest_field(frame)


def render_through_operator(frame: bpy.types.Object, picture: Path) -> None:
    """Render the selected field from a dataset camera into an image, and save the image."""
    camera = next(item for item in frame.children_recursive if item.name.startswith(SHOWN_VIEW))
    bpy.context.scene.camera = camera
    bpy.context.view_layer.objects.active = camera
    bpy.ops.convert_field.look_through()
    before = set(bpy.data.images)
    bpy.ops.convert_field.render()
    image = next(iter(set(bpy.data.images) - before))
    image.save(filepath=str(picture))


def engine(*arguments: str) -> dict:
    """Run the engine's command line and return the JSON object that it prints last."""
    command = [os.environ["PVD_ENGINE_PYTHON"], "-m", "pvd_engine", *arguments, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(field: Path, capture: Path, pictures: Path) -> dict:
    """Measure a field against the test images of a capture, and render its pictures."""
    result = engine("eval", str(field), "--capture", str(capture), "--split", "test")
    engine(
        "render", str(field), "--capture", str(capture), "--split", "test", "--out", str(pictures)
    )
    return {"psnr": result["psnr"], "ssim": result["ssim"], "size": field.stat().st_size}


def conditions(command: str, side: int) -> dict:
    """Return how something was measured, as the benchmarks state it, for ``docs/results.md``."""
    from pvd_blender.version import VERSION

    device = engine("info", "--device")["device"]
    return {
        "command": command,
        "capture": "excavator",
        "width": side,
        "height": side,
        "seed": SEED,
        "name": device["name"],
        "threads": device["threads"],
        "version": VERSION,
        "date": datetime.now(UTC).date().isoformat(),
    }


def leaked_alpha(pictures: Path, full: Path, without: Path) -> dict:
    """Measure the alpha of renders along the rays that only the bucket covered."""
    command = [os.environ["PVD_ENGINE_PYTHON"], str(HERE / "leaked_alpha.py")]
    done = subprocess.run(
        [*command, str(pictures), str(full), str(without)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def write_sheet(out: Path, captures: tuple[Path, Path], metrics: dict) -> None:
    """Write a sheet with the pictures of one test view."""
    full, without = captures

    def entry(image: Path, field: str | None = None) -> dict:
        caption = f"PSNR to images {metrics['fields'][field]['psnr']:.2f} dB" if field else "Cycles"
        return {"image": str(image / f"{SHOWN_VIEW}.png"), "caption": caption}

    pictures = out / "pictures"
    columns = {
        "truth": entry(full),
        "teacher (hash)": entry(pictures / "teacher", "teacher"),
        "edited teacher": entry(pictures / "edited", "edited"),
        "student (mlp)": entry(pictures / "student", "student"),
        "truth without bucket": entry(without),
    }
    draw_sheet(out, list(columns), [list(columns.values())])


def draw_sheet(out: Path, columns: list[str], rows: list[list[dict]]) -> None:
    """Write ``contact_sheet.png``, rows of pictures with captions, into the output folder."""
    sheet = {"columns": columns, "rows": rows}
    (out / "contact_sheet.json").write_text(json.dumps(sheet, indent=1), encoding="utf-8")
    command = [os.environ["PVD_ENGINE_PYTHON"], str(HERE / "contact_sheet.py")]
    paths = [str(out / "contact_sheet.json"), str(out / "contact_sheet.png")]
    subprocess.run([*command, *paths], check=True)


def run_demo(out: Path) -> dict:
    """Run all steps and return the measures."""
    from pvd_blender import api

    clock = Clock()
    api.configure(
        engine_python=os.environ["PVD_ENGINE_PYTHON"], device="auto", work_folder=out / "work"
    )
    captures = clock("Render the scene as a capture", make_captures, out / "captures")
    frame = clock("Import the capture", import_capture, captures[0])
    fields = {"teacher": clock("Train the teacher (hash)", train_teacher, frame)}
    fields["edited"] = clock("Erase the bucket", erase_bucket, frame)
    fields["student"] = clock("Convert the edited field (mlp)", convert_to_mlp, frame)
    clock("Render from a camera", render_through_operator, frame, out / "student_view.png")
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "demo.blend"), relative_remap=True)
    options = {"budget": STUDENT_SECONDS, "seed": SEED}
    fields["student_unedited"] = clock(
        "For comparison: convert the unedited field", api.convert, frame, "mlp",
        fields["teacher"], **options,
    )  # fmt: skip
    fields["student_through"] = clock(
        "For comparison: the published way, through a sparse tensor", api.convert, frame, "mlp",
        fields["edited"], through="sparse_tensor", **options,
    )  # fmt: skip
    metrics = clock("Measure", measure_all, fields, captures, out / "pictures")
    metrics["seconds"] = clock.seconds
    for name, path in fields.items():
        shutil.copy(path, out / f"{name}.safetensors")
    for volume in (out / "work").rglob("*.vdb"):
        shutil.copy(volume, out / volume.name)
    write_sheet(out, captures, metrics)
    return metrics


def measure_all(fields: dict[str, Path], captures: tuple[Path, Path], pictures: Path) -> dict:
    """Measure each field against its truth."""
    full, without = captures
    whole = ("teacher", "student_unedited")
    metrics = {
        **conditions("make demo", RESOLUTION),
        "settings": {
            "views": VIEWS,
            "samples": SAMPLES,
            "teacher_seconds": TEACHER_SECONDS,
            "student_seconds": STUDENT_SECONDS,
        },
        "fields": {
            name: measure(path, full if name in whole else without, pictures / name)
            for name, path in fields.items()
        },
    }
    for name in ("edited", "student", "student_through"):
        alpha = leaked_alpha(pictures / name, full, without)
        metrics["fields"][name]["alpha_where_only_the_bucket_was"] = alpha
    return metrics


def main() -> None:
    """Run the demo and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="output folder")
    out = parser.parse_args().out.resolve()
    if "PVD_ENGINE_PYTHON" not in os.environ:
        sys.exit(
            "Set PVD_ENGINE_PYTHON to the Python of the engine's environment, or run make demo."
        )
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    bpy.ops.preferences.addon_enable(module="pvd_blender")
    metrics = run_demo(out)
    metrics["seconds"]["in all"] = round(time.monotonic() - start, 1)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1), encoding="utf-8")
    print(f"\n{'field':<18}{'PSNR':>8}{'SSIM':>8}{'MB':>8}  alpha where only the bucket was")
    for name, entry in metrics["fields"].items():
        alpha = entry.get("alpha_where_only_the_bucket_was")
        leak = f"  mean {alpha['mean']:.4f}, max {alpha['max']:.4f}" if alpha else ""
        size = entry["size"] / 1e6
        print(f"{name:<18}{entry['psnr']:>8.2f}{entry['ssim']:>8.3f}{size:>8.2f}{leak}")
    print(f"\n{metrics['seconds']['in all']:.0f} s in total; the results are in {out}")


if __name__ == "__main__":
    main()
