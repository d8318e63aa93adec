"""The add-on's version, as its manifest says it."""

import tomllib
from pathlib import Path


def _manifest_version() -> str:
    manifest = Path(__file__).parent / "blender_manifest.toml"
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]


VERSION = _manifest_version()
