"""Every reader's samples through every writer and back: what stays to the last bit, what cannot.

``PYTHONPATH=. python tests/engine/round_trips.py`` prints the table of ``docs/datasets.md``.
"""

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from capture_files import REAL_CAPTURES, frames, ring, write_image, write_json
from capture_files import write_nerf_synthetic as write_synthetic
from colmap_files import write_colmap
from format_files import WRITERS as OTHER_FORMATS

from pvd_engine.data.capture import Camera, Capture, Frame
from pvd_engine.data.geometry.points import SparsePoints, read_points, write_ply
from pvd_engine.data.readers import open_capture
from pvd_engine.data.writers.pictures import place_pictures
from pvd_engine.data.writers.writers import FORMATS, write_capture
from pvd_engine.errors import UserError

TURN = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""What the reader of COLMAP's files does to its world."""

FRAME_FIELDS = ("applied_transform", "applied_scale", "aabb_scale", "scale", "offset", "aabb")
REAL = {
    "nerf_synthetic_lego_200": "NeRF-Synthetic: lego",
    "fox_270x480": "instant-ngp: fox",
    "llff_fern_504x378": "LLFF: fern",
    "colmap_toy": "COLMAP: toy",
}


def write_nerfstudio(folder: Path) -> None:
    """All that a transforms.json may hold: lenses, sizes and splits of its own for each view."""
    entries = frames(ring(9), "photos/{:03d}.jpg")
    for index, entry in enumerate(entries):
        size = (8, 6) if index % 2 else (7, 9)
        write_image(folder / entry["file_path"], size)
        entry |= {"fl_x": 9 + index / 7, "fl_y": 9 + index / 9, "w": size[0], "h": size[1]}
        entry |= {"k1": 0.01 * (index % 3), "p2": 1 / 3e3, "cx": 3 + index / 11, "cy": 3.3}
    paths = [entry["file_path"] for entry in entries]
    rng = np.random.default_rng(2)
    write_ply(folder / "p.ply", rng.normal(size=(20, 3)), rng.integers(0, 256, (20, 3), np.uint8))
    content = {
        "camera_model": "OPENCV",
        "train_filenames": paths[::2],
        "val_filenames": paths[1:3:2],
        "test_filenames": paths[3::2],
        "ply_file_path": "p.ply",
        "applied_transform": [[0, 1, 0, 0.25], [1, 0, 0, -2], [0, 0, -1, 3]],
        "applied_scale": 1 / 3,
        "aabb_scale": 4,
        "scale": 0.2,
        "offset": [0.1, 0.2, 0.7],
        "frames": entries,
    }
    write_json(folder / "transforms.json", content)


SAMPLES: dict[str, Callable[[Path], object]] = {
    "NeRF-Synthetic": lambda folder: write_synthetic(folder, {"train": 4, "val": 2, "test": 3}),
    "nerfstudio": write_nerfstudio,
    "COLMAP": lambda folder: write_colmap(folder),
    **{name: OTHER_FORMATS[name] for name in OTHER_FORMATS},
}
LABELS = {
    "llff": "LLFF",
    "nsvf": "NSVF",
    "donerf": "DONeRF",
    "dtu": "DTU",
    "polycam": "Polycam",
    "realitycapture": "RealityCapture",
}


@dataclass(frozen=True)
class Trip:
    """What became of a capture that was written and read again.

    Attributes
    ----------
    refused : str
        Why the format cannot hold it; "" where it can.
    rounding : dict of str to float
        Largest relative change of numbers that are not as they were, to the last bit.
    left_out : list of str
        What the capture has and the format has no place for.
    changed : list of str
        What should be as it was and is not.
    made_png : int
        Images that were written anew; the others are the same bytes.
    same_files : bool
        Written a second time, from what was read, every file is the same bytes.
    """

    refused: str = ""
    rounding: Mapping[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    made_png: int = 0
    same_files: bool = True

    def cell(self) -> str:
        """The trip in a few words."""
        if self.refused:
            return f"refused: {self.refused}"
        words = [f"{what} to {size:.0e}" for what, size in self.rounding.items()]
        words += [f"without {', '.join(self.left_out)}"] if self.left_out else []
        words += ["images as PNG"] if self.made_png else []
        words += [f"CHANGED {what}" for what in self.changed]
        words += [] if self.same_files else ["NOT the same files again"]
        return "; ".join(words) or "exact"


def round_trip(before: Capture, to: str, folder: Path) -> Trip:
    """Write a capture into a folder, read it, and write it once more."""
    try:
        write_capture(before, to, folder / "once")
    except UserError as error:
        return Trip(refused=re.sub(r"^.*because |; write --to.*$", "", str(error)))
    after = open_capture(folder / "once")
    write_capture(after, to, folder / "twice")
    places = place_pictures(before.views, FORMATS[to].rules)
    by_file = {view.image_path: view for view in after.views}
    pairs = [(p, by_file[(folder / "once").joinpath(*p.path.parts)]) for p in places]
    rounding = {"poses": 0.0, "intrinsics": 0.0, "points": 0.0}
    changed = set() if len(pairs) == len(after.views) else {"views"}
    left_out = set()
    for place, view in pairs:
        one, other = place.view.camera, view.camera
        turn = TURN @ to_world(before.frame) if to == "colmap" else np.eye(4)
        rounding["poses"] = max(rounding["poses"], pose_change(turn, one, other))
        rounding["intrinsics"] = max(rounding["intrinsics"], lens_change(one, other))
        if lens(one) != lens(other):
            changed.add("lens")
        if view.split != place.view.split:
            (left_out if to == "colmap" else changed).add("splits")
        if place.copied and view.image_path.read_bytes() != place.view.image_path.read_bytes():
            changed.add("images")
    for name in FRAME_FIELDS:
        value = getattr(before.frame, name)
        if same(value, getattr(Frame(), name)):
            continue
        if to == "nerf-synthetic" or (to == "colmap" and not name.startswith("applied")):
            left_out.add(name)
        elif to == "nerfstudio" and not same(value, getattr(after.frame, name)):
            changed.add(name)
    if to != "colmap" and not np.allclose(after.box, before.box, rtol=1e-9, atol=0):
        left_out.add("box")
    points, again = (points_of(capture) for capture in (before, after))
    if points is not None and to == "nerf-synthetic":
        left_out.add("points")
    elif points is not None:
        turn = TURN @ to_world(before.frame) if to == "colmap" else np.eye(4)
        rounding["points"] = point_change(turn, points, again)
        if not same(points.colors, again.colors):
            changed.add("colours")
        if points.errors is not None and again.errors is None:
            left_out.add("errors of points")
        if before.points is not None:
            left_out.add("tracks")
    return Trip(
        rounding={what: size for what, size in rounding.items() if size > 0},
        left_out=sorted(left_out),
        changed=sorted(changed),
        made_png=sum(not place.copied for place in places),
        same_files=content(folder / "once") == content(folder / "twice"),
    )


def to_world(frame: Frame) -> np.ndarray:
    """From the dataset frame to the world before the file's transform and scale, (4, 4)."""
    applied = np.vstack([frame.applied_transform * (frame.applied_scale or 1), [0, 0, 0, 1]])
    return np.linalg.inv(applied)


def pose_change(turn: np.ndarray, one: Camera, other: Camera) -> float:
    expected = turn @ one.camera_to_world
    if not np.array_equal(turn, np.eye(4)):
        left, _, right = np.linalg.svd(expected[:3, :3])
        expected[:3, :3] = left @ right
    difference = np.abs(other.camera_to_world - expected)
    return float(max(difference[:3, :3].max(), difference[:3, 3].max() / length(expected)))


def length(pose: np.ndarray) -> float:
    return max(1.0, float(np.linalg.norm(pose[:3, 3])))


def lens_change(one: Camera, other: Camera) -> float:
    if (one.width, one.height) != (other.width, other.height):
        return float("inf")
    names = ("fx", "fy", "cx", "cy")
    return max(abs(getattr(one, n) - getattr(other, n)) / abs(getattr(one, n)) for n in names)


def lens(camera: Camera) -> tuple[str, dict[str, float]]:
    """Model and coefficients; a polynomial's are those of the rational model it belongs to."""
    found = {key: value for key, value in camera.distortion.items() if value != 0}
    rational = camera.distortion_model == "full_opencv" and not {"k4", "k5", "k6"} & set(found)
    return "opencv" if rational else camera.distortion_model, found


def points_of(capture: Capture) -> SparsePoints | None:
    if capture.points is None and capture.points_path is not None:
        return read_points(capture.points_path)
    return capture.points


def point_change(turn: np.ndarray, one: SparsePoints, other: SparsePoints) -> float:
    expected = one.positions @ turn[:3, :3].T + turn[:3, 3]
    return float(np.abs(other.positions - expected).max() / np.abs(expected).max())


def same(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def sample(name: str, folder: Path) -> Capture:
    """A sample of a format, made in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    SAMPLES[name](folder)
    return open_capture(folder)


def main() -> None:
    """Print the table; real captures are in it where they lie next to the repository."""
    print(f"| read from | {' | '.join(f'`{to}`' for to in FORMATS)} |")
    print(f"| --- |{' --- |' * len(FORMATS)}")
    with tempfile.TemporaryDirectory() as folder:
        captures = {
            LABELS.get(name, name): sample(name, Path(folder) / name / "in") for name in SAMPLES
        }
        captures |= {
            f"*{label}*": open_capture(REAL_CAPTURES / name)
            for name, label in REAL.items()
            if (REAL_CAPTURES / name).is_dir()
        }
        for label, capture in captures.items():
            trips = [round_trip(capture, to, Path(folder) / label / to) for to in FORMATS]
            print(f"| {label} | {' | '.join(trip.cell() for trip in trips)} |")


if __name__ == "__main__":
    main()
