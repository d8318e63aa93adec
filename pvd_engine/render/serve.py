"""``pvd serve``: pictures of fields, one after another, on request of another program.

Requests are lines of JSON on standard input::

    {"id": 1, "field": "a.safetensors", "camera": {...}, "edits": [...], "out": "picture.npy"}
    {"cancel": 1}

``camera`` is an entry of ``cameras.json``; ``edits``, the content of an ``edits.json``, may be left
out. Each request has one reply, a line of JSON on standard output with its ``id``: of ``type``
``"picture"``, with ``warnings``, when `out` holds (H, W, 5) float32 of premultiplied colour in the
field's colour space, alpha and depth along the ray in dataset units; ``"failed"`` with a
``message`` of one sentence; or ``"cancelled"``. The last field stays loaded. The process ends with
its input, or after some time without a request, which frees its memory.
"""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import numpy as np
import torch

from ..data.capture import View
from ..data.formats.cameras_json import camera_from_dict
from ..edit.edited_field import EditedField
from ..edit.edits_json import parse_edits
from ..errors import Cancelled, UserError
from ..fields.base import Renderable
from ..fields.storage import load_any_field
from ..files.atomic import write_atomic
from ..kernels.out_of_memory import OUT_OF_MEMORY, is_out_of_memory
from .region import outside_warnings, views_outside
from .render import render_image

log = logging.getLogger(__name__)

Reply = dict[str, Any]
"""One line of output, before it becomes JSON."""


END = object()
"""Stands behind the last request."""


class Inbox:
    """Requests as they come in, read by a thread of its own.

    Parameters
    ----------
    stream : binary file
        The read end of a pipe.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._cancelled: set[Any] = set()
        self._ended = threading.Event()
        threading.Thread(target=self._read, args=(stream,), name="requests", daemon=True).start()

    def take(self, seconds: float) -> Any:
        """Return the next request; `END` after the last one, or after `seconds` without one."""
        try:
            return self._requests.get(timeout=seconds)
        except Empty:
            return END

    def given_up(self, number: Any) -> bool:
        """Return whether nobody waits for a request's reply any more."""
        return self._ended.is_set() or number in self._cancelled

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            try:
                request = json.loads(line)
            except (ValueError, RecursionError):
                request = line.decode("utf-8", "replace")
            if isinstance(request, dict) and isinstance(request.get("cancel"), int):
                self._cancelled.add(request["cancel"])
            else:
                self._requests.put(request)
        self._ended.set()
        self._requests.put(END)


class Shelf:
    """The field that was shown last, with its edits.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._file: tuple[Path, int, int] | None = None
        self._base: Renderable | None = None
        self._edits: Any = None
        self._shown: Renderable | None = None

    def field(self, path: Path, edits: Any) -> Renderable:
        """Return the field of a file with edits, loaded again only where something has changed.

        Raises
        ------
        UserError
            The file or an edit is wrong, or a light field is to be edited.
        """
        stamp = path.stat() if path.is_file() else None
        file = None if stamp is None else (path, stamp.st_mtime_ns, stamp.st_size)
        if self._base is None or file is None or file != self._file:
            self._base = self._shown = None  # only one of them in memory at a time
            self._base = load_any_field(path, self.device)
            self._file = file
        if self._shown is None or edits != self._edits:
            self._shown = self._base if not edits else _edited(self._base, edits, path.parent)
            self._edits = edits
        return self._shown


def _edited(base: Renderable, edits: Any, folder: Path) -> EditedField:
    field = base.with_density()
    if field is None:
        raise UserError("A light field cannot be edited; edit the field that it learned from.")
    regions = parse_edits(edits, folder, "edits", field.space.origin)
    return EditedField(field, regions).to(base.device)


def serve(
    stream: IO[bytes], send: Callable[[Reply], object], device: torch.device, idle: float
) -> None:
    """Reply to requests until the stream ends, or none has come for some time.

    Parameters
    ----------
    stream : binary file
        Stream of requests.
    send : callable
        Takes each reply.
    device : torch.device
    idle : float
        Seconds without a request after which the loop ends.
    """
    inbox, shelf = Inbox(stream), Shelf(device)
    while (request := inbox.take(idle)) is not END:
        send(_reply(request, inbox, shelf))


def _reply(request: Any, inbox: Inbox, shelf: Shelf) -> Reply:
    number = request.get("id") if isinstance(request, dict) else None
    try:
        return {"type": "picture", "id": number, **_picture(request, inbox, shelf)}
    except Cancelled:
        return {"type": "cancelled", "id": number}
    except UserError as error:
        return {"type": "failed", "id": number, "message": str(error)}
    except Exception as error:
        if is_out_of_memory(error):
            return {"type": "failed", "id": number, "message": OUT_OF_MEMORY}
        log.exception("request %s", number)
        return {
            "type": "failed",
            "id": number,
            "message": f"The engine failed unexpectedly ({type(error).__name__}: {error}).",
        }


def _picture(request: Any, inbox: Inbox, shelf: Shelf) -> Reply:
    if not isinstance(request, dict) or not isinstance(request.get("id"), int):
        raise UserError("A request must be a JSON object with a number as its id.")
    for name in ("field", "out"):
        if not isinstance(request.get(name), str):
            raise UserError(f"A request's {name} must be the path of a file.")
    camera = request.get("camera")
    if not isinstance(camera, dict):
        raise UserError("A request's camera must be an object like an entry of cameras.json.")
    out = Path(request["out"])
    if out.suffix != ".npy":
        raise UserError("A request's out must end in .npy.")

    def go_on(_fraction: float) -> None:
        if inbox.given_up(request["id"]):
            raise Cancelled

    go_on(0.0)
    field = shelf.field(Path(request["field"]), request.get("edits") or [])
    view = View("camera", camera_from_dict(camera, "camera"), "test", None)
    image = render_image(field, view.camera, go_on)
    parts = (image.color, image.alpha[..., None], image.depth[..., None])
    pixels = np.concatenate(parts, axis=-1).astype(np.float32)

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, pixels)

    write_atomic(out, write)
    return {"out": str(out), "warnings": outside_warnings(views_outside(field, [view]), [view])}
