"""Failures that the add-on reports to its user."""

from pathlib import Path

from .texts import printable


class ConvertFieldError(RuntimeError):
    """A failure in one sentence: what is wrong and what to do.

    Parameters
    ----------
    sentence : str
    log : Path, optional
        The engine's log that says more; the message names it.
    """

    def __init__(self, sentence: str, log: Path | None = None) -> None:
        self.sentence = printable(sentence)
        self.log = log
        is_named = log is None or str(log) in sentence
        super().__init__(printable(sentence if is_named else f"{sentence} Log: {log}"))


class JobCancelledError(ConvertFieldError):
    """The job was cancelled; what it had is kept, and it can be resumed."""


class SceneError(ConvertFieldError):
    """Something in the scene is not as it must be."""
