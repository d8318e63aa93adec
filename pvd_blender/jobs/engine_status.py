"""Whether the engine can be used: its environment is made, then checked, both in the background."""

import contextlib
from collections.abc import Callable

from ..errors import ConvertFieldError
from ..preferences import engine_settings, preferences
from .check import EngineCheck
from .set_up import EngineSetUp


class EngineStatus:
    """The set-up and the check of the engine, and what the last check found.

    Parameters
    ----------
    watch : callable
        Has `pump` called repeatedly from now on, until nothing runs.

    Attributes
    ----------
    set_up : EngineSetUp or None
        The set-up that runs now.
    check : EngineCheck or None
        The check that runs now.
    """

    def __init__(self, watch: Callable[[], None]) -> None:
        self.set_up: EngineSetUp | None = None
        self.check: EngineCheck | None = None
        self._watch = watch
        self._checked: EngineCheck | None = None

    @property
    def busy(self) -> bool:
        """True while the engine is set up or checked."""
        return self.set_up is not None or self.check is not None

    @property
    def report(self) -> str:
        """One sentence about the engine that the preferences name; empty until it is checked."""
        checked = self._current()
        return checked.report if checked is not None else ""

    @property
    def error(self) -> ConvertFieldError | None:
        """Why the engine that the preferences name cannot be used, as far as it is checked."""
        checked = self._current()
        return checked.error if checked is not None else None

    def check_now(self) -> str:
        """Check the engine, block until that is done, and return the report.

        Raises
        ------
        ConvertFieldError
            When the engine cannot be used.
        """
        self._checked = None
        check = EngineCheck(engine_settings())
        report = check.wait()
        self._checked = check
        return report

    def start_check(self) -> None:
        """Start to check the engine; `report` or `error` is set later.

        Raises
        ------
        ConvertFieldError
            When the engine's Python cannot be started.
        """
        self._checked = None
        self.check = EngineCheck(engine_settings())
        self._watch()

    def set_up_now(self, set_up: EngineSetUp) -> str:
        """Block until an environment is made, use it from now on, and return its report.

        Raises
        ------
        ConvertFieldError
            When it cannot be made or used.
        """
        preferences().engine_python = str(set_up.wait())
        return self.check_now()

    def start_set_up(self, set_up: EngineSetUp) -> None:
        """Follow an environment that is being made; it is used and checked once it is ready."""
        self.set_up = set_up
        self._watch()

    def pump(self) -> EngineSetUp | None:
        """Take in how far the set-up and the check are; return a set-up that has just ended."""
        ended = None
        if self.set_up is not None and self.set_up.pump():
            ended, self.set_up = self.set_up, None
            if ended.error is None:
                preferences().engine_python = str(ended.python)
                with contextlib.suppress(ConvertFieldError):
                    self.start_check()
        if self.check is not None and self.check.pump():
            self._checked, self.check = self.check, None
        return ended

    def close(self) -> None:
        """End both processes."""
        if self.check is not None:
            self.check.close()
            self.check = None
        if self.set_up is not None:
            self.set_up.cancel()
            self.set_up = None

    def _current(self) -> EngineCheck | None:
        """The last check, if it was of the Python and the device that the preferences name."""
        if self._checked is None:
            return None
        now, then = engine_settings(), self._checked.settings
        same = (now.python, now.device) == (then.python, then.device)
        return self._checked if same else None
