"""The add-on as users have it: installed from its zip, under the names that tests import.

With PVD_ADD_ON_ZIP set, ``pvd_blender`` and every module below it are those of the extension.
"""

import importlib
import pkgutil
import sys

import bpy

EXTENSION = "bl_ext.user_default.convert_field"
SOURCE = "pvd_blender"


def install(zip_path: str) -> None:
    """Install and enable the extension, and give its modules the names of the sources."""
    bpy.ops.extensions.package_install_files(
        filepath=zip_path, repo="user_default", enable_on_install=True
    )
    package = importlib.import_module(EXTENSION)
    found = pkgutil.walk_packages(package.__path__, f"{EXTENSION}.")
    for name in [EXTENSION, *(module.name for module in found)]:
        if "engine_sources" not in name:
            sys.modules[name.replace(EXTENSION, SOURCE, 1)] = importlib.import_module(name)
