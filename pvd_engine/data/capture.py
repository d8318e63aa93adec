"""The one form in which every dataset reaches the engine: cameras, images, splits, bounds, frame.

Conventions (see ``docs/design/space.md``): camera-to-world 4x4, OpenGL axes (x right, y up, looking
down -z), float64; pixel origin at the image's top-left corner, so that the centre of the first
pixel is (0.5, 0.5).
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .geometry.points import SparsePoints, read_points

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Camera:
    """A camera, with or without lens distortion, with its pose in the dataset frame.

    Attributes
    ----------
    camera_to_world : (4, 4) float64 array
        OpenGL axes, dataset frame.
    width, height : int
        Image size in pixels.
    fx, fy, cx, cy : float
        Intrinsics in pixels, corner origin. Of an equirectangular camera fx and fy are pixels per
        radian of longitude (to the right) and latitude (upwards), and (cx, cy) shows what lies
        straight ahead; the whole sphere has width / (2 pi), height / pi, width / 2, height / 2.
    distortion_model : str
        ``"none"``, ``"opencv"`` (k1, k2, p1, p2, k3, k4), ``"opencv_fisheye"`` (k1, k2, k3, k4),
        ``"full_opencv"`` (k1, k2, p1, p2, k3, k4, k5, k6: OpenCV's rational model), ``"fov"``
        (omega), ``"thin_prism_fisheye"`` (k1, k2, p1, p2, k3, k4, sx1, sy1),
        ``"rad_tan_thin_prism_fisheye"`` (k0 to k5, p0, p1, s0 to s3), ``"division"`` (k),
        ``"eucm"`` (alpha, beta), ``"ftheta"`` (a0, a2, a3, a4: the angle from the axis is
        a0 + r + a2 r² + a3 r³ + a4 r⁴ in radians, r focal lengths from the principal point) or
        ``"equirectangular"``.
    distortion : dict of str to float
        The coefficients by name; absent ones are zero.
    """

    camera_to_world: np.ndarray
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = "none"
    distortion: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """One camera of a capture, with its image where there is one.

    Attributes
    ----------
    name : str
        The image's path relative to the capture, as the file names it, without extension
        (``"test/r_0"``); unique within a capture.
    camera : Camera
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    image_path : Path or None
        None for a camera without an image.
    stored_size : (width, height) or None
        Of the image file, where the camera is a smaller one.
    mask_path : Path or None
        An image that is black where pixels do not count, where there is one.
    """

    name: str
    camera: Camera
    split: str
    image_path: Path | None
    stored_size: tuple[int, int] | None = None
    mask_path: Path | None = None


@dataclass(frozen=True)
class Frame:
    """What a file says about its own frame, kept so that an export gives the same numbers back.

    Attributes
    ----------
    applied_transform : (3, 4) float64 array
        From the original world to the dataset frame; identity when the file has none.
    aabb_scale, scale, offset
        instant-ngp's fields as the file gives them, or None.
    applied_scale
        nerfstudio's scale that goes with `applied_transform`, or None.
    aabb : (2, 3) float64 array or None
        instant-ngp's explicit box, dataset frame.
    """

    applied_transform: np.ndarray = field(default_factory=lambda: np.eye(4)[:3])
    aabb_scale: float | None = None
    scale: float | None = None
    offset: tuple[float, float, float] | None = None
    applied_scale: float | None = None
    aabb: np.ndarray | None = None

    @property
    def has_box(self) -> bool:
        """Whether the file states the scene's box."""
        return any(
            value is not None for value in (self.aabb, self.aabb_scale, self.scale, self.offset)
        )


@dataclass(frozen=True)
class Capture:
    """A dataset: views in their splits, the scene's bounds and its frame.

    Attributes
    ----------
    name : str
        Folder name of the dataset.
    root : Path
    format : str
        ``"nerf_synthetic"``, ``"transforms"``, ``"donerf"``, ``"llff"``, ``"nsvf"``, ``"dtu"``,
        ``"polycam"``, ``"realitycapture"`` or ``"colmap"``; ``"cameras"``, without images.
    views : tuple of View
    box : (2, 3) float64 array
        Minimum and maximum corner of the scene, dataset frame.
    box_source : str
        One sentence: where the box comes from.
    frame : Frame
    has_alpha : bool
        True when the images carry an alpha channel (objects on transparent ground).
    bounded : bool
        True when the files say of the box that it holds all that the images show.
    nearest : float or None
        The least depth along the optical axes at which the files say that there is something.
    notes : tuple of str
        Sentences about what was guessed or left out while reading.
    points_path : Path or None
        PLY file of the sparse points that came with the cameras, dataset frame.
    points : SparsePoints or None
        The points themselves, dataset frame, where the format keeps them in no PLY file.
    downscale : int
        By what width and height of the images were divided.
    """

    name: str
    root: Path
    format: str
    views: tuple[View, ...]
    box: np.ndarray
    box_source: str
    frame: Frame
    has_alpha: bool
    bounded: bool = False
    nearest: float | None = None
    notes: tuple[str, ...] = ()
    points_path: Path | None = None
    points: SparsePoints | None = None
    downscale: int = 1

    def split(self, name: str) -> tuple[View, ...]:
        """Views of one split, in file order."""
        return tuple(view for view in self.views if view.split == name)

    def sparse_points(self) -> SparsePoints | None:
        """The sparse points, from their file where they have one, or None.

        Raises
        ------
        UserError
            The file cannot be read.
        """
        if self.points is None and self.points_path is not None:
            return read_points(self.points_path)
        return self.points
