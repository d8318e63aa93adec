"""The capture, to which every format is read: cameras, images, splits, bounds, frame.

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
        Intrinsics in pixels, corner origin. For an equirectangular camera fx and fy are pixels per
        radian of longitude (to the right) and latitude (upwards), and (cx, cy) is the direction
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
        Coefficients by name; missing ones are zero.
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
    """A camera of a capture, with its image if it has one.

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
        Size of the image file, where the camera's size is smaller.
    mask_path : Path or None
        An image that is black where pixels do not count; None without a mask.
    mask_hides : bool
        The mask is black where pixels count, and nowhere else.
    mask_radius : float or None
        Pixels farther than this from the image's middle, in widths of the image, do not count.
    alpha_path : Path or None
        An image whose red channel, in linear light, is the alpha of the image.
    clear_levels : tuple of {0, 1}
        Levels of grey, as fractions of white, of the pixels that are transparent.
    exposure : float
        Stops by which an image of linear light is brightened when it becomes display colour.
    """

    name: str
    camera: Camera
    split: str
    image_path: Path | None
    stored_size: tuple[int, int] | None = None
    mask_path: Path | None = None
    mask_hides: bool = False
    mask_radius: float | None = None
    alpha_path: Path | None = None
    clear_levels: tuple[int, ...] = ()
    exposure: float = 0.0

    @property
    def is_masked(self) -> bool:
        """True where some pixels may not count."""
        return self.mask_path is not None or self.mask_radius is not None

    @property
    def is_cut_out(self) -> bool:
        """True where the image's transparency is stated outside of its file."""
        return self.alpha_path is not None or bool(self.clear_levels)


@dataclass(frozen=True)
class Frame:
    """The frame that a file states, kept so that an export writes the same numbers again.

    Attributes
    ----------
    applied_transform : (3, 4) float64 array
        From the original world to the dataset frame; identity when the file has none.
    aabb_scale, scale, offset
        Fields of instant-ngp as the file states them, or None.
    applied_scale
        Scale of nerfstudio that belongs to `applied_transform`, or None.
    aabb : (2, 3) float64 array or None
        Explicit box of instant-ngp, dataset frame.
    """

    applied_transform: np.ndarray = field(default_factory=lambda: np.eye(4)[:3])
    aabb_scale: float | None = None
    scale: float | None = None
    offset: tuple[float, float, float] | None = None
    applied_scale: float | None = None
    aabb: np.ndarray | None = None

    @property
    def has_box(self) -> bool:
        """True when the file states the scene's box."""
        return any(
            value is not None for value in (self.aabb, self.aabb_scale, self.scale, self.offset)
        )


@dataclass(frozen=True)
class Capture:
    """A dataset: views in their splits, the scene's bounds and its frame.

    Attributes
    ----------
    name : str
        Name of the dataset's folder.
    root : Path
    format : str
        ``"nerf_synthetic"``, ``"transforms"``, ``"donerf"``, ``"llff"``, ``"nsvf"``, ``"dtu"``,
        ``"polycam"``, ``"realitycapture"`` or ``"colmap"``; ``"cameras"`` is without images.
    views : tuple of View
    box : (2, 3) float64 array
        Minimum and maximum corner of the scene, dataset frame.
    box_source : str
        Origin of the box, one sentence.
    frame : Frame
    has_alpha : bool
        True when the images have transparency (objects on a transparent background).
    bounded : bool
        True when the files state that the box holds all that the images show.
    nearest : float or None
        Smallest depth along the optical axes at which the files state content; None if unknown.
    notes : tuple of str
        Sentences about guesses, changes and omissions while reading.
    points_path : Path or None
        PLY file of the cameras' sparse points, dataset frame.
    points : SparsePoints or None
        The sparse points, dataset frame, where the format does not keep them in a PLY file.
    downscale : int
        Divisor of the width and height of the images.
    exposure : float or None
        Stops by which the images of linear light are brightened; None where there are none.
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
    exposure: float | None = None

    def split(self, name: str) -> tuple[View, ...]:
        """Return the views of one split, in file order."""
        return tuple(view for view in self.views if view.split == name)

    def sparse_points(self) -> SparsePoints | None:
        """Return the sparse points, read from their file where they have one, or None.

        Raises
        ------
        UserError
            The file cannot be read.
        """
        if self.points is None and self.points_path is not None:
            return read_points(self.points_path)
        return self.points
