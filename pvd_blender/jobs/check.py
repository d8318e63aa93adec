"""The check of the engine's environment: its libraries, the device, and its kernels.

Kernels that the engine's cache lacks are compiled here, so that no training waits for them.
"""

import contextlib
import time

from ..engine.checked import Checked
from ..engine.environment import (
    PACKAGE,
    PROTOCOL_VERSION,
    EngineSettings,
    engine_sources,
    engine_variables,
    problem_with_python,
)
from ..engine.process import EngineProcess, read_tail, wait_until
from ..errors import ConvertFieldError

SECONDS_TO_ANSWER = 120.0
"""Seconds after which a Python that has said nothing counts as unusable."""

MOST_LIBRARIES = 100

PROBE = f"""
import importlib.util, json, sys
found = {{"type": "hello", "python": sys.version.split()[0]}}
needed = "torch numpy safetensors PIL imageio tyro tqdm skimage scipy zstandard".split()
found["missing"] = [name for name in needed if importlib.util.find_spec(name) is None]
found["fast"] = importlib.util.find_spec("warp") is not None
if sys.version_info >= (3, 11) and not found["missing"]:
    import torch
    import {PACKAGE} as engine
    found["engine"], found["protocol"] = engine.__version__, engine.PROTOCOL_VERSION
    found["torch"] = torch.__version__
    found["cuda"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    if found["protocol"] == {PROTOCOL_VERSION}:
        from {PACKAGE}.kernels.compile import compile_kernels
        def report(number, count):
            print(json.dumps({{"type": "progress", "number": number, "count": count}}))
        compile_kernels(report)
print(json.dumps(found))
"""
"""Program that the engine's Python runs; it prints lines of JSON, the answer last."""


class EngineCheck:
    """A check in a process of its own, which Blender does not wait for.

    Parameters
    ----------
    settings : EngineSettings

    Attributes
    ----------
    settings : EngineSettings
        What is checked.
    text : str
        The current activity, for people.
    report : str
        One sentence about the engine, once it has answered.
    error : ConvertFieldError or None
        Why it cannot be used, once that is known.

    Raises
    ------
    ConvertFieldError
        When its Python cannot be started.
    """

    def __init__(self, settings: EngineSettings) -> None:
        problem = problem_with_python(settings.python)
        if problem:
            raise ConvertFieldError(problem)
        self.text = "Starting the engine"
        self.report = ""
        self.error: ConvertFieldError | None = None
        self._answer: dict | None = None
        self.settings = settings
        self._log = settings.work_folder / "check.log"
        self._deadline = time.monotonic() + SECONDS_TO_ANSWER
        try:
            settings.work_folder.mkdir(parents=True, exist_ok=True)
            self._log.unlink(missing_ok=True)
            self._process = EngineProcess(
                [settings.python, "-c", PROBE],
                engine_variables(engine_sources()),
                settings.work_folder,
                self._log,
            )
        except OSError as error:
            raise ConvertFieldError(f"The engine could not be started: {error}.") from error

    def pump(self) -> bool:
        """Take in the answer; return True once `report` or `error` is set."""
        if self.report or self.error:
            return True
        exit_code = self._process.exit_code
        for item in self._process.take():
            if isinstance(item, dict):
                self._take(item)
        if exit_code is None and time.monotonic() < self._deadline:
            return False
        self._process.close()
        if exit_code == 0 and self._answer is not None:
            try:
                self._judge(Checked(self._answer))
            except ConvertFieldError as error:
                self.error = error
        else:
            why = read_tail(self._log) or "it did not answer"
            self.error = ConvertFieldError(f"The engine cannot be used: {why}.", self._log)
        return True

    def wait(self) -> str:
        """Block until the engine has answered and return the report.

        Raises
        ------
        ConvertFieldError
            When the engine cannot be used.
        """
        wait_until(self.pump)
        if self.error is not None:
            raise self.error
        return self.report

    def close(self) -> None:
        """End the check now."""
        self._process.close(seconds=0.0)

    def _take(self, item: dict) -> None:
        """Take in a line: the answer, or how many kernels are compiled."""
        self._deadline = time.monotonic() + SECONDS_TO_ANSWER
        if item.get("type") != "progress":
            self._answer = item
            return
        with contextlib.suppress(ConvertFieldError):
            said = Checked(item)
            self.text = f"Compiling kernel {said.whole('number')} of {said.whole('count')}"

    def _judge(self, found: Checked) -> None:
        missing, protocol = found.texts("missing", MOST_LIBRARIES), found.whole("protocol", None)
        cuda = found.text("cuda", None)
        if missing:
            raise ConvertFieldError(
                f"The engine's Python lacks {', '.join(missing)}; install the engine's "
                "libraries into it."
            )
        if protocol is None:
            raise ConvertFieldError(
                f"The engine needs Python 3.11 or later; this one is {found.text('python')}."
            )
        if protocol != PROTOCOL_VERSION:
            raise ConvertFieldError(
                f"The engine speaks protocol {protocol} and this add-on "
                f"{PROTOCOL_VERSION}; install both from one zip."
            )
        if self.settings.device == "cuda" and cuda is None:
            raise ConvertFieldError(
                "PyTorch finds no CUDA device; choose another device, or install a CUDA build."
            )
        device = "the CPU" if self.settings.device == "cpu" or cuda is None else cuda
        slow = "" if found.flag("fast") else "; without Warp, so slowly"
        self.report = (
            f"Engine {found.text('engine')} with PyTorch {found.text('torch')} on {device}{slow}"
        )
