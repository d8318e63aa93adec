"""The add-on's version, read from its manifest."""

import tomllib
from pathlib import Path


def _manifest_version() -> str:
    package = Path(__file__).parent
    manifest = package / "blender_manifest.toml"
    if not manifest.is_file():  # in the source tree it lies next to the package
        manifest = package.parent / "blender_manifest.toml"
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]


VERSION = _manifest_version()
