"""A merged field: densities add, colours weigh by density, and each part stands where it is put."""

import json
import struct

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob, uniform_points

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.poses import look_at
from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.layer import MASKED
from pvd_engine.edit.merged_field import MergedField
from pvd_engine.edit.placement import InvalidPlacementError, Placement
from pvd_engine.edit.regions import SphereRegion
from pvd_engine.errors import UserError
from pvd_engine.exchange.volume import sample_volume
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.header import FORMAT, METADATA_KEY, VERSION
from pvd_engine.fields.limits import MAX_NESTING, MAX_OCCUPANCY
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

QUARTER_TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
BALL = SphereRegion(np.array([0.3, 0, 0]), 0.4)


def similarity(rotation=None, scale=1.0, offset=(0, 0, 0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if rotation is None else rotation
    matrix[:3, :3] *= scale
    matrix[:3, 3] = offset
    return matrix


def slanted(angle: float = 0.7) -> np.ndarray:
    """A rotation about (1, 2, 2) / 3, by Rodrigues' formula."""
    x, y, z = np.array([1.0, 2, 2]) / 3
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def blob(peak=20.0, sigma=0.3, phase=0.0) -> AnalyticField:
    """Fog whose colour depends on place and direction; empty cells are known to be so."""
    density = gaussian_blob(peak, sigma)
    field = AnalyticField(
        density,
        lambda points, directions: 0.5 + (torch.sin(points * 2 + phase) + directions) / 4,
    )
    cells = torch.arange(32**3)
    centers = field.occupancy.points_in_cells(cells, torch.full((32**3, 3), 0.5))
    field.occupancy.binary.copy_((density(centers) > 0.001 * peak).view(32, 32, 32))
    return field


def real_field(name: str, seed: int = 0):
    torch.manual_seed(seed)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    field = make_field(architecture(name, "small"), BoxMap(box), OccupancyGrid(BoxMap(box), 16))
    random = torch.rand((16, 16, 16), generator=torch.Generator().manual_seed(seed))
    field.occupancy.binary.copy_(random < 0.3)
    with torch.no_grad():
        for parameter in field.encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return field


def unit(count: int, seed: int = 1) -> torch.Tensor:
    return torch.nn.functional.normalize(uniform_points(count, seed=seed), dim=1)


def by_formula(parts, matrices, points, directions):
    """Sum of densities and mean of colours, in float64, one part at a time."""
    total, color = 0, 0
    for part, matrix in zip(parts, matrices, strict=True):
        linear = torch.tensor(matrix[:3, :3])
        scale = torch.linalg.det(linear) ** (1 / 3)
        back = torch.linalg.inv(linear)
        local = ((points.double() - torch.tensor(matrix[:3, 3])) @ back.T).float()
        turned = (directions.double() @ back.T * scale).float()
        there = part.occupancy.contains(local)
        log_density, part_color = part(local, turned)
        density = log_density.double().exp() / scale * there
        total = total + density
        color = color + density[:, None] * part_color
    return total, color / total.clamp(min=1e-30)[:, None]


def test_densities_add_and_colours_weigh_by_density():
    parts = [blob(), blob(peak=35.0, sigma=0.2, phase=1.0), real_field("hash")]
    matrices = [
        np.eye(4),
        similarity(slanted(), 1.7, (0.3, 0.1, -0.2)),
        similarity(QUARTER_TURN, 0.6, (0.2, 0.2, 0)),
    ]
    merged = MergedField(parts, [Placement(matrix) for matrix in matrices])
    points, directions = uniform_points(8000), unit(8000)
    with torch.no_grad():
        density, color = by_formula(parts, matrices, points, directions)
        log_density, found = merged(points, directions)
        assert torch.equal(merged.log_density(points), log_density)
    there = density > 1e-3
    assert there.float().mean() > 0.1
    right = (log_density[there].double().exp() / density[there] - 1).abs() < 1e-3
    right &= (found[there] - color[there]).abs().amax(dim=1) < 1e-3
    assert right.float().mean() > 0.999  # the others lie on a cell's border, up to rounding
    assert (log_density[density == 0] == MASKED).all()


def test_one_part_left_in_place_gives_exactly_its_own_values():
    part = real_field("sparse_tensor")
    merged = MergedField([part], [Placement.identity()])
    points, directions = uniform_points(3000), unit(3000)
    inside = part.occupancy.contains(points)
    for value, alone in zip(merged(points, directions), part(points, directions), strict=True):
        assert torch.equal(value[inside], alone[inside])
    assert merged.step == part.step


def camera_at(position, matrix=None) -> Camera:
    pose = look_at(np.array(position, float), np.zeros(3), np.eye(3)[2])
    if matrix is not None:
        scale = np.cbrt(np.linalg.det(matrix[:3, :3]))
        pose = matrix @ pose
        pose[:3, :3] /= scale
    return Camera(pose, 40, 40, 60.0, 60.0, 20.0, 20.0)


@pytest.mark.parametrize("rotation", [QUARTER_TURN, slanted()])
def test_a_turned_and_scaled_part_looks_the_same_to_a_camera_that_goes_with_it(rotation):
    part = blob(peak=15.0)
    matrix = similarity(rotation, 2.0, (5, -3, 1))
    merged = MergedField([part], [Placement(matrix)])
    assert merged.step == pytest.approx(2 * part.step)
    there = render_image(merged, camera_at((1.5, 1.8, 1.2), matrix))
    here = render_image(part, camera_at((1.5, 1.8, 1.2)))
    assert here.alpha.max() > 0.9
    assert psnr(there.over(1.0), here.over(1.0)) > 50
    assert np.abs(there.alpha - here.alpha).max() < 1e-2
    unturned = render_image(merged, camera_at((1.5, 1.8, 1.2)))
    assert unturned.alpha.max() < 0.1


def test_the_scale_of_a_part_changes_no_opacity():
    """Light that crosses a scaled part loses what it loses in the part."""
    part = AnalyticField(lambda points: torch.full((len(points),), 0.8))
    merged = MergedField([part], [Placement(similarity(scale=3.0))])
    image = render_image(merged, camera_at((0, -20.0, 0)))
    assert image.alpha[20, 20] == pytest.approx(1 - np.exp(-0.8 * 2), abs=5e-3)


def test_no_cell_that_may_hold_something_is_empty_and_not_every_cell_is_full():
    parts = [real_field("hash", 1), blob(), real_field("hash", 2)]
    matrices = [
        similarity(slanted(), 1.3, (1.0, 0.5, 0)),
        similarity(slanted(2.0), 0.4, (-1, 0, 1)),
        similarity(QUARTER_TURN, 0.9, (0, -2.3, 0)),
    ]
    for part in parts:
        part.occupancy.binary[6:10] = 0
        part.occupancy.binary[:, :, 9:12] = 0
    merged = MergedField(parts, [Placement(matrix) for matrix in matrices])
    for part, matrix in zip(parts, matrices, strict=True):
        points = uniform_points(60_000)
        points = points[part.occupancy.contains(points)]
        placed = points.double() @ torch.tensor(matrix[:3, :3]).T + torch.tensor(matrix[:3, 3])
        assert len(points) > 1000
        assert merged.occupancy.contains(placed.float()).all()
    assert merged.occupancy.binary.float().mean() < 0.35
    assert merged.occupancy.resolution <= MAX_OCCUPANCY
    far = merged.box[0] + torch.rand((20_000, 3)) * (merged.box[1] - merged.box[0])
    with torch.no_grad():
        dense = merged.log_density(far) > MASKED
    assert merged.occupancy.contains(far)[dense].all()


def test_parts_far_apart_keep_cells_of_about_their_own_size():
    parts = [blob(), blob()]
    merged = MergedField(parts, [Placement.identity(), Placement(similarity(offset=(4, 0, 0)))])
    sides = (merged.box[1] - merged.box[0]) / merged.occupancy.resolution
    assert sides.max() < 2 / 32 * 1.05
    volume = merged.occupancy.binary.sum() * sides.prod()
    alone = 2 * parts[0].occupancy.binary.sum() * (2 / 32) ** 3
    assert alone <= volume < 2.2 * alone


def test_a_part_is_evaluated_only_at_points_in_its_cells():
    asked = []
    part = blob()
    density = part.density
    part.density = lambda points: asked.append(points) or density(points)
    merged = MergedField([part, blob()], [Placement.identity(), Placement(similarity(scale=9))])
    points = uniform_points(4000, -4, 4)
    merged.log_density(points)
    asked = torch.cat(asked)
    assert 0 < len(asked) < 100
    assert part.occupancy.contains(asked).all()


def test_a_part_without_any_cell_adds_nothing():
    empty = blob()
    empty.occupancy.binary.zero_()
    full = blob(sigma=0.1)
    merged = MergedField([empty, full], [Placement(similarity(offset=(9, 9, 9)))] * 2)
    assert (merged.box[1] - merged.box[0]).max() < 2
    nothing = MergedField([empty], [Placement.identity()])
    assert not nothing.occupancy.binary.any()
    assert (nothing.log_density(uniform_points(10)) == MASKED).all()


def test_a_volume_of_a_merged_field_holds_the_mass_of_its_parts():
    """A part scaled by s has s^3 the volume and 1/s the density."""
    part = blob()
    matrix = similarity(slanted(), 2.0, (0, 0, 3))
    merged = MergedField([part, part], [Placement.identity(), Placement(matrix)])
    alone, both = sample_volume(part, 48), sample_volume(merged, 96)
    mass = alone.density.sum(dtype=float) * alone.cell**3
    assert both.density.sum(dtype=float) * both.cell**3 == pytest.approx(5 * mass, rel=0.02)


def test_a_saved_merged_field_gives_the_same_values_as_before(tmp_path):
    edited = EditedField(real_field("sparse_tensor", 3), [Edit("keep", BALL)])
    inner = MergedField([real_field("hash", 4), edited], [Placement(similarity(slanted()))] * 2)
    outer = MergedField([inner, edited], [Placement.identity(), Placement(similarity(scale=0.5))])
    again_edited = EditedField(outer, [Edit("erase", BALL)])
    again_edited.header["provenance"] = {"parent": {"hash": "sha256:0"}}
    points, directions = uniform_points(4000), unit(4000)
    for number, field in enumerate((inner, outer, again_edited)):
        path = tmp_path / f"{number}.safetensors"
        save_field(path, field)
        loaded = load_field(path)
        assert type(loaded) is type(field)
        assert loaded.step == field.step
        assert torch.equal(loaded.occupancy.binary, field.occupancy.binary)
        assert torch.equal(loaded.box, field.box)
        for value, other in zip(field(points, directions), loaded(points, directions), strict=True):
            assert torch.equal(value, other)
    assert loaded.header["provenance"] == {"parent": {"hash": "sha256:0"}}
    assert loaded.header["architecture"] == {"name": "merged", "parts": ["merged", "sparse_tensor"]}


def test_a_file_of_fields_within_fields_without_end_is_refused(tmp_path):
    field = MergedField([real_field("hash")], [Placement.identity()])
    for _ in range(MAX_NESTING - 1):
        field = MergedField([field], [Placement.identity()])
    save_field(tmp_path / "deep.safetensors", field)
    assert isinstance(load_field(tmp_path / "deep.safetensors"), MergedField)
    with pytest.raises(UserError, match="16 levels of fields"):
        save_field(tmp_path / "deeper.safetensors", MergedField([field], [Placement.identity()]))
    assert not (tmp_path / "deeper.safetensors").exists()


@pytest.mark.parametrize("kind", ["merged_field", "edited_field"])
@pytest.mark.parametrize("depth", [100, 1000, 100_000])
def test_a_strangers_bottomless_file_is_one_sentence(tmp_path, kind, depth):
    opening = f'{{"kind": "{kind}", ' + ('"parts": [' if kind == "merged_field" else '"base": ')
    closing = "]}" if kind == "merged_field" else "}"
    start = f'{{"format": "{FORMAT}", "version": {VERSION}, ' + opening[1:]
    header = start + opening * depth + "{}" + closing * (depth + 1)
    metadata = json.dumps({"__metadata__": {METADATA_KEY: header}}).encode()
    path = tmp_path / "deep.safetensors"
    path.write_bytes(struct.pack("<Q", len(metadata)) + metadata)
    with pytest.raises(UserError) as caught:
        load_field(path)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_colours_of_different_spaces_are_not_mixed():
    linear = blob()
    linear.header["color_space"] = "linear"
    with pytest.raises(UserError, match="linear"):
        MergedField([blob(), linear], [Placement.identity()] * 2)


WRONG = {
    "mirrored": (similarity(np.diag((-1.0, 1, 1))), "mirrors"),
    "scaled unevenly": (np.diag((2.0, 1, 1, 1)), "unevenly"),
    "sheared": (similarity(np.array([[1, 0.3, 0], [0, 1, 0], [0, 0, 1.0]])), "shears"),
    "flat": (np.diag((1.0, 1, 0, 1)), "scale"),
    "zero": (np.diag((0.0, 0, 0, 1)), "scale"),
    "tiny": (similarity(scale=1e-9), "scale"),
    "projective": (np.array([*np.eye(4)[:3], (0, 0, 1, 1)]), "last row"),
    "NaN": (similarity(offset=(np.nan, 0, 0)), "finite"),
    "infinite": (np.diag((np.inf, 1, 1, 1)), "finite"),
    "far away": (similarity(offset=(1e12, 0, 0)), "beyond"),
    "3x4": (np.eye(4)[:3], "4 lists of 4"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_matrix_that_is_no_similarity_is_refused(case):
    matrix, word = WRONG[case]
    with pytest.raises(InvalidPlacementError, match=word):
        Placement(matrix)


def test_a_matrix_with_the_rounding_of_float32_is_taken():
    matrix = similarity(slanted(), 0.03, (1, 2, 3)).astype(np.float32)
    placement = Placement(matrix)
    assert placement.scale == pytest.approx(0.03, rel=1e-6)
    assert np.allclose(placement.rotation @ placement.rotation.T, np.eye(3), atol=1e-12)
