"""The ``.glb`` with glTF's extension KHR_gaussian_splatting: every value as float32.

Scales and opacities are linear, quaternions x, y, z, w, and the coefficients stand as in a
``.ply``, up to degree 3. glTF's axes are x left, y up, z forward; nodes may place the splats.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ... import __version__
from ...errors import UserError
from ...fields.quaternions import normalized, rotation_matrices
from ...fields.splats import Splats, concatenated, transformed
from ...files.atomic import write_bytes
from ...files.checked_json import InvalidJsonError, checked_numbers
from ...kernels.harmonics import SH_0
from .axes import LEFT_UP_FORWARD, turned
from .contract import ImportedSplats, SplatOptions
from .glb_layout import FLOAT, MAX_BYTES, Glb, glb_bytes, opened_glb
from .values import SMALLEST_FILE, arrays_of, checked_splats, cut_to_degree

EXTENSION = "KHR_gaussian_splatting"
POINTS = 0
"""glTF's code of the primitive mode for points."""

COLOR_SPACE = "srgb_rec709_display"
"""Colours are display values, as those of 3DGS are."""

MAX_NODES = 1000
"""Most nodes that are walked."""

MAX_CLOUDS = 200
"""Most clouds of splats that its nodes place."""

MOST_PLACED = 4
"""Most bytes of placed splats for each byte of the file: the same cloud may stand several times."""

ARRAY_BUFFER = 34962
"""glTF's code of a buffer view that holds vertices."""


def read_glb_splats(path: Path, options: SplatOptions) -> ImportedSplats:
    """Read the splats of a ``.glb``, placed by its nodes.

    Raises
    ------
    UserError
        The file cannot be read, is damaged, or holds no splats in the form that is read.
    """
    with opened_glb(path) as glb:
        splats, notes = _all_splats(glb)
    if options.turn_axes:
        splats = turned(splats, LEFT_UP_FORWARD)
        frame = "x and y were negated, as a .glb has x left and y up where a .ply has y down."
    else:
        frame = "The axes of the .glb are used as they are."
    return ImportedSplats(splats, [frame, *notes])


def write_glb_splats(splats: Splats, path: Path, options: SplatOptions) -> list[str]:
    """Write a ``.glb``.

    Returns
    -------
    list of str
        The frame, and what was cut.

    Raises
    ------
    UserError
        The splats are not finite or too many, or the file cannot be written.
    """
    splats, notes = cut_to_degree(splats, 3, "A .glb")
    if options.turn_axes:
        splats = turned(splats, LEFT_UP_FORWARD)
    centers, scales, rotations, opacities, sh = arrays_of(splats)
    color = np.concatenate([0.5 + SH_0 * sh[:, 0], opacities[:, None]], axis=1).clip(0, 1)
    parts: dict[str, np.ndarray] = {
        "POSITION": centers,
        "COLOR_0": np.rint(color * 255).astype(np.uint8),  # for programs without the extension
        f"{EXTENSION}:ROTATION": np.roll(rotations, -1, axis=1),
        f"{EXTENSION}:SCALE": scales,
        f"{EXTENSION}:OPACITY": opacities[:, None],
    }
    names = [_coefficient(degree, at) for degree in range(4) for at in range(2 * degree + 1)]
    for name, values in zip(names, sh.swapaxes(0, 1), strict=False):
        parts[name] = values
    binary = b"".join(np.ascontiguousarray(part).tobytes() for part in parts.values())
    if len(binary) > MAX_BYTES - (1 << 20):
        raise UserError(f"{len(splats)} splats are too many for one .glb; save them as .ply.")
    write_bytes(path, glb_bytes(_content(parts), binary))
    if options.turn_axes:
        frame = "x and y were negated: a .glb has x left and y up where a .ply has y down."
    else:
        frame = "The axes were written as they are, though a .glb has x left and y up."
    return [frame, *notes]


def _content(parts: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the JSON for arrays that stand one after the other in the binary chunk."""
    views, accessors, start = [], [], 0
    for part in parts.values():
        whole = part.dtype == np.uint8
        views.append({"buffer": 0, "byteOffset": start, "byteLength": part.nbytes})
        views[-1]["target"] = ARRAY_BUFFER
        accessors.append(
            {
                "bufferView": len(accessors),
                "componentType": 5121 if whole else FLOAT,
                "count": len(part),
                "type": "SCALAR" if part.shape[1] == 1 else f"VEC{part.shape[1]}",
                **({"normalized": True} if whole else {}),
            }
        )
        start += part.nbytes
    positions = parts["POSITION"]
    accessors[0] |= {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    stated = {
        "kernel": "ellipse",
        "colorSpace": COLOR_SPACE,
        "sortingMethod": "cameraDistance",
        "projection": "perspective",
    }
    primitive = {
        "attributes": {name: at for at, name in enumerate(parts)},
        "mode": POINTS,
        "extensions": {EXTENSION: stated},
    }
    return {
        "asset": {"version": "2.0", "generator": f"Convert Field {__version__}"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": start}],
    }


def _all_splats(glb: Glb) -> tuple[Splats, list[str]]:
    """Return the splats of all nodes, and what is to be said of them."""
    clouds: list[Splats] = []
    notes: list[str] = []
    most = max(SMALLEST_FILE, MOST_PLACED * glb.size)
    for mesh, matrix in _placed_meshes(glb):
        primitives = glb.item("meshes", mesh).get("primitives")
        for primitive in primitives if isinstance(primitives, list) else []:
            if not isinstance(primitive, dict) or EXTENSION not in _extensions(primitive):
                continue
            splats, found = _splats(glb, primitive)
            most -= splats.nbytes
            if most < 0 or len(clouds) == MAX_CLOUDS:
                raise glb.damaged("it places its splats too many times")
            if not torch.equal(matrix, torch.eye(4, dtype=torch.float64)):
                splats, more = transformed(splats, matrix)
                found += more
            clouds.append(splats)
            notes += [note for note in found if note not in notes]
    if not clouds:
        raise UserError(f"{glb.path} holds no splats; export them with {EXTENSION}.")
    return concatenated(clouds), notes


def _splats(glb: Glb, primitive: dict[str, Any]) -> tuple[Splats, list[str]]:
    stated = _extensions(primitive)[EXTENSION]
    if isinstance(stated, dict) and stated.get("extensions"):
        raise UserError(f"{glb.path} holds compressed splats; export it without compression.")
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict):
        raise glb.damaged("a primitive has no attributes")

    def array(name: str, width: int) -> np.ndarray:
        return glb.array(attributes.get(name), width)

    bands = [
        [_coefficient(degree, at) for at in range(2 * degree + 1)]
        for degree in range(4)
        if _coefficient(degree, 0) in attributes
    ]
    centers = array("POSITION", 3)
    scales = array(f"{EXTENSION}:SCALE", 3)
    rotations = np.roll(array(f"{EXTENSION}:ROTATION", 4), 1, axis=1)
    opacities = array(f"{EXTENSION}:OPACITY", 1)[:, 0]
    coefficients = [array(name, 3) for band in bands for name in band]
    arrays = (centers, scales, rotations, opacities, *coefficients)
    if (
        len({len(part) for part in arrays}) > 1
        or len(coefficients) != len(bands) ** 2
        or not coefficients
    ):
        raise glb.damaged("its arrays have different lengths, or bands are missing")
    splats, notes = checked_splats(
        glb.path, centers, scales, rotations, opacities, np.stack(coefficients, axis=1)
    )
    space = stated.get("colorSpace", COLOR_SPACE) if isinstance(stated, dict) else COLOR_SPACE
    if space != COLOR_SPACE:
        notes.append(
            "The file states that its colours are linear light; they were taken as display values."
        )
    return splats, notes


def _placed_meshes(glb: Glb) -> list[tuple[Any, Tensor]]:
    """Return each mesh that a node of the scene places, and its matrix (4, 4) float64."""
    scene = glb.item("scenes", glb.content.get("scene", 0))
    waiting = [(node, torch.eye(4, dtype=torch.float64)) for node in _list(scene, "nodes")]
    placed, walked = [], 0
    while waiting:
        index, parent = waiting.pop()
        walked += 1
        if walked > MAX_NODES:
            raise glb.damaged(f"its scene has more than {MAX_NODES} nodes, or nodes in a circle")
        node = glb.item("nodes", index)
        matrix = parent @ _matrix(glb, node)
        waiting += [(child, matrix) for child in _list(node, "children")]
        if "mesh" in node:
            placed.append((node["mesh"], matrix))
    return placed


def _matrix(glb: Glb, node: dict[str, Any]) -> Tensor:
    try:
        if "matrix" in node:  # column by column
            return torch.tensor(checked_numbers(node["matrix"], "matrix", (16,)).reshape(4, 4).T)
        move = checked_numbers(node.get("translation", [0, 0, 0]), "translation", (3,))
        turn = checked_numbers(node.get("rotation", [0, 0, 0, 1]), "rotation", (4,))
        scale = checked_numbers(node.get("scale", [1, 1, 1]), "scale", (3,))
    except InvalidJsonError as error:
        raise glb.damaged(str(error)) from error
    matrix = torch.eye(4, dtype=torch.float64)
    wxyz = normalized(torch.tensor(np.roll(turn, 1))[None])
    matrix[:3, :3] = rotation_matrices(wxyz)[0] * torch.tensor(scale)
    matrix[:3, 3] = torch.tensor(move)
    return matrix


def _coefficient(degree: int, at: int) -> str:
    return f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{at}"


def _extensions(primitive: dict[str, Any]) -> dict[str, Any]:
    extensions = primitive.get("extensions")
    return extensions if isinstance(extensions, dict) else {}


def _list(entry: dict[str, Any], key: str) -> list[Any]:
    value = entry.get(key, [])
    return value if isinstance(value, list) else []
