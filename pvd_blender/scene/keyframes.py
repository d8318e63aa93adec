"""Keyframes: their curves, which Blender's versions keep in different places."""

from collections.abc import Iterator

from bpy.types import FCurve, Keyframe, Object


def curves_of(item: Object) -> Iterator[FCurve]:
    """Yield the curves of an object, or of a datablock of its own, that is animated."""
    animation = item.animation_data
    if animation is None or animation.action is None:
        return
    action = animation.action
    if hasattr(action, "fcurves"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(animation.action_slot)
            if bag is not None:
                yield from bag.fcurves


def keys_of(item: Object) -> Iterator[Keyframe]:
    """Yield all keyframes of an object, or of a datablock of its own."""
    for curve in curves_of(item):
        yield from curve.keyframe_points


def interpolate(item: Object, kind: str, handles: str = "AUTO") -> None:
    """Set the interpolation between an object's keyframes, and the type of their handles."""
    for key in keys_of(item):
        key.interpolation = kind
        key.easing = "EASE_IN_OUT"
        key.handle_left_type = key.handle_right_type = handles
    for curve in curves_of(item):
        curve.update()
