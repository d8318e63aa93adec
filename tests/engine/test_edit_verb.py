"""The verbs edit and volume: files in, files out, nothing half-written."""

import json

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob
from edit_shapes import turned

from pvd_engine.data.capture import Camera
from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.regions import SphereRegion, TransformedBoxRegion
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import content_hash, load_field, save_field
from pvd_engine.jobs.job import Job
from pvd_engine.render.render import render_image
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs.edit import EditArguments
from pvd_engine.verbs.edit import run as run_edit
from pvd_engine.verbs.volume import VolumeArguments
from pvd_engine.verbs.volume import run as run_volume

LEFT = {"box": {"min": [-2, -2, -2], "max": [0, 2, 2]}}


@pytest.fixture
def field_file(tmp_path):
    torch.manual_seed(0)
    field = make_field(
        architecture("sparse_tensor", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3]))
    )
    field.header["provenance"] = {"viewpoints": {"some": 1}}
    save_field(tmp_path / "field.safetensors", field)
    return tmp_path / "field.safetensors"


@pytest.fixture
def job(tmp_path):
    job = Job(tmp_path / "job")
    yield job
    job.close()


def edit(field, entries, job, out="edited.safetensors"):
    edits = field.parent / "edits.json"
    edits.write_text(json.dumps(entries))
    return run_edit(
        EditArguments(field=field, edits=edits, out=field.parent / out, device="cpu"), job
    )


def test_an_edit_writes_a_field_that_names_its_parent_and_its_edits(field_file, job):
    result = edit(field_file, [{"op": "erase", "region": LEFT}], job)
    assert result["removed_fraction"] == pytest.approx(0.5, abs=1e-6)
    assert result["warnings"] == []
    provenance = read_header(field_file.parent / "edited.safetensors")["provenance"]
    assert provenance["parent"] == {"file": field_file.name, "hash": content_hash(field_file)}
    assert provenance["viewpoints"] == {"some": 1}
    assert provenance["edits"] == [{"op": "erase", "region": LEFT}]


def test_an_edited_file_can_be_edited_again(field_file, job):
    edit(field_file, [{"op": "erase", "region": LEFT}], job)
    above = {"box": {"min": [-2, -2, 0], "max": [2, 2, 2]}}
    again = [{"op": "keep", "region": above}]
    result = edit(field_file.parent / "edited.safetensors", again, job, "twice.safetensors")
    assert result["removed_fraction"] == pytest.approx(0.5, abs=1e-6)
    twice = load_field(field_file.parent / "twice.safetensors")
    points = torch.tensor([[0.5, 0, 0.5], [0.5, 0, -0.5], [-0.5, 0, 0.5]])
    assert isinstance(twice, EditedField)
    assert twice.mask(points).tolist() == [True, False, False]


def test_an_edit_that_touches_nothing_is_said_and_still_written(field_file, job):
    away = {"sphere": {"center": [9, 9, 9], "radius": 1}}
    result = edit(field_file, [{"op": "erase", "region": away}], job)
    assert result["warnings"] == ["Edit 1 (erase sphere) touches no occupied part of the field."]
    assert '"warning"' in (job.folder / "events.jsonl").read_text()
    assert (field_file.parent / "edited.safetensors").is_file()


def test_a_wrong_edit_writes_nothing(field_file, job):
    with pytest.raises(UserError, match="Edit 1"):
        edit(field_file, [{"op": "erase", "region": {"sphere": {}}}], job)
    assert not (field_file.parent / "edited.safetensors").exists()


def test_a_cancelled_verb_writes_nothing(field_file, job):
    job.cancel()
    with pytest.raises(Cancelled):
        edit(field_file, [{"op": "erase", "region": LEFT}], job)
    out = field_file.parent / "volume.npz"
    with pytest.raises(Cancelled):
        run_volume(VolumeArguments(field=field_file, out=out, resolution=16, device="cpu"), job)
    assert sorted(path.suffix for path in field_file.parent.iterdir() if path.is_file()) == [
        ".json",
        ".safetensors",
    ]


def test_the_volume_of_an_edited_field_can_be_its_next_edit(field_file, job):
    edit(field_file, [{"op": "erase", "region": LEFT}], job)
    edited, out = field_file.parent / "edited.safetensors", field_file.parent / "volume.npz"
    result = run_volume(VolumeArguments(field=edited, out=out, resolution=16, device="cpu"), job)
    assert result["shape"] == [16, 16, 16]
    assert result["filled_fraction"] == pytest.approx(0.5)
    with np.load(out) as file:
        assert (file["density"][8:] > 0).all() and not file["density"][:8].any()
        assert str(file["name"]) == "edited"
    erased = edit(field_file, [{"op": "erase", "region": {"grid": "volume.npz"}}], job)
    assert erased["removed_fraction"] == pytest.approx(0.5, abs=1e-6)


def test_a_picture_of_an_edited_field_is_that_of_its_masked_density():
    """Skipping cleared cells and masking points give one picture."""
    base = AnalyticField(
        gaussian_blob(30.0, 0.4), lambda points, directions: (points + 1) / 2, resolution=24
    )
    box = TransformedBoxRegion(turned(0.6, (0.5, 0.3, 0.2), (0.1, 0.2, 0.1)))
    ball = SphereRegion(np.array([0.0, 0.1, 0]), 0.5)
    edited = EditedField(base, [Edit("erase", box), Edit("keep", ball)])

    def masked(points):
        stays = (box.contains(points) == 0) & ball.contains(points)
        return base.density(points) * stays

    plain = AnalyticField(masked, base.color, resolution=24)
    pose = np.eye(4)
    pose[2, 3] = 3.0
    camera = Camera(pose, 48, 48, 70.0, 70.0, 24.0, 24.0)
    picture, truth = render_image(edited, camera), render_image(plain, camera)
    assert truth.alpha.max() > 0.9
    assert np.abs(picture.alpha - truth.alpha).max() < 1e-5
    assert np.abs(picture.color - truth.color).max() < 1e-5
    assert edited.occupancy.binary.float().mean() < 0.3
