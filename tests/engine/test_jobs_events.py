import json

import imageio.v3 as iio
import numpy as np
import pytest

from pvd_engine.errors import Cancelled
from pvd_engine.jobs.job import Job


def lines(folder):
    text = (folder / "events.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_events_are_numbered_on_across_runs_and_a_torn_line_goes(tmp_path):
    job = Job(tmp_path)
    job.emit("hello", a=1)
    job.emit("metrics", psnr=3.0)
    job.close()
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"seq": 2, "time": 1')  # the process was killed in the middle of a line
    job = Job(tmp_path)
    job.emit("hello", a=2)
    job.close()
    found = lines(tmp_path)
    assert [event["seq"] for event in found] == [0, 1, 2]
    assert found[2]["payload"] == {"a": 2}
    assert all(event["time"] > 1.6e9 for event in found)


def test_listeners_get_each_event_as_the_file_has_it(tmp_path):
    heard = []
    job = Job(tmp_path, [heard.append])
    job.emit("metrics", psnr=np.float32(20), view="test/r_0")
    job.close()
    assert lines(tmp_path) == heard
    assert job.metrics == {"psnr": 20.0}


def test_progress_that_comes_too_fast_is_passed_over_but_not_its_end(tmp_path):
    job = Job(tmp_path)
    for step in range(1000):
        job.progress(step=step, fraction=step / 1000, psnr_to_images=float(step))
    job.progress(step=1000, fraction=1.0)
    job.close()
    found = lines(tmp_path)
    assert 2 <= len(found) < 100
    assert found[0]["payload"]["step"] == 0
    assert found[-1]["payload"]["fraction"] == 1.0
    assert job.metrics == {"psnr_to_images": 999.0}


def test_previews_are_whole_pictures_under_ever_new_names_within_the_folder(tmp_path):
    job = Job(tmp_path)
    picture = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    paths = [job.preview("../../test/r 0", picture) for _ in range(2)]
    job.close()
    assert len(set(paths)) == 2
    for event, path in zip(lines(tmp_path), paths, strict=True):
        assert path.parent == tmp_path / "previews"
        assert tmp_path / event["payload"]["path"] == path
        np.testing.assert_array_equal(iio.imread(path), picture)


def test_a_cancelled_job_says_so(tmp_path):
    job = Job(tmp_path)
    job.raise_if_cancelled()
    assert not job.cancelled
    job.cancel()
    assert job.cancelled
    with pytest.raises(Cancelled):
        job.raise_if_cancelled()


def test_a_part_of_a_job_reports_in_the_jobs_own_numbering_and_stops_with_it(tmp_path):
    heard = []
    job = Job(tmp_path / "whole", [heard.append])
    part = job.part(tmp_path / "part")
    job.emit("message", text="first")
    part.emit("metrics", psnr=20.0)
    part.preview("view", np.zeros((2, 2, 3), dtype=np.uint8))
    part.emit("message", text="last")
    assert [event["seq"] for event in heard] == [0, 1, 2]
    assert lines(tmp_path / "whole") == heard
    assert [event["type"] for event in lines(tmp_path / "part")] == [
        "metrics",
        "preview",
        "message",
    ]
    job.cancel()
    assert part.cancelled
