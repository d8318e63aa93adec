"""Helpers of the example scripts: the add-on's api, and the arguments after ``--``.

A script runs in Blender, ``blender --background --python examples/convert.py -- lego --to vm``, or
in an environment with the bpy wheel, ``python examples/convert.py lego --to vm``.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import bpy

EXTENSION = "bl_ext.user_default.convert_field"


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse a script's own arguments: those after ``--``, if Blender has arguments before it."""
    words = sys.argv[1:]
    return parser.parse_args(words[words.index("--") + 1 :] if "--" in words else words)


def add_on_api(work_folder: Path | None = None) -> ModuleType:
    """Return the api of the installed extension, or of the add-on in this repository.

    The engine's Python is the one in the preferences, or the environment's PVD_ENGINE_PYTHON.
    """
    name = EXTENSION
    if name not in bpy.context.preferences.addons:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        name = "pvd_blender"
        bpy.ops.preferences.addon_enable(module=name)
    api = importlib.import_module(f"{name}.api")
    api.configure(engine_python=os.environ.get("PVD_ENGINE_PYTHON"), work_folder=work_folder)
    return api
