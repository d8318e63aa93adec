"""Notes on cameras from which no field, or not the expected one, can be learned."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..capture import Capture, View
from ..notes import counted
from .bounds import look_the_same_way, looked_at, optical_axis, positions_spread, see_all_round

ONE_SPOT = 0.005
"""Size of the camera array, over the distance of what it sees, below which there is no parallax."""

ROUNDING = 1e-6
"""Differences of poses that are none: of rotations, and of positions over their spread."""

OUTWARD = 0.5
"""Least cosine between an optical axis and the way out of the middle of the cameras."""

MOST_CAMERAS = 0.8
"""Fraction of the cameras that must look outward."""

FEWEST_CAMERAS = 4
"""Fewest cameras of which it can be said that they look outward."""


def camera_notes(capture: Capture) -> list[str]:
    """Return a sentence for each likely mistake in the cameras of a capture.

    They are the cameras that share one pose, stand on one spot, or look outward.
    """
    views = capture.views
    if len(views) < 2:
        return []
    repeated = _repeated(views)
    if len(repeated) == len(views) - 1:
        return [
            f"All {len(views)} cameras have the same pose, so the images show no depth; the poses"
            " are probably missing, so estimate them again."
        ]
    notes = list(_notes_of_repeated(repeated, len(views)))
    if _on_one_spot(capture):
        notes.append(
            f"All {len(views)} cameras stand on one spot, so the images show no depth: a field"
            " looks right from there alone; add images from other positions."
        )
    elif _look_outward(views) and not capture.bounded:
        notes.append(_note_of_outward(capture))
    return notes


def _repeated(views: Sequence[View]) -> list[tuple[View, View]]:
    """Return the views whose camera is that of an earlier view, each with the earlier one."""
    matrices = np.stack([view.camera.camera_to_world for view in views])
    positions = matrices[:, :3, 3] - matrices[:, :3, 3].mean(axis=0)
    spread = positions_spread(positions) or 1.0
    lenses = [
        (view.camera.width, view.camera.height, view.camera.fx, view.camera.fy, view.camera.cx,
         view.camera.cy)
        for view in views
    ]  # fmt: skip
    rows = np.concatenate(
        [matrices[:, :3, :3].reshape(-1, 9) / ROUNDING, positions / spread / ROUNDING, lenses],
        axis=1,
    )
    first: dict[bytes, View] = {}
    repeated = []
    for view, row in zip(views, np.round(rows) + 0.0, strict=True):  # -0.0 becomes 0.0
        earlier = first.setdefault(row.tobytes(), view)
        if earlier is not view:
            repeated.append((view, earlier))
    return repeated


def _notes_of_repeated(repeated: Sequence[tuple[View, View]], total: int) -> Iterator[str]:
    """Yield the notes on cameras that repeat another one: held out from it, and beside it."""
    apart = [pair for pair in repeated if _held_out(*pair)]
    beside = [pair for pair in repeated if not _held_out(*pair)]
    for pairs, one, many, why in (
        (
            apart,
            "cameras is held out although one with its pose is trained on",
            "cameras are held out although ones with their poses are trained on",
            "their PSNR to images says nothing about new views, so hold out others",
        ),
        (
            beside,
            "cameras repeats the pose of another",
            "cameras repeat the poses of others",
            "where their images differ, a field shows the mean, so keep one of each",
        ),
    ):
        if pairs:
            view, earlier = pairs[0]
            count = counted(len(pairs), one, many, of=total)
            yield f"{count}; {why}. The first: {view.name}, as {earlier.name}."


def _held_out(view: View, other: View) -> bool:
    return (view.split == "train") != (other.split == "train")


def _on_one_spot(capture: Capture) -> bool:
    positions = np.array([view.camera.camera_to_world[:3, 3] for view in capture.views])
    spread = positions_spread(positions)
    if spread <= ROUNDING * max(1.0, float(np.abs(positions).max())):
        return True
    distance = _distance(capture, positions.mean(axis=0))
    return distance is not None and spread < ONE_SPOT * distance


def _distance(capture: Capture, middle: np.ndarray) -> float | None:
    """Return the distance from the cameras to what they see; None where no file states it."""
    if capture.points is not None and len(capture.points.positions):
        return float(np.median(np.linalg.norm(capture.points.positions - middle, axis=1)))
    return capture.nearest


def _look_outward(views: Sequence[View]) -> bool:
    cameras = [view.camera for view in views]
    if len(cameras) < FEWEST_CAMERAS or see_all_round(cameras):
        return False
    if look_the_same_way(cameras) or looked_at(cameras) is not None:
        return False
    positions = np.array([camera.camera_to_world[:3, 3] for camera in cameras])
    out = positions - (positions.min(axis=0) + positions.max(axis=0)) / 2
    lengths = np.linalg.norm(out, axis=1)
    away = lengths > ROUNDING * lengths.max()
    axes = np.array([optical_axis(camera) for camera in cameras])
    cosines = np.einsum("ni,ni->n", axes[away], out[away]) / lengths[away]
    return float((cosines > OUTWARD).mean()) >= MOST_CAMERAS


def _note_of_outward(capture: Capture) -> str:
    seen = "The cameras look outward from their middle, as inside a room"
    if capture.has_alpha:
        return (
            f"{seen}, but transparent images make the scene an object in its box; set the scene to"
            " Unbounded (--scene unbounded)."
        )
    return (
        f"{seen}, so the crop box must reach to the walls rather than around the cameras; enlarge"
        " it where detail is missing (--crop), and leave the scene Unbounded."
    )
