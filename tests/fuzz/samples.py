"""One valid input of each reader, and how the engine looks at it."""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenEXR
import torch
from PIL import Image

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))

from capture_files import ring, write_json, write_nerf_synthetic, write_transforms
from colmap_files import made_model, write_colmap
from edit_shapes import cube
from format_files import (
    write_donerf,
    write_dtu,
    write_llff,
    write_nsvf,
    write_polycam,
    write_realitycapture,
)
from splat_samples import cloud, sog

from pvd_engine import PROTOCOL_VERSION, __version__
from pvd_engine.cli import VERBS
from pvd_engine.data.formats.cameras_json import read_cameras
from pvd_engine.data.geometry.points import read_points, write_ply
from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.edits_json import read_edits
from pvd_engine.edit.merged_field import MergedField
from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.regions import BoxRegion, GridRegion, SphereRegion
from pvd_engine.errors import UserError
from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.splat_files import (
    is_named_as_splats,
    read_splats,
    write_splats,
)
from pvd_engine.fields.architectures import make_field
from pvd_engine.fields.base import Renderable
from pvd_engine.fields.gaussians import GaussianField
from pvd_engine.fields.light_field import LightField, Reach
from pvd_engine.fields.radiance_field import RadianceField
from pvd_engine.fields.storage import load_any_field, save_field
from pvd_engine.files.images import load_image, shows_through, write_png
from pvd_engine.jobs.folder import read_request
from pvd_engine.jobs.job import Job
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs import import_splats
from pvd_engine.verbs.import_splats import ImportArguments
from pvd_engine.verbs.info import describe_field
from tests.fuzz.checks import (
    check_capture,
    check_image,
    check_json,
    check_points,
    check_refusal,
    check_sentence,
    check_splats,
    check_views,
)


@dataclass(frozen=True)
class Sample:
    """A reader's input.

    Attributes
    ----------
    write : callable
        Makes the valid input in an empty folder.
    look : callable
        Reads what the folder holds and checks what comes of it; may raise `UserError`.
    """

    write: Callable[[Path], object]
    look: Callable[[Path], object] = check_capture


def _nerfstudio(folder: Path) -> None:
    """The keys of nerfstudio's ``transforms.json``, with sparse points."""
    content = write_transforms(
        folder,
        4,
        w=8,
        h=6,
        k1=0.02,
        p2=0.01,
        camera_model="OPENCV",
        applied_transform=[[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]],
        aabb_scale=4,
        ply_file_path="points.ply",
    )
    paths = [frame["file_path"] for frame in content["frames"]]
    content |= {"train_filenames": paths[:3], "test_filenames": paths[3:]}
    write_json(folder / "transforms.json", content)
    write_ply(folder / "points.ply", np.eye(3), np.full((3, 3), 9, np.uint8))


def _instant_ngp(folder: Path) -> None:
    """The keys of instant-ngp and others that are rewritten before they are read."""
    content = write_transforms(
        folder,
        4,
        fl_x="10.5",
        n_frames=4,
        sharpness_discard_threshold=0.5,
        rolling_shutter=[0.0, 0.1, 1.0, 0.2],
        from_na=True,
        white_transparent=True,
        camera_model="OPENCV_FISHEYE",
        fisheye_crop_radius=3,
        w=8,
    )
    for frame, end in zip(content["frames"], reversed(content["frames"]), strict=True):
        frame |= {
            "transform_matrix_start": frame["transform_matrix"],
            "transform_matrix_end": end["transform_matrix"],
            "sharpness": 10.0,
        }
    content["test_frames"] = {"images/003.png": content["frames"].pop()}
    (folder / "transforms.json").write_text(f"// made by hand\n{json.dumps(content, indent=1)}")


def _images(folder: Path) -> None:
    """Pictures of every kind that is read, in 8 bits and in 16."""
    picture = np.random.default_rng(0).integers(0, 256, (12, 10, 4), dtype=np.uint8)
    rgba = Image.fromarray(picture)
    rgba.save(folder / "a.png")
    rgba.convert("P").save(folder / "palette.png")
    Image.fromarray(picture.view(np.uint16)[..., 0].copy()).save(folder / "deep.png")
    rgba.convert("CMYK").save(folder / "cmyk.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba.convert("RGB").save(folder / "turned.jpg", exif=exif)
    rgba.save(folder / "a.webp")
    rgba.save(folder / "a.tif", compression="tiff_lzw")
    rgba.convert("RGB").save(folder / "a.bmp")
    write_png(folder / "deep_color.png", picture.astype(np.uint16) * 257)
    linear = (picture / 128).astype(np.float32)
    planes = {name: linear[..., index].copy() for index, name in enumerate("RGBA")}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, planes).write(str(folder / "a.exr"))
    runs = b"".join(bytes([2, 2, 0, 10]) + bytes([138, 100 + row]) * 4 for row in range(12))
    (folder / "a.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 12 +X 10\n" + runs)


def _look_at_each(folder: Path, look: Callable[[Path], None]) -> None:
    """Look at all files of a folder, also at those after one that is refused."""
    refusals = []
    for path in sorted(folder.iterdir()):
        try:
            look(path)
        except UserError as error:
            check_refusal(error)
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _look_at_images(folder: Path) -> None:
    _look_at_each(folder, _look_at_image)


def _look_at_image(path: Path) -> None:
    rgba = load_image(path)
    check_image(rgba)
    assert shows_through(path) == (rgba[..., 3].min() < np.iinfo(rgba.dtype).max)


def _points(folder: Path) -> None:
    positions = np.arange(12.0).reshape(4, 3)
    write_ply(folder / "binary.ply", positions, np.full((4, 3), 7, np.uint8))
    properties = [f"property float {name}" for name in "xyz"]
    properties += [f"property uchar {name}" for name in ("red", "green", "blue")]
    header = ["ply", "format ascii 1.0", "element vertex 2", *properties, "end_header"]
    (folder / "text.ply").write_text("\n".join([*header, "0 1 2 3 4 5", "1 2 3 4 5 6", ""]))


def _look_at_points(folder: Path) -> None:
    _look_at_each(folder, lambda path: check_points(read_points(path)))


def _cameras(folder: Path) -> None:
    lens = {"width": 8, "height": 6, "fx": 9.0, "fy": 9.0, "cx": 4.0, "cy": 3.0}
    lens |= {"distortion_model": "opencv_fisheye", "distortion": {"k1": 0.1}}
    entries = [
        {"name": f"a/{index}", "camera_to_world": pose.tolist(), **lens}
        for index, pose in enumerate(ring(3))
    ]
    write_json(folder / "cameras.json", {"cameras": entries})


BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])
TINY = {
    "hash": {
        "levels": 2,
        "features": 2,
        "log2_table_size": 6,
        "base_resolution": 4,
        "finest_resolution": 8,
    },
    "mlp": {"hidden": 8, "layers": 3, "skip": 1, "frequencies": 2},
    "sparse_tensor": {"resolution": 16},
    "vm": {"resolution": 9, "density_rank": 2, "color_rank": 2},
    "cp": {"resolution": 9, "density_rank": 2, "color_rank": 2},
}
"""Sizes of encoders."""


def _radiance_field(name: str) -> RadianceField:
    torch.manual_seed(0)
    parts = [{"type": part, **TINY[part]} for part in name.split("+")]
    encoder = parts[0] if len(parts) == 1 else {"type": "composition", "parts": parts}
    decoder = {"type": "sh", "degree": 1} if name == "sparse_tensor" else {"type": "mlp"}
    spec = {"name": name, "preset": "small", "encoder": encoder, "decoder": decoder}
    return make_field(spec, BoxMap(BOX), OccupancyGrid(BoxMap(BOX), 8))


def _edited_field() -> EditedField:
    corners, faces = cube(np.diag([0.2, 0.2, 0.2, 1.0]))
    grid = GridRegion(np.eye(4, dtype=bool)[..., None], BOX.double().numpy(), "a.npz")
    to = np.eye(4)
    to[0, 3] = 0.5
    edits = [
        Edit("erase", grid, soft=0.1),
        Edit("keep", SphereRegion(np.zeros(3), 0.9)),
        Edit("move", BoxRegion(np.full(3, -0.1), np.full(3, 0.1)), to=Placement(to)),
        Edit("tint", MeshRegion(corners, faces), color=(1.0, 0.5, 0.5)),
    ]
    return EditedField(_radiance_field("hash"), edits)


def _merged_field() -> MergedField:
    to = np.eye(4)
    to[1, 3] = 1.5
    parts = [_radiance_field("hash"), _radiance_field("cp")]
    return MergedField(parts, [Placement.identity(), Placement(to)])


def _light_field() -> LightField:
    ray = {
        "points": 4,
        "encoding": {"type": "hash", **TINY["hash"]},
        "interval": "visible",
        "skip_empty": True,
    }
    network = {"width": 8, "depth": 4}
    spec = {"name": "light_field", "preset": "small", "network": network, "ray": ray}
    camera = {"width": 8.0, "height": 8.0, "fx": 9.0, "fy": 9.0, "cx": 4.0, "cy": 4.0}
    ranges = [[1.0, 2.0], [0.0, 1.0], [0.0, 1.0]]
    region = PoseDistribution([0.0] * 3, 0.1, *ranges, [0.0, 0.0, 1.0], camera)
    reach = Reach(0.1, 5.0, BOX.tolist(), region.to_json())
    codes = torch.full((8**3,), 120, dtype=torch.uint8)
    return LightField(spec, OccupancyGrid(BoxMap(BOX), 8), reach, codes)


def _gaussians() -> GaussianField:
    spec = {"name": "gaussians", "splats": 0, "degree": 1, "rules": "inria", "antialiased": False}
    field = GaussianField(spec, OccupancyGrid(BoxMap(BOX), 8), 0.01)
    field.take(cloud(20, 1))
    return field


FIELDS: dict[str, Callable[[], Renderable]] = {
    **{name: lambda name=name: _radiance_field(name) for name in (*TINY, "hash+vm")},
    "edited": _edited_field,
    "merged": _merged_field,
    "light_field": _light_field,
    "gaussians": _gaussians,
}
"""Fields of every kind, by the name that their format has here."""


def _request(folder: Path) -> None:
    arguments = {"capture": "lego", "out": "a.safetensors", "steps": 3, "crop": [0, 0, 0, 1, 1, 1]}
    request = {"verb": "train", "arguments": arguments}
    versions = {"protocol": PROTOCOL_VERSION, "engine": __version__}
    write_json(folder / "request.json", request | versions)


def _look_at_request(folder: Path) -> None:
    check_json(read_request(folder, VERBS).to_json())


def _look_at_field(folder: Path) -> None:
    path = folder / "field.safetensors"
    check_json(describe_field(path))
    load_any_field(path)


def _edits(folder: Path) -> None:
    np.savez(
        folder / "grid.npz",
        density=np.ones((2, 3, 4), np.float32),
        original=np.ones((2, 3, 4), np.float32),
        box=np.array([[0.0] * 3, [1.0] * 3]),
    )
    corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    faces = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
    entries = [
        {"op": "keep", "region": {"grid": "grid.npz"}},
        {"op": "erase", "region": {"sphere": {"center": [0, 0, 0], "radius": 0.5}}, "soft": 0.1},
        {"op": "tint", "region": {"box": {"min": [0] * 3, "max": [1] * 3}}, "color": [1, 0, 1]},
        {"op": "move", "region": {"box": {"matrix": np.eye(4).tolist()}}, "to": np.eye(4).tolist()},
        {"op": "scale_density", "region": {"mesh": {"vertices": corners, "faces": faces}}},
    ]
    entries[-1]["factor"] = 0.5
    (folder / "edits.json").write_text(json.dumps(entries))


def _look_at_edits(folder: Path) -> None:
    points = torch.tensor([[0.2, 0.2, 0.2], [9.0, 9.0, 9.0]])
    for edit in read_edits(folder / "edits.json"):
        assert edit.region.contains(points).dtype == torch.bool


SPLATS = ("a.ply", "a.compressed.ply", "a.splat", "a.glb", "a.spz", "v4.spz", "a.sog")
"""Splat files, by their name."""


def _splats(folder: Path, name: str) -> None:
    if name == "a.sog":
        (folder / name).write_bytes(sog(count=20))
        return
    write_splats(cloud(20, 1), folder / name, SplatOptions(spz_version=4 if "v4" in name else 3))


def _look_at_splats(folder: Path) -> None:
    for path in folder.iterdir():
        found = read_splats(path)
        check_splats(found.splats)
        for sentence in found.notes:
            check_sentence(sentence)


def _trained_splats(folder: Path) -> None:
    """A cloud and the cameras of its training."""
    write_splats(cloud(20, 1), folder / "cloud.ply")
    size = {"width": 8, "height": 6, "fx": 9.0, "fy": 9.0}
    entries = [
        {
            "id": index,
            "img_name": f"{index}",
            "position": pose[:3, 3].tolist(),
            "rotation": (pose[:3, :3] @ np.diag([1, -1, -1])).tolist(),
            **size,
        }
        for index, pose in enumerate(ring(3))
    ]
    write_json(folder / "cameras.json", entries)


def _look_at_imported(folder: Path) -> None:
    """Import a cloud through the verb, by the cameras that it finds, and load the field."""
    with tempfile.TemporaryDirectory(prefix="imported-") as temporary:
        out, job = Path(temporary) / "field.safetensors", Job(Path(temporary) / "job")
        for path in folder.iterdir():
            if not is_named_as_splats(path):
                continue
            told = import_splats.run(ImportArguments(cloud=path, out=out, device="cpu"), job)
            for sentence in told["warnings"]:
                check_sentence(sentence)
            check_json(describe_field(out))
            field = load_any_field(out)
            assert isinstance(field, GaussianField)
            check_splats(field.splats().detached())
        job.close()


SAMPLES = {
    "transforms": Sample(_nerfstudio),
    "instant_ngp": Sample(_instant_ngp),
    "nerf_synthetic": Sample(
        lambda folder: write_nerf_synthetic(folder, {"train": 3, "val": 1, "test": 1})
    ),
    "donerf": Sample(write_donerf),
    "llff": Sample(write_llff),
    "nsvf": Sample(write_nsvf),
    "dtu": Sample(write_dtu),
    "polycam": Sample(write_polycam),
    "realitycapture": Sample(write_realitycapture),
    "colmap_binary": Sample(lambda folder: write_colmap(folder, made_model(4), (8, 6))),
    "colmap_text": Sample(lambda folder: write_colmap(folder, made_model(4), (8, 6), binary=False)),
    "images": Sample(_images, _look_at_images),
    "points": Sample(_points, _look_at_points),
    "cameras": Sample(_cameras, lambda folder: check_views(read_cameras(folder / "cameras.json"))),
    **{
        f"field_{name}": Sample(
            lambda folder, make=make: save_field(folder / "field.safetensors", make()),
            _look_at_field,
        )
        for name, make in FIELDS.items()
    },
    **{
        f"splats_{name}": Sample(lambda folder, name=name: _splats(folder, name), _look_at_splats)
        for name in SPLATS
    },
    "trained_splats": Sample(_trained_splats, _look_at_imported),
    **{
        f"import_{name}": Sample(lambda folder, name=name: _splats(folder, name), _look_at_imported)
        for name in SPLATS
    },
    "request": Sample(_request, _look_at_request),
    "edits": Sample(_edits, _look_at_edits),
}
"""By the name of the format."""
