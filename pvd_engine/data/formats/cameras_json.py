"""Cameras and captures as JSON: ``cameras.json``, and the output of ``pvd info --json``.

A *camera* is an object with

- ``camera_to_world``: 4 rows of 4 numbers, dataset frame, OpenGL axes (x right, y up, looking
  down -z);
- ``width``, ``height``: pixels;
- ``fx``, ``fy``, ``cx``, ``cy``: pixels, origin at the image's top-left corner, y down, so that
  the centre of the first pixel is (0.5, 0.5);
- optionally ``distortion_model`` and ``distortion``, its coefficients by name; missing ones are
  zero:

  - ``"none"``: no coefficients;
  - ``"opencv"``: ``k1`` to ``k4``, which multiply r² to r⁸, and ``p1``, ``p2``;
  - ``"opencv_fisheye"``: ``k1`` to ``k4``, which multiply θ² to θ⁸;
  - ``"full_opencv"``: OpenCV's rational model, ``k1`` to ``k3`` over ``k4`` to ``k6`` and ``p1``,
    ``p2``;
  - ``"fov"``: ``omega`` in radians;
  - ``"thin_prism_fisheye"``: COLMAP's, ``k1`` to ``k4``, ``p1``, ``p2``, ``sx1``, ``sy1``;
  - ``"rad_tan_thin_prism_fisheye"``: COLMAP's, ``k0`` to ``k5``, ``p0``, ``p1``, ``s0`` to ``s3``;
  - ``"division"``: ``k``; ``"eucm"``: ``alpha``, ``beta``, both as in COLMAP;
  - ``"ftheta"``: ``a0``, ``a2``, ``a3``, ``a4``: the angle from the axis, in radians, is
    a0 + r + a2 r² + a3 r³ + a4 r⁴ for a distance r in focal lengths;
  - ``"equirectangular"``: no coefficients; fx and fy are pixels per radian of longitude and
    latitude, and (cx, cy) is the direction straight ahead.

``cameras.json``, which ``pvd render --cameras`` and ``pvd rewrite --cameras`` read, is
``{"cameras": [camera, ...]}``. Each camera also has a ``name``, the unique path of its image below
the output folder, without a suffix, and optionally a ``split`` (default ``"test"``). ``pvd
undistort --camera`` reads one such camera. Next to ``cameras`` the file may have ``frame``, as in a
capture below.

A *capture* is an object with

- ``name``, ``root`` (absolute path), ``format``;
- ``views``: a list of ``{"name", "split", "image_path", "mask_path", "camera"}``; ``split`` is
  ``"train"``, ``"val"`` or ``"test"``, ``image_path`` and ``mask_path`` an absolute path or null;
- ``counts``: number of views by split; ``masks``: number of views with a mask;
- ``box``: minimum and maximum corner of the scene, dataset frame; ``box_source``: a sentence;
- ``scene``: its ``kind`` (``"object"``, ``"forward_facing"`` or ``"unbounded"``) and the
  ``reason``, a sentence;
- ``frame``: ``applied_transform`` (3 rows of 4 numbers) and ``aabb_scale``, ``scale``, ``offset``
  (3 numbers), ``applied_scale``, ``aabb`` (two corners), each null where the file has none;
- ``has_alpha``; ``notes``: sentences;
- ``points_path``: absolute path of a PLY file with the sparse points, dataset frame, or null.

Numbers have enough digits to read the same float64 again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from ...errors import UserError
from ...files.atomic import write_json
from ...files.json_input import positive_number, read_json_object, shortened, text_value
from ..capture import SPLITS, Camera, Capture, Frame, View
from ..geometry.bounds import find_box
from ..geometry.far_origin import capture_origin
from ..geometry.intrinsics import MAX_SIDE, coefficient, focal_length, principal_point
from ..geometry.lens_models import COEFFICIENTS
from ..geometry.scene import find_scene
from .frame_fields import read_frame_fields
from .pose_values import pose

MAX_CAMERAS = 100_000
"""Most cameras in a file."""


def read_cameras(path: str | Path) -> tuple[View, ...]:
    """Read a ``cameras.json``.

    Returns
    -------
    tuple of View
        Views without images, in the file's order.

    Raises
    ------
    UserError
        The file or a camera in it is wrong.
    """
    return _views(read_json_object(Path(path)), Path(path))


def read_cameras_as_capture(path: str | Path) -> Capture:
    """Read a ``cameras.json`` as a capture whose views have no images.

    Raises
    ------
    UserError
        The file, a camera or the frame in it is wrong.
    """
    path = Path(path)
    content = read_json_object(path)
    views = _views(content, path)
    fields = content.get("frame") or {}
    if not isinstance(fields, dict):
        raise UserError(f"{path.name}: frame must be a JSON object.")
    frame = read_frame_fields(fields, path)
    box, box_source = find_box([view.camera for view in views], frame, has_alpha=False)
    return Capture(
        name=path.stem,
        root=path.parent,
        format="cameras",
        views=views,
        box=box,
        box_source=box_source,
        frame=frame,
        has_alpha=False,
    )


def _views(content: Mapping[str, Any], path: Path) -> tuple[View, ...]:
    entries = content.get("cameras")
    if not isinstance(entries, list) or not entries:
        raise UserError(
            f'{path} has no cameras; it must be {{"cameras": [...]}} with at least one.'
        )
    if len(entries) > MAX_CAMERAS:
        raise UserError(f"{path} has {len(entries)} cameras; at most {MAX_CAMERAS} can be read.")
    views: list[View] = []
    names: set[str] = set()
    for index, entry in enumerate(entries):
        where = f"{path.name}, camera {index}"
        if not isinstance(entry, dict):
            raise UserError(f"{where}: it must be a JSON object.")
        name = _picture_name(entry.get("name"), where)
        if name in names:
            raise UserError(
                f"{where}: an earlier camera has the name {shortened(name)} already; change one."
            )
        names.add(name)
        named = f"{where} ({shortened(name)})"
        camera = camera_from_dict(entry, named)
        split = entry.get("split", "test")
        if split not in SPLITS:
            raise UserError(f"{named}: the split must be one of {', '.join(SPLITS)}.")
        views.append(View(name=name, camera=camera, split=split, image_path=None))
    return tuple(views)


def write_cameras(path: str | Path, views: Sequence[View]) -> Path:
    """Write views as a ``cameras.json``, atomically, and return its path.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    content = {"cameras": [{"name": v.name, **camera_to_dict(v.camera)} for v in views]}
    write_json(Path(path), content)
    return Path(path)


def camera_to_dict(camera: Camera) -> dict[str, Any]:
    """Return a camera in the format at the top of this file."""
    return {
        "camera_to_world": camera.camera_to_world.tolist(),
        "width": camera.width,
        "height": camera.height,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "distortion_model": camera.distortion_model,
        "distortion": dict(camera.distortion),
    }


def camera_from_dict(entry: Mapping[str, Any], where: str) -> Camera:
    """Return the camera of an entry in the format at the top of this file, after checks.

    Parameters
    ----------
    entry : mapping
        Other keys are ignored.
    where : str
        File and camera in messages.

    Raises
    ------
    UserError
        A value is missing or wrong.
    """
    matrix, _ = pose(entry.get("camera_to_world"), "camera_to_world", where)
    width, height = (_side(entry.get(key), key, where) for key in ("width", "height"))
    model = entry.get("distortion_model", "none")
    if not isinstance(model, str) or model not in COEFFICIENTS:
        raise UserError(f"{where}: distortion_model must be one of {', '.join(COEFFICIENTS)}.")
    return Camera(
        camera_to_world=matrix,
        width=width,
        height=height,
        fx=focal_length(entry.get("fx"), "fx", width, where),
        fy=focal_length(entry.get("fy"), "fy", height, where),
        cx=principal_point(entry.get("cx"), "cx", width, where),
        cy=principal_point(entry.get("cy"), "cy", height, where),
        distortion_model=model,
        distortion=_distortion(entry.get("distortion"), model, where),
    )


def capture_to_dict(capture: Capture) -> dict[str, Any]:
    """Return a capture in the format at the top of this file, ready for ``json.dumps``."""
    scene = find_scene(capture)
    origin = capture_origin(capture)
    return {
        "name": capture.name,
        "root": str(capture.root.absolute()),
        "format": capture.format,
        "views": [
            {
                "name": view.name,
                "split": view.split,
                "image_path": _absolute(view.image_path),
                "mask_path": _absolute(view.mask_path),
                "camera": camera_to_dict(view.camera),
            }
            for view in capture.views
        ],
        "counts": {split: len(capture.split(split)) for split in SPLITS},
        "masks": sum(view.is_masked for view in capture.views),
        "box": capture.box.tolist(),
        "box_source": capture.box_source,
        "scene": {"kind": scene.kind, "reason": scene.reason},
        "frame": _frame_to_dict(capture.frame),
        "has_alpha": capture.has_alpha,
        "notes": list(capture.notes),
        "points_path": _absolute(capture.points_path),
        "linear_light": capture.exposure is not None,
        "origin": origin.tolist() if origin.any() else None,
    }


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _frame_to_dict(frame: Frame) -> dict[str, Any]:
    return {
        "applied_transform": frame.applied_transform.tolist(),
        "aabb_scale": frame.aabb_scale,
        "scale": frame.scale,
        "offset": None if frame.offset is None else list(frame.offset),
        "applied_scale": frame.applied_scale,
        "aabb": None if frame.aabb is None else frame.aabb.tolist(),
    }


def _picture_name(value: Any, where: str) -> str:
    """Return a camera's name, checked because it becomes a path below the output folder."""
    name = text_value(value, "name", where)
    parts = name.replace("\\", "/").split("/")
    if any(part in ("", ".", "..") for part in parts) or PureWindowsPath(name).drive:
        raise UserError(
            f"{where}: the name {shortened(name)} must be a path below the output folder."
        )
    return "/".join(parts)


def _side(value: Any, what: str, where: str) -> int:
    side = positive_number(value, what, where)
    if side != round(side) or side > MAX_SIDE:
        raise UserError(f"{where}: {what} must be a whole number of pixels up to {MAX_SIDE}.")
    return round(side)


def _distortion(value: Any, model: str, where: str) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{where}: distortion must be an object with coefficients by name.")
    unknown = sorted(set(value) - set(COEFFICIENTS[model]))
    if unknown:
        raise UserError(
            f"{where}: the model {model} has no coefficient {shortened(unknown[0], 20)}."
        )
    return {key: coefficient(number, key, where) for key, number in value.items()}
