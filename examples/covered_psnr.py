"""Measure the PSNR over the covered pixels, so that empty background does not count.

``python covered_psnr.py PICTURES TRUTH [WITHOUT]`` compares the test views of two folders where the
truth's alpha is above 0 and, with the third folder, that one's is 0; it prints one JSON object.
"""

import json
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np


def rgba(folder: Path, name: str) -> np.ndarray:
    return iio.imread(folder / "test" / name, mode="RGBA").astype(np.float64) / 255


def on_white(picture: np.ndarray) -> np.ndarray:
    return picture[..., :3] * picture[..., 3:] + 1 - picture[..., 3:]


def main(pictures: Path, truth: Path, without: Path | None = None) -> dict:
    values, pixels = [], 0
    for path in sorted((truth / "test").glob("*.png")):
        wanted = rgba(truth, path.name)
        covered = wanted[..., 3] > 0
        if without is not None:
            covered &= rgba(without, path.name)[..., 3] == 0
        errors = (on_white(rgba(pictures, path.name)) - on_white(wanted))[covered]
        values.append(-10 * np.log10(np.mean(errors**2)))
        pixels += int(covered.sum())
    return {"psnr": float(np.mean(values)), "pixels": pixels}


if __name__ == "__main__":
    print(json.dumps(main(*map(Path, sys.argv[1:4]))))
