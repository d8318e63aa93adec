"""Blender's own importers, from 5.3 on, read the engine's splat files."""

import bpy
import numpy as np
import pytest
from engine_run import printed

pytestmark = pytest.mark.skipif(bpy.app.version < (5, 3, 0), reason="Blender 5.3 has splats")

WRITE = """
import sys
from pathlib import Path
import numpy as np
import torch
from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.splat_files import write_splats
from pvd_engine.fields.splats import Splats, transformed

folder, random = Path(sys.argv[1]), np.random.default_rng(0)
turns = random.normal(size=(200, 4))
turns /= np.linalg.norm(turns, axis=1, keepdims=True)
parts = [
    random.uniform(-2, 3, (200, 3)), np.exp(random.uniform(-5, -1, (200, 3))), turns,
    random.uniform(0.02, 0.98, 200), random.normal(scale=0.15, size=(200, 16, 3)),
]
splats = Splats(*(torch.tensor(part, dtype=torch.float32) for part in parts))
write_splats(splats, folder / "a.ply")
for version in (3, 4):
    write_splats(splats, folder / f"v{version}.spz", SplatOptions(spz_version=version))
# Blender turns the axes of an .spz, right, up, back, to its own: right, forward, up.
upright = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
for name, cloud in (("ply", splats), ("spz", transformed(splats, upright)[0])):
    np.savez(folder / f"{name}.npz", centers=cloud.centers, scales=cloud.scales,
             opacities=cloud.opacities, sh=cloud.sh)
"""


@pytest.fixture(scope="module")
def files(engine_python, tmp_path_factory):
    """A folder with splats in files, and with what Blender is to make of them."""
    folder = tmp_path_factory.mktemp("splats")
    printed(engine_python, "-c", WRITE, folder)
    return folder


def imported(path):
    """Positions, scales, opacities and coefficients of what Blender imports."""
    getattr(bpy.ops.wm, f"{path.suffix[1:]}_import")(filepath=str(path))
    (shown,) = bpy.context.selected_objects
    assert shown.data.type == "GAUSSIAN_SPLAT"

    def values(name, width, key):
        found = np.empty(200 * width, np.float32)
        shown.data.attributes[name].data.foreach_get(key, found)
        return found.reshape(200, width)

    base = values("radiance:base", 4, "vector")
    rest = [values(f"radiance:sh_{number}", 3, "vector") for number in range(15)]
    sh = np.stack([base[:, :3], *rest], axis=1)
    matrix = np.array(shown.matrix_world)
    centers = values("position", 3, "vector") @ matrix[:3, :3].T + matrix[:3, 3]
    return centers, values("scale", 3, "vector"), base[:, 3], sh


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("a.ply", (0, 1e-6, 1e-6, 0)),
        ("v3.spz", (1.3e-4, 0.033, 0.002, 0.0626)),
        ("v4.spz", (1.3e-4, 0.033, 0.002, 0.0626)),
    ],
)
def test_blender_imports_what_the_engine_writes(files, name, steps):
    truth = np.load(files / f"{name[-3:]}.npz")
    centers, scales, opacities, sh = imported(files / name)
    assert np.abs(centers - truth["centers"]).max() <= steps[0]
    relative = np.sort(scales, axis=1) / np.sort(truth["scales"], axis=1) - 1
    assert np.abs(relative).max() <= steps[1]
    assert np.abs(opacities - truth["opacities"]).max() <= steps[2]
    # Turned after rounding, coefficients differ by some steps of their band at most.
    assert np.abs(sh - truth["sh"]).max() <= 2.5 * steps[3]
