"""Panels draw in every state, from properties, operators and icons that there are.

A Blender without a window draws nothing, so a layout that checks what it is asked to draw against
Blender's own descriptions stands in for the real one.
"""

from types import SimpleNamespace

import bpy
import captures
import pytest

ICONS = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())
LAYOUT = bpy.types.UILayout.bl_rna


class CheckedLayout:
    """Takes what `bpy.types.UILayout` takes, and remembers properties, operators and labels."""

    def __init__(self, drawn):
        object.__setattr__(self, "drawn", drawn)

    def __setattr__(self, name, _value):
        assert name in LAYOUT.properties, name

    def _known(self, name, options):
        known = set(LAYOUT.functions[name].parameters.keys()) | {"text_ctxt"}
        assert set(options) <= known, (name, options)
        assert options.get("icon", "NONE") in ICONS, options["icon"]

    def prop(self, data, name, **options):
        self._known("prop", options)
        assert name in data.bl_rna.properties, name
        self.drawn.append(name)

    def operator(self, name, **options):
        self._known("operator", options)
        group, _, verb = name.partition(".")
        operator = getattr(getattr(bpy.ops, group), verb)
        known = operator.get_rna_type().properties
        self.drawn.append(name)
        return CheckedProperties(known)

    def label(self, **options):
        self._known("label", options)
        self.drawn.append(options.get("text", ""))

    def panel(self, name, **options):
        self._known("panel", options)
        self.drawn.append(name)
        return self, self

    def template_list(self, kind, *_arguments, **options):
        assert hasattr(bpy.types, kind)
        self._known("template_list", options)

    def __getattr__(self, name):
        assert name in ("row", "column", "box", "split", "separator"), name

        def part(**options):
            self._known(name, options)
            return self

        return part


class CheckedProperties:
    def __init__(self, known):
        object.__setattr__(self, "known", known)

    def __setattr__(self, name, value):
        prop = self.known[name]
        if prop.type == "ENUM":
            assert value in prop.enum_items, value


class OnScreen:
    """The context, but for the scale of the interface, which without a window is 0."""

    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))

    def __getattr__(self, name):
        return getattr(bpy.context, name)


def drawn(panel):
    found = []
    stand_in = type("Drawn", (), {"draw_step": getattr(panel, "draw_step", None)})()
    stand_in.layout = CheckedLayout(found)
    panel.draw(stand_in, OnScreen())
    return found


def panels():
    from pvd_blender import panels

    return {cls.bl_label: cls for cls in panels.CLASSES if issubclass(cls, bpy.types.Panel)}


@pytest.fixture
def frame(add_on):
    from pvd_blender.properties import frame_state
    from pvd_blender.scene.frame import create_frame

    item = create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))
    bpy.context.scene.convert_field.frame = item
    frame_state(item)
    return item


def test_every_panel_draws_without_a_capture(add_on):
    for panel in panels().values():
        drawn(panel)


def test_architecture_beside_and_size_are_shown_and_distillation_has_a_panel_of_its_own(frame):
    assert {"architecture", "beside"} <= set(drawn(panels()["Teacher"]))
    shown = drawn(panels()["Convert"])
    inside = shown[shown.index("convert_field_distillation") :]
    for name in ("stages", "hard_poses", "hard_rays", "hard_points", "projection"):
        assert name in inside
    assert shown.index("max_size") < shown.index("convert_field_distillation")
    assert "convert_field.convert" in inside, "the button comes after its settings"


def test_a_report_is_offered_for_the_field_that_has_one(frame):
    item = frame.convert_field.fields.add()
    assert "convert_field.open_report" not in drawn(panels()["Convert Field"])
    item.report = "/somewhere/mlp.report.html"
    assert "convert_field.open_report" in drawn(panels()["Convert Field"])


@pytest.mark.parametrize(
    ("op", "shown", "hidden"),
    [
        ("erase", set(), {"target", "factor", "color"}),
        ("keep", set(), {"target", "factor", "color"}),
        ("move", {"target"}, {"factor", "color"}),
        ("duplicate", {"target"}, {"factor", "color"}),
        ("scale_density", {"factor"}, {"target", "color"}),
        ("tint", {"color"}, {"target", "factor"}),
    ],
)
def test_the_active_shape_shows_the_settings_of_its_effect(frame, op, shown, hidden):
    bpy.context.scene.convert_field.edit_operation = op
    bpy.ops.convert_field.add_shape(op=op, shape="box")
    names = set(drawn(panels()["Edit"]))
    assert shown | {"op", "soft"} <= names and not names & hidden
    bpy.context.view_layer.objects.active = frame
    assert "soft" not in drawn(panels()["Edit"])


def test_greyed_buttons_say_why_once_there_is_a_field(frame, tmp_path):
    merging, rendering = "Select two or more field volumes", "The scene has no camera"
    bpy.context.scene.camera = None
    assert merging not in drawn(panels()["Edit"]), "that there is no field is said already"
    path = tmp_path / "hash.safetensors"
    path.touch()
    frame.convert_field.fields.add().path = str(path)
    assert merging in drawn(panels()["Edit"])
    assert any(text.startswith(rendering) for text in drawn(panels()["Convert"]))


def test_fields_of_every_role_have_an_icon():
    from pvd_blender.panels import ROLE_ICONS
    from pvd_blender.properties import ROLES

    assert set(ROLE_ICONS) == {key for key, _, _ in ROLES} and set(ROLE_ICONS.values()) <= ICONS
