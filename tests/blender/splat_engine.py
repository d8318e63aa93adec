"""An engine that exports and imports splats at once; a real process, started as the engine is."""

import json
import struct
import sys
from pathlib import Path

PROGRAM = """#!{python}
import json, shutil, sys
from pathlib import Path

folder = Path(sys.argv[4])
request = json.loads((folder / "request.json").read_text())
print(json.dumps({{"type": "hello", "payload": {{"protocol": 1}}}}), flush=True)
out = Path(request["arguments"]["out"])
(folder / "asked.json").write_text(json.dumps(request))
for name in ("cloud.ply",):
    if (folder / name).exists():
        shutil.copy(folder / name, folder / "asked.ply")
shutil.copy({answers!r} + "/" + request["verb"], out)
outputs = {{"warnings": ["The engine said something."]}}
result = {{"status": "done", "outputs": outputs, "metrics": {{}}, "error": None}}
(folder / "result.json").write_text(json.dumps(result))
"""


def program(folder: Path, **answers: bytes) -> str:
    """A program that answers each verb, by its name, with the content of its output."""
    for verb, content in answers.items():
        (folder / verb).write_bytes(content)
    path = folder / "splat_engine"
    path.write_text(PROGRAM.format(python=sys.executable, answers=str(folder)))
    path.chmod(0o755)
    return str(path)


def field_file(box=((-1, -1, -1), (1, 1, 1)), kind="gaussians") -> bytes:
    """The start of a field file, as far as the add-on reads it."""
    header = {"kind": kind, "architecture": {"name": "gaussians"}, "box": box}
    header["provenance"] = {"made_by": "pvd import", "seconds": 1.0}
    raw = json.dumps({"__metadata__": {"pvd_field": json.dumps(header)}}).encode()
    return struct.pack("<Q", len(raw)) + raw


def asked(out: Path) -> dict:
    """What an engine was asked for that has written a file: the request with its arguments."""
    return json.loads((out.parent / "asked.json").read_text())
