from dataclasses import fields
from pathlib import Path

import pytest

from pvd_engine.cli import VERBS
from pvd_engine.errors import UserError
from pvd_engine.jobs.arguments_json import from_json, to_json, with_absolute_paths
from pvd_engine.jobs.budget import Budget, parse_seconds
from pvd_engine.verbs.convert import ConvertArguments
from pvd_engine.verbs.render import RenderArguments
from pvd_engine.verbs.train import TrainArguments
from pvd_engine.verbs.volume import VolumeArguments

TRAIN = {"capture": "lego", "out": "t.safetensors"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("3m", 180),
        ("1h", 3600),
        ("120", 120),
        ("1.5m", 90),
        (" 2 M ", 120),
        (".5s", 0.5),
    ],
)
def test_durations_are_read(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "0", "-3s", "3d", "1e3", "nan", "inf", "3 m s", "٣s", "99999h"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UserError, match="is not valid; write it as"):
        parse_seconds(text)


def test_a_budget_is_spent_by_the_nearer_of_its_limits():
    budget = Budget(seconds=10, steps=100)
    assert budget.fraction(step=20, elapsed=1.0) == pytest.approx(0.2)
    assert budget.fraction(step=20, elapsed=5.0) == pytest.approx(0.5)
    assert not budget.done(99, 9.9)
    assert budget.done(100, 0.0)
    assert budget.done(0, 10.0)
    assert budget.fraction(1000, 0.0) == 1.0


def test_a_budget_is_time_or_steps_with_a_default():
    assert Budget.parse(None, None).seconds == 180
    assert Budget.parse("2m", None) == Budget(120.0, None)
    assert Budget.parse(None, 7) == Budget(None, 7)
    with pytest.raises(UserError, match="not both"):
        Budget.parse("2m", 7)
    with pytest.raises(UserError, match="at least 1"):
        Budget.parse(None, 0)


def test_arguments_survive_json():
    arguments = ConvertArguments(
        field=Path("/a/t.safetensors"),
        to="mlp",
        out=Path("/a/s.safetensors"),
        steps=3,
        inherit=True,
    )
    assert from_json(ConvertArguments, to_json(arguments), "request.json") == arguments


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stepz": 3}, "no argument 'stepz'"),
        ({"steps": "3"}, "'steps' must be a whole number"),
        ({"steps": 3.0}, "'steps' must be a whole number"),
        ({"steps": True}, "'steps' must be a whole number"),
        ({"scene": "room"}, "'scene' must be one of auto, object, forward_facing, unbounded"),
        ({"scene": None}, "'scene' must be one of"),
        ({"scene": ["auto"]}, "'scene' must be one of"),
        ({"device": ["cpu"]}, "'device' must be text"),
        ({"preset": 1}, "'preset' must be one of small, full"),
        ({"out": 5}, "'out' must be a path"),
        ({"out": ""}, "'out' must be a path"),
        ({"arch": None}, "'arch' must be text"),
        ({"budget": 120}, "'budget' must be text"),
        ({"budget": "soon"}, "is not valid; write it as"),
        ({"budget": "3m", "steps": 5}, "not both"),
        ({"seed": -1}, "seed"),
        ({"out": "t.ckpt"}, r"\.safetensors"),
    ],
)
def test_a_wrong_argument_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        from_json(TrainArguments, TRAIN | changes, "request.json")


def test_missing_arguments_and_other_things_than_objects_are_refused():
    with pytest.raises(UserError, match="'out' is missing"):
        from_json(TrainArguments, {"capture": "lego"}, "request.json")
    with pytest.raises(UserError, match="must be an object"):
        from_json(TrainArguments, [TRAIN], "request.json")


def test_null_stands_for_not_given():
    arguments = from_json(TrainArguments, TRAIN | {"steps": None, "preset": None}, "request.json")
    assert arguments == TrainArguments(capture=Path("lego"), out=Path("t.safetensors"))


def test_render_needs_one_source_of_cameras():
    field, out = Path("t.safetensors"), Path("o")
    with pytest.raises(UserError, match="either"):
        RenderArguments(field=field, out=out)
    with pytest.raises(UserError, match="either"):
        RenderArguments(field=field, out=out, capture=Path("c"), cameras=Path("d"))


@pytest.mark.parametrize("resolution", [0, -5, 100_000])
def test_a_resolution_that_no_machine_holds_is_refused(resolution):
    with pytest.raises(UserError, match="resolution"):
        VolumeArguments(field=Path("f"), out=Path("v.npz"), resolution=resolution)


def test_relative_paths_are_those_of_the_given_folder(tmp_path):
    arguments = TrainArguments(capture=Path("../lego"), out=Path("/abs/t.safetensors"))
    absolute = with_absolute_paths(arguments, tmp_path / "job")
    assert absolute.capture == tmp_path / "lego"
    assert absolute.out == Path("/abs/t.safetensors").absolute()


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_every_field_of_every_verb_fits_the_json_schema(verb):
    """A field of a type that request.json cannot carry would be found only by its first user."""
    for field in fields(verb.arguments):
        assert field.type is not None
        with pytest.raises(UserError):
            from_json(verb.arguments, {field.name: object()}, "request.json")
