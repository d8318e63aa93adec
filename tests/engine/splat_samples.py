"""Clouds of splats for tests, and the real files that they are compared with."""

import io
import json
import zipfile

import numpy as np
import torch
from engine_process import REPOSITORY
from PIL import Image

from pvd_engine.exchange.splats.glb_layout import opened_glb
from pvd_engine.fields.splats import Splats

PUBLIC = REPOSITORY.parent / "shared" / "data" / "other_engines"
TRAINED = PUBLIC / "gaussian_splats"
REAL = PUBLIC / "real_splats"


def cloud(count, degree, seed=0):
    """Return splats like trained ones: thin, of all opacities, brighter and darker than display."""
    random = np.random.default_rng(seed)
    quaternions = random.normal(size=(count, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    sh = random.normal(scale=0.2, size=(count, (degree + 1) ** 2, 3))
    arrays = [
        random.uniform(-3, 5, size=(count, 3)),
        np.exp(random.uniform(-7, -1, size=(count, 3))),
        quaternions,
        random.uniform(0.01, 0.99, size=count),
        sh,
    ]
    return Splats(*(torch.tensor(part, dtype=torch.float32) for part in arrays))


def largest_error(actual, expected):
    """Return the largest absolute difference."""
    return float(np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64)).max())


def colors(splats, directions):
    """Return the colours (N, D, 3) in directions (D, 3), by SciPy's harmonics, not the engine's."""
    from scipy.special import sph_harm_y

    x, y, z = np.asarray(directions, np.float64).T
    polar, azimuth = np.arccos(np.clip(z, -1, 1)), np.arctan2(y, x)
    columns = []
    for band in range(splats.degree + 1):
        for order in range(-band, band + 1):
            value = sph_harm_y(band, abs(order), polar, azimuth)  # with Condon-Shortley's sign
            part = value.real if order >= 0 else value.imag
            columns.append(part * (2**0.5 if order else 1))
    basis = np.stack(columns, axis=1)
    return np.maximum(0.5 + np.einsum("dk,nkc->ndc", basis, np.asarray(splats.sh, np.float64)), 0)


def glb_parts(path):
    """Return the JSON and the binary chunk of a .glb."""
    with opened_glb(path) as glb:
        glb.file.seek(glb.begin)
        return glb.content, glb.file.read(glb.size)


def webp(width, height, alpha=255, color=0):
    """Return a lossless WebP of one colour."""
    file, pixels = io.BytesIO(), np.full((height, width, 4), color, np.uint8)
    pixels[..., 3] = alpha
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, exact=True)
    return file.getvalue()


def sog(meta=None, files=None, without=(), count=300):
    """Return a .sog of equal splats of degree 1, with changes of its JSON and its images."""
    table = np.linspace(-5, 0, 256).tolist()
    content = {
        "version": 2,
        "count": count,
        "means": {"mins": [0, 0, 0], "maxs": [1, 1, 1], "files": ["l", "u"]},
        "scales": {"codebook": table, "files": ["s"]},
        "quats": {"files": ["q"]},
        "sh0": {"codebook": table, "files": ["c"]},
        "shN": {"count": 10, "bands": 1, "codebook": table, "files": ["p", "n"]},
        **(meta or {}),
    }
    images = {name: webp(20, 16) for name in "lusc"} | {
        "q": webp(20, 16, 252),
        "p": webp(64 * 3, 1),
        "n": webp(20, 16),
        **(files or {}),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if "meta.json" not in without:
            archive.writestr("meta.json", json.dumps(content))
        for name, data in images.items():
            if name not in without:
                archive.writestr(name, data)
    return file.getvalue()
