"""The memory limit of the preferences goes with everything that the engine computes."""

import json

import bpy
import numpy as np
import pytest
from engine_run import printed

from pvd_blender.engine.environment import server_command

TAKES_MEMORY = (
    "from pvd_engine.verbs.option_kinds import ComputingArguments\n"
    "from pvd_engine.verbs.table import VERBS\n"
    "print(*(name for name, verb in VERBS.items() if issubclass(verb.arguments, "
    "ComputingArguments)))"
)


@pytest.fixture
def requests(api, session, capture, trained, teacher, monkeypatch, tmp_path):
    """A call that asks for everything once, and returns the arguments by verb."""
    from pvd_blender.preferences import engine_settings

    def asked():
        found = {}

        def run(task):
            _, request = task.prepare(tmp_path / "asked")
            found[request.verb] = request.arguments

        monkeypatch.setattr(session, "run", run)
        camera = next(item for item in trained.children if item.type == "CAMERA")
        api.import_capture(capture)
        api.train(trained, "hash", steps=2)
        api.convert(trained, "mlp", teacher, steps=2)
        api.extract_volume(trained, teacher)
        api.render(trained, camera, teacher)
        api.compare(trained, teacher, teacher, camera)
        api.find_floaters(trained, field=teacher)
        api.apply_edits(trained, teacher, [{"op": "erase", "region": {"sphere": {}}}])
        api.merge(trained, [(teacher, np.eye(4)), (teacher, np.eye(4))])
        words = server_command(engine_settings())
        options = words[words.index("serve") + 1 :]
        found["serve"] = dict(zip(options[::2], options[1::2], strict=True))
        return found

    return asked


def test_every_verb_that_computes_gets_the_limit_and_no_other(api, requests, warm_python):
    computing = set(printed(warm_python, "-c", TAKES_MEMORY).split())
    api.configure(memory=2.6)
    found = requests()
    assert found.pop("serve") == {"--device": "cpu", "--memory": "2.6"}
    assert len(found) == 9 and "info" in found
    for verb, arguments in found.items():
        assert arguments.get("memory") == (2.6 if verb in computing else None), verb


def test_without_a_limit_none_is_sent(api, requests):
    from pvd_blender.preferences import preferences

    assert not preferences().limit_memory
    found = requests()
    assert found.pop("serve") == {"--device": "cpu"}
    assert not any("memory" in arguments for arguments in found.values())
    api.configure(memory=2.6)
    api.configure(memory=0)
    assert not any("memory" in arguments for arguments in requests().values())
    assert preferences().memory == pytest.approx(2.6), "it is there when the limit is on again"


def test_an_option_of_one_call_goes_before_the_preferences(api, session, trained, monkeypatch):
    tasks = []
    monkeypatch.setattr(session, "run", tasks.append)
    api.configure(memory=2.6)
    api.train(trained, "hash", steps=2, memory=1.0)
    api.convert(trained, "mlp", steps=2, memory=1.0)
    assert [task.arguments["memory"] for task in tasks] == [1.0, 1.0]


def test_the_engine_takes_it_for_jobs_for_the_volume_that_follows_and_for_f12(
    api, session, capture, tmp_path
):
    api.configure(memory=0.5)
    frame = api.import_capture(capture)
    api.train(frame, "hash", preset="small", steps=2, volume_resolution=8)
    api.look_through(next(item for item in frame.children if item.type == "CAMERA"))
    bpy.context.scene.render.engine = "CONVERT_FIELD"
    bpy.ops.render.render()
    assert session.pictures.pid is not None
    sent = {}
    for path in (tmp_path / "work").rglob("request.json"):
        request = json.loads(path.read_text(encoding="utf-8"))
        sent[request["verb"]] = request["arguments"].get("memory")
    assert sent == {"info": None, "train": 0.5, "volume": 0.5}


def test_the_preferences_take_no_limit_that_the_engine_refuses(add_on):
    from pvd_blender.preferences import engine_settings, preferences
    from pvd_blender.state.engine_options import TABLE

    values = preferences()
    values.limit_memory = True
    low, high = TABLE["options"]["train"]["memory"]["bounds"]
    for wanted, taken in ((-1.0, low), (0.01, low), (3.3, 3.3), (1e9, high)):
        values.memory = wanted
        assert engine_settings().memory == taken
