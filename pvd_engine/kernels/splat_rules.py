"""What makes the picture of a cloud of Gaussian splats: a pinhole camera, and rules.

The programs that train splats differ in small rules of image formation, and a cloud looks as it
should only under the rules that it was trained by.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

TILE = 16
"""Pixels along each side of the tiles that a picture is cut into, from its top left corner."""

BLUR = 0.3
"""Variance in px² that is added to every splat on the screen, so that none falls between pixels."""

FAINTEST = 1 / 255
"""Opacity in a pixel below which a splat is not drawn there."""

DARKEST = 1e-4
"""Transmittance that no further splat may push a pixel below."""

CLAMP = 0.3
"""How far outside the picture, in halves of its size, a splat is still projected by the derivative
of the projection at its own centre; one further out takes the derivative at that border."""

CHANNELS = 5
"""Red, green, blue, alpha and depth of a pixel."""


@dataclass(frozen=True)
class SplatRules:
    """Rules by which splats become a picture.

    Attributes
    ----------
    near : float
        Distance along the viewing direction up to which a splat is left out.
    most_opaque : float
        Largest opacity of a splat in a pixel.
    square : bool
        Whether a splat is drawn only in the tiles that meet the square around three of its
        largest standard deviations, rounded up to pixels.
    antialiased : bool
        Whether a splat that `BLUR` makes larger becomes as much fainter (Yu et al.,
        "Mip-Splatting", 2024).
    smallest_ratio : float
        Lower bound of the ratio of areas, squared, by which it does.
    """

    near: float
    most_opaque: float
    square: bool
    antialiased: bool = False
    smallest_ratio: float = 0.0


INRIA = SplatRules(near=0.2, most_opaque=0.99, square=True, smallest_ratio=2.5e-5)
"""Rules of the original program (Kerbl et al., "3D Gaussian splatting for real-time radiance
field rendering", 2023)."""

GSPLAT = SplatRules(near=0.01, most_opaque=0.999, square=False)
"""Rules of gsplat, the library of nerfstudio."""


@dataclass(frozen=True)
class SplatCamera:
    """A pinhole camera: x right, y down, looking along +z, as in OpenCV.

    Attributes
    ----------
    world_to_camera : (3, 4) float32
        Rotation and translation.
    fx, fy : float
        Focal lengths in pixels.
    cx, cy : float
        Principal point in pixels; the centre of the first pixel is at (0.5, 0.5).
    width, height : int
        Size of the picture.
    first_row, last_row : int
        The picture is made from this row up to, but without, the other. The first is a multiple
        of `TILE`. A last row of -1 is the end of the picture.
    """

    world_to_camera: Tensor
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    first_row: int = 0
    last_row: int = -1

    def __post_init__(self) -> None:
        if self.world_to_camera.shape != (3, 4):
            raise ValueError("world_to_camera must be (3, 4)")
        if min(self.width, self.height, self.fx, self.fy) <= 0:
            raise ValueError("the size of the picture and the focal lengths must be positive")
        if self.first_row % TILE or not 0 <= self.first_row < self.stop <= self.height:
            raise ValueError(f"rows must lie in the picture, the first at a multiple of {TILE}")

    @property
    def stop(self) -> int:
        """One past the last row that is made."""
        return self.height if self.last_row < 0 else self.last_row

    @property
    def rows(self) -> int:
        """Number of rows that are made."""
        return self.stop - self.first_row

    @property
    def tiles(self) -> tuple[int, int]:
        """Number of tiles along x, and along y of the rows that are made."""
        return -(-self.width // TILE), -(-self.rows // TILE)

    @property
    def eye(self) -> Tensor:
        """Position of the camera in the world, (3,) float32."""
        return -self.world_to_camera[:, :3].T @ self.world_to_camera[:, 3]

    @property
    def slopes(self) -> tuple[float, float, float, float]:
        """Bounds of x / z, and of y / z, at which `CLAMP` lets splats be projected."""
        more_x = CLAMP * self.width / 2 / self.fx
        more_y = CLAMP * self.height / 2 / self.fy
        return (
            -self.cx / self.fx - more_x,
            (self.width - self.cx) / self.fx + more_x,
            -self.cy / self.fy - more_y,
            (self.height - self.cy) / self.fy + more_y,
        )


@dataclass(frozen=True)
class SplatPicture:
    """Pixels of a picture, without a background.

    Attributes
    ----------
    color : (H, W, 3) float32
        Premultiplied by alpha.
    alpha : (H, W) float32
    depth : (H, W) float32
        Weighted sum of the centres' distances along the viewing direction (camera z); divided by
        alpha it is the expected one.
    """

    color: Tensor
    alpha: Tensor
    depth: Tensor

    @classmethod
    def of(cls, channels: Tensor) -> "SplatPicture":
        """Return the picture that the channels (H, W, 5) of all pixels make."""
        return cls(channels[..., :3], channels[..., 3], channels[..., 4])


class SplatUse:
    """What a picture makes of each splat; a backward pass fills it, for those who densify.

    Attributes
    ----------
    screen_gradient : (N, 2) float32
        Gradient with respect to the centre on the screen, per pixel.
    weight : (N,) float32
        Largest weight in any pixel; 0 for a splat that is not seen.
    """

    def __init__(self) -> None:
        self.screen_gradient = torch.empty(0, 2)
        self.weight = torch.empty(0)
