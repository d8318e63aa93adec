"""The view transform of a scene, which changes the colours of what Blender renders.

Fields hold display colour (sRGB), so the transform *Standard* shows them as they are. *AgX*, which
new files have, and *Filmic* are laid over them a second time.
"""

from bpy.types import Scene

STANDARD = "Standard"
NO_LOOK = "None"


def change_of_colors(scene: Scene) -> str | None:
    """Return what of a scene's color management changes the colours of fields, or None."""
    view = scene.view_settings
    if view.view_transform != STANDARD:
        return f"view transform {view.view_transform}"
    if view.look != NO_LOOK:
        return f"look {view.look}"
    if view.exposure != 0 or view.gamma != 1:
        return "exposure or gamma"
    if view.use_curve_mapping or getattr(view, "use_white_balance", False):
        return "curves or white balance"
    return None


def use_standard(scene: Scene) -> None:
    """Let a scene show fields as they are."""
    view = scene.view_settings
    view.view_transform, view.look = STANDARD, NO_LOOK
    view.exposure, view.gamma, view.use_curve_mapping = 0.0, 1.0, False
    if hasattr(view, "use_white_balance"):
        view.use_white_balance = False
