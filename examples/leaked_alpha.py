"""Measure the alpha that renders still have where only the erased part covered the picture.

``python leaked_alpha.py RENDERS TRUTH TRUTH_WITHOUT_THE_PART`` prints one JSON object.
"""

import json
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np


def alpha(path: Path) -> np.ndarray:
    return iio.imread(path, mode="RGBA").astype(np.float64)[..., 3] / 255


def main(renders: Path, truth: Path, without: Path) -> dict:
    leaks = []
    for picture in sorted((truth / "test").glob("*.png")):
        only_part = (alpha(picture) > 0.99) & (alpha(without / "test" / picture.name) == 0)
        leaks.append(alpha(renders / "test" / picture.name)[only_part])
    values = np.concatenate(leaks)
    return {
        "rays": len(values),
        "mean": float(values.mean()),
        "percentile_99": float(np.percentile(values, 99)),
        "max": float(values.max()),
    }


if __name__ == "__main__":
    print(json.dumps(main(*map(Path, sys.argv[1:4]))))
