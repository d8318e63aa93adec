"""When a job folder goes on with what it holds, and when it starts anew."""

from dataclasses import replace

import pytest

from pvd_engine.bench.verb import BenchArguments
from pvd_engine.cli import VERBS
from pvd_engine.errors import UserError
from pvd_engine.files.atomic import write_json
from pvd_engine.jobs.cancel import Cancellation
from pvd_engine.jobs.folder import Request, begin, read_request, start_or_resume
from pvd_engine.jobs.runner import run_request
from pvd_engine.verbs.render import RenderArguments
from pvd_engine.verbs.train import TrainArguments


@pytest.fixture
def request_(tmp_path):
    arguments = TrainArguments(
        capture=tmp_path / "no capture", out=tmp_path / "t.safetensors", steps=10
    )
    return Request(VERBS["train"], arguments)


def changed(request, **values):
    return replace(request, arguments=replace(request.arguments, **values))


@pytest.fixture
def folder(tmp_path, request_):
    """A folder with an unfinished job: it has a checkpoint and no result."""
    folder = tmp_path / "job"
    folder.mkdir()
    assert not start_or_resume(folder, request_, restart=False)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "latest.safetensors").write_bytes(b"state")
    (folder / "events.jsonl").write_text("{}\n")
    return folder


def has_state(folder):
    return (folder / "checkpoints" / "latest.safetensors").is_file()


def test_a_request_is_read_as_it_was_written(folder, request_):
    assert read_request(folder, VERBS) == request_


def test_the_same_request_goes_on_also_on_another_device(folder, request_):
    assert start_or_resume(folder, request_, restart=False)
    assert start_or_resume(folder, changed(request_, device="cpu"), restart=False)
    assert has_state(folder)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_failed_or_was_cancelled_goes_on(folder, request_, status):
    write_json(folder / "result.json", {"status": status})
    assert start_or_resume(folder, request_, restart=False)
    begin(folder, request_)
    assert not (folder / "result.json").exists(), "a kill now would leave the last run's result"
    assert has_state(folder)


def test_another_request_is_refused_until_a_restart_is_asked_for(folder, request_):
    other = changed(request_, steps=20)
    with pytest.raises(UserError, match=r"'steps' \(10 there, 20 now\).*--restart.*--job"):
        start_or_resume(folder, other, restart=False)
    assert has_state(folder)
    assert read_request(folder, VERBS) == request_
    assert not start_or_resume(folder, other, restart=True)
    assert not has_state(folder)
    assert not (folder / "events.jsonl").exists()
    assert read_request(folder, VERBS) == other


def test_a_job_that_is_done_makes_room_for_the_next(folder, request_):
    write_json(folder / "result.json", {"status": "done"})
    assert not start_or_resume(folder, request_, restart=False)
    assert not has_state(folder)
    write_json(folder / "result.json", {"status": "done"})
    assert not start_or_resume(folder, changed(request_, seed=1), restart=False)
    assert not (folder / "result.json").exists()


def test_a_job_that_has_no_checkpoint_has_nothing_to_lose(folder, request_):
    (folder / "checkpoints" / "latest.safetensors").unlink()
    half = folder / "checkpoints" / ".latest.safetensors.0badcafe.part" / "latest.safetensors"
    half.parent.mkdir()
    half.write_bytes(b"half")
    assert not start_or_resume(folder, changed(request_, seed=1), restart=False)


def test_only_what_belongs_to_a_job_is_removed_from_its_folder(folder, request_):
    (folder / "notes.txt").write_text("mine")
    assert not start_or_resume(folder, request_, restart=True)
    assert (folder / "notes.txt").read_text() == "mine"


def end_of(tmp_path, verb, arguments):
    job = tmp_path / "job"
    job.mkdir(exist_ok=True)
    return run_request(job, Request(VERBS[verb], arguments), [], Cancellation())


def test_outputs_of_the_wrong_kind_are_reported_before_anything_is_read(tmp_path, request_):
    file, folder = tmp_path / "pictures", tmp_path / "t.safetensors"
    file.write_text("x")
    folder.mkdir()
    outcome = end_of(tmp_path, "train", request_.arguments)
    assert "is a folder" in outcome.message
    missing = tmp_path / "none"
    outcome = end_of(tmp_path, "render", RenderArguments(field=missing, out=file, capture=missing))
    assert "is a file" in outcome.message


def test_verbs_that_fill_a_folder_take_one_that_is_there(tmp_path):
    missing, out = tmp_path / "none", tmp_path / "folder"
    out.mkdir()
    for verb, arguments in (
        ("render", RenderArguments(field=missing, out=out, capture=missing)),
        ("bench", BenchArguments(what="matrix", capture=missing, out=out)),
    ):
        outcome = end_of(tmp_path, verb, arguments)
        assert outcome.status == "failed"
        assert "none" in outcome.message
