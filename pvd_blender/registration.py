"""The registration with Blender, in order; an explicit list, no discovery."""

import bpy

from .api import commands
from .jobs import handlers, session
from .render import compositing, photographs, render_engine
from .state import properties, saved_paths
from .ui import drops, icons, menus, panels, presets
from .ui.operators import CLASSES as OPERATORS

CLASSES = (
    *properties.CLASSES,
    *OPERATORS,
    *presets.CLASSES,
    *panels.CLASSES,
    *render_engine.CLASSES,
    *drops.CLASSES,
)
MODULES = (
    properties,
    saved_paths,
    session,
    handlers,
    icons,
    commands,
    render_engine,
    compositing,
    photographs,
    menus,
)
"""Modules with something of their own to register, after the classes."""


def register() -> None:
    """Register everything; a failure is raised, with what was registered taken back."""
    done = []
    try:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            done.append(lambda cls=cls: bpy.utils.unregister_class(cls))
        for module in MODULES:
            module.register()
            done.append(module.unregister)
    except Exception:
        for undo in reversed(done):
            undo()
        raise


def unregister() -> None:
    """Take everything back, the last first."""
    for module in reversed(MODULES):
        module.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
