"""Running operators as a Blender with a window does."""

import time

import bpy


def pump_to_the_end(session):
    """What the timer does in a window."""
    while session.pump():
        time.sleep(0.02)


def in_a_window(operator, session, monkeypatch, **arguments):
    """Run an operator as a Blender with a window does: it starts a job, a timer ends it."""
    from pvd_blender.ui.operators.base import JobOperator

    monkeypatch.setattr(JobOperator, "wait", False)
    monkeypatch.setattr("pvd_blender.api.shared.bpy", WithWindow())
    assert operator(**arguments) == {"FINISHED"}
    assert session.busy
    pump_to_the_end(session)
    monkeypatch.undo()


class WithWindow:
    """The module bpy, but for what it says of the background mode that tests run in."""

    class app:  # noqa: N801
        background = False

    def __getattr__(self, name):
        return getattr(bpy, name)
