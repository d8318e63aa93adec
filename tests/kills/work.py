"""Every verb that writes, on tiny data: its command, its outputs, and what makes them whole."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ENGINE_TESTS = Path(__file__).resolve().parents[1] / "engine"
sys.path.insert(0, str(ENGINE_TESTS))

from capture_files import write_json  # noqa: E402
from engine_process import environment, pvd, write_disc_capture  # noqa: E402


@dataclass(frozen=True)
class Work:
    """A command.

    Attributes
    ----------
    name : str
    words : tuple
        The command, without its output.
    out : str
        Name of the output, a file or a folder.
    more : tuple of str
        Names of what is written beside it.
    resumes : bool
        Checkpoints let it go on.
    exact : bool
        It goes on to the same tensors; a light field draws new rays of its teacher.
    new_folder : bool
        The output is a folder that must be new.
    """

    name: str
    words: tuple
    out: str
    more: tuple[str, ...] = ()
    resumes: bool = False
    exact: bool = True
    new_folder: bool = False


def make_data(data: Path) -> list[Work]:
    """Write a capture, fields and lists into a folder; return the commands on them."""
    data.mkdir(parents=True)
    disc = data / "disc"
    write_disc_capture(disc, count=9)
    teacher, student = data / "teacher.safetensors", data / "student.safetensors"
    light = data / "light.safetensors"
    _run("train", disc, "--arch", "hash", "--steps", 30, "--out", teacher)
    _run("convert", teacher, "--to", "hash", "--steps", 5, "--out", student)
    words = ("--to", "light_field", "--steps", 5, "--capture", disc, "--no-report")
    _run("convert", teacher, *words, "--out", light)
    region = {"sphere": {"center": [0, 0, 0], "radius": 0.2}}
    write_json(data / "edits.json", [{"op": "erase", "region": region}])
    write_json(data / "placements.json", [np.eye(4).tolist()] * 2)
    told = json.loads(_run("info", disc, "--json").splitlines()[-1])
    view = told["capture"]["views"][0]
    write_json(data / "camera.json", view["camera"])
    split = ("--capture", disc, "--split", "train")
    small = ("--resolution", 48)
    report = ("student.report.json", "student.report.html")
    convert = ("convert", teacher, "--capture", disc, "--steps", 6, "--no-projection")
    silent = ("--no-report",)

    def conversion(
        name: str, *words: object, more: tuple[str, ...] = (), exact: bool = True
    ) -> Work:
        command = (*convert, *words)
        return Work(f"convert to {name}", command, "student.safetensors", more, True, exact)

    return [
        Work("train", ("train", disc, "--steps", 15), "field.safetensors", resumes=True),
        conversion("vm", "--to", "vm", "--max-size", "300kB", more=report),
        conversion("hash", "--to", "hash", *silent),
        conversion("mlp", "--to", "mlp", *silent),
        conversion("light_field", "--to", "light_field", *silent, exact=False),
        Work("edit", ("edit", teacher, "--edits", data / "edits.json"), "edited.safetensors"),
        Work(
            "merge",
            ("merge", teacher, student, "--placements", data / "placements.json"),
            "merged.safetensors",
        ),
        Work("render", ("render", teacher, *split), "pictures"),
        Work("film", ("render", teacher, "--orbit", "--seconds", 2), "film.mp4"),
        Work("compare", ("compare", teacher, "--reference", student, *split), "compared"),
        Work("volume", ("volume", teacher, *small), "volume.npz"),
        Work("floaters", ("floaters", teacher, *small), "floaters.npz"),
        Work("export onnx", ("export", light, "--to", "onnx"), "light.onnx"),
        Work("rewrite colmap", ("rewrite", disc, "--to", "colmap"), "colmap", new_folder=True),
        Work(
            "rewrite nerfstudio",
            ("rewrite", disc, "--to", "nerfstudio"),
            "nerfstudio",
            new_folder=True,
        ),
        Work(
            "undistort",
            ("undistort", view["image_path"], "--camera", data / "camera.json"),
            "pinhole.png",
        ),
    ]


def command(work: Work, folder: Path) -> list[str]:
    """Return the command with its output in a folder."""
    words = (*work.words, "--out", folder / work.out, "--job", folder / "job")
    if work.words[0] not in ("export", "rewrite", "undistort"):
        words = (*words, "--device", "cpu")
    return [sys.executable, "-m", "pvd_engine", *map(str, words)]


def run_to_its_end(work: Work, folder: Path) -> subprocess.CompletedProcess:
    """Run a command in a folder."""
    return subprocess.run(
        command(work, folder), env=environment(), capture_output=True, text=True, check=False
    )


def fault(path: Path) -> str | None:
    """Return what is wrong with a file that should be whole, or None."""
    from pvd_engine.files.images import load_image

    try:
        if path.suffix == ".safetensors":
            import pvd_engine.edit  # noqa: F401, registers its kinds of fields
            from pvd_engine.fields.storage import load_any_field

            load_any_field(path)
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                assert [arrays[name] for name in arrays.files]
        elif path.suffix == ".png":
            load_image(path)
        elif path.suffix == ".mp4":
            import imageio_ffmpeg

            assert imageio_ffmpeg.count_frames_and_secs(str(path))[0] == 48
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), "it ends early"
        elif path.suffix == ".onnx":
            import onnx

            onnx.checker.check_model(onnx.load(path))
    except Exception as error:
        return f"{path.name} is not whole: {error}"
    return None


def listing(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder but those of the job."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "job"
    }


def _run(*words: object) -> str:
    done = pvd(*words)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def remove(folder: Path) -> None:
    """Remove a folder, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
