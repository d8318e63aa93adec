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

    def template_icon(self, *_arguments, **options):
        self._known("template_icon", options)

    def prop_search(self, data, name, collection, items, **options):
        self._known("prop_search", options)
        assert name in data.bl_rna.properties and items in collection.bl_rna.properties
        self.drawn.append(name)

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
    from pvd_blender.ui.panels import CLASSES

    return {cls.bl_label: cls for cls in CLASSES if issubclass(cls, bpy.types.Panel)}


@pytest.fixture
def frame(add_on):
    from pvd_blender.scene.frame import create_frame
    from pvd_blender.state.properties import frame_state

    item = create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))
    bpy.context.scene.convert_field.frame = item
    frame_state(item)
    return item


def test_every_panel_draws_without_a_capture(add_on):
    for panel in panels().values():
        drawn(panel)


@pytest.mark.parametrize(("panel", "fold"), [("Teacher", "teacher"), ("Convert", "student")])
def test_what_few_people_change_is_folded_away(frame, panel, fold):
    shown = drawn(panels()[panel])
    folded = shown[shown.index(f"convert_field_{fold}") :]
    assert {"parallel", "seed"} <= set(folded)
    assert {"architecture", "preset", "limit"} <= set(shown) - set(folded)
    button = {"Teacher": "convert_field.train", "Convert": "convert_field.convert"}[panel]
    assert button in folded, "the button comes after its settings"
    if panel == "Convert":
        assert {"max_size", "stages", "hard_poses", "hard_rays", "hard_points"} <= set(folded)


def test_splats_have_a_number_and_what_means_nothing_for_them_is_left_out(frame):
    values = bpy.context.scene.convert_field
    blocks = {"parallel", "stages", "inherit", "through", "projection", "hard_rays"}
    for making, panel in ((values.teacher, "Teacher"), (values.student, "Convert")):
        making.parallel = "vm"
        assert "preset" in drawn(panels()[panel]) and making.composition().endswith("+vm")
        assert making.making()["splats"] is None
        making.architecture = "gaussians"
        assert "splats" in drawn(panels()[panel]) and not blocks & set(drawn(panels()[panel]))
        assert making.composition() == "gaussians" and making.making()["splats"] is None
        making.splats = 5000
        assert making.making()["splats"] == 5000
    values.student.stages = "23"
    assert "stages" not in values.student.distilling()
    assert {"max_size", "fine_tune"} <= set(values.student.distilling())


def test_each_architecture_is_described_in_one_line():
    from pvd_blender.state.engine_options import ARCHITECTURES

    lines = [entry["good_for"] for entry in ARCHITECTURES.values()]
    assert max(map(len, lines)) < 36, "it fits a narrow panel"


def test_results_tell_what_is_known_of_the_selected_field(frame, tmp_path):
    path = tmp_path / "mlp.safetensors"
    path.write_bytes(bytes(2_340_000))
    item = frame.convert_field.fields.add()
    item.name, item.path = "Student mlp", str(path)
    shown = drawn(panels()["Results"])
    assert {"Student mlp", "2.3 MB"} <= set(shown)
    labels = {"PSNR to images", "PSNR to source", "Time", "convert_field.open_report"}
    assert not labels & set(shown), "nothing is made up"
    item.architecture, item.seconds = "hash+vm", 125.2
    item.psnr_to_images.psnr, item.psnr_to_images.measured_on = 31.26, "quick: 1 val view, 24 px"
    item.report = "/somewhere/mlp.report.html"
    shown = set(drawn(panels()["Results"]))
    known = {"Hash Grid + TensoRF VM", "31.3 dB", "2:05 min", "convert_field.open_report"}
    assert known | {"PSNR to images", "quick: 1 val view, 24 px"} <= shown
    assert "PSNR to source" not in shown, "what was not measured is not there"
    item.psnr_to_source.psnr, item.psnr_to_source.measured_on = 28.94, "8 of 25 test views, 200 px"
    shown = drawn(panels()["Results"])
    of_source = shown.index("PSNR to source")
    assert (
        shown[of_source + 1] == "28.9 dB" and shown[of_source + 2] == "8 of 25 test views, 200 px"
    )


def rows_of_list(frame):
    """What the list of fields draws: the columns of its heading, and of each field."""
    from pvd_blender.ui.panels import main

    state = frame.convert_field
    rows = [[]]
    main._draw_heading(CheckedLayout(rows[0]), state)
    for item in state.fields:
        rows.append([])
        main.CONVERT_FIELD_UL_fields.draw_item(
            None, None, CheckedLayout(rows[-1]), state, item, 0, state, "active_field"
        )
    return rows


def test_the_list_has_a_column_for_each_meaning_and_a_dash_for_what_was_not_measured(frame):
    teacher, student, _ = (frame.convert_field.fields.add() for _ in range(3))
    teacher.psnr_to_images.psnr, teacher.psnr_to_images.measured_on = 12.24, "quick: 1 val view"
    teacher.psnr_to_images.quick = True
    student.psnr_to_images.psnr, student.psnr_to_images.measured_on = -0.04, "8 test views"
    student.psnr_to_source.psnr, student.psnr_to_source.measured_on = 14.06, "8 test views"
    assert rows_of_list(frame) == [
        ["PSNR (dB) to", "images", "source", ""],
        ["name", "~12.2", "–", ""],
        ["name", "0.0", "14.1", ""],
        ["name", "–", "–", ""],
    ]


def test_any_two_fields_can_be_compared(frame, tmp_path):
    from pvd_blender.ui.operators.convert import CONVERT_FIELD_OT_compare as compare

    bpy.ops.object.camera_add()
    bpy.context.scene.camera = bpy.context.object
    state = frame.convert_field
    for name in ("First", "Second"):
        item = state.fields.add()
        item.name, item.path = name, str(tmp_path / f"{name}.safetensors")
        (tmp_path / f"{name}.safetensors").touch()
    assert "was not made from another" in compare.why_not(bpy.context)
    state.reference = "First"
    assert "another field" in compare.why_not(bpy.context), "that is the selected one itself"
    state.reference = "Second"
    assert "Engine" in compare.why_not(bpy.context), "nothing but the engine is missing"
    assert "reference" in drawn(panels()["Results"])


@pytest.mark.parametrize("limit", ["TIME", "STEPS", "QUALITY"])
def test_the_end_of_the_work_is_set_by_its_kind(frame, limit):
    teacher = bpy.context.scene.convert_field.teacher
    teacher.limit = limit
    names = set(drawn(panels()["Teacher"])) & {"seconds", "steps", "until_psnr"}
    given = {name for name, value in teacher.making().items() if value is not None}
    assert names == {"TIME": {"seconds"}, "STEPS": {"steps"}}.get(limit, {"seconds", "until_psnr"})
    expected = {"TIME": {"budget"}, "STEPS": {"steps"}}.get(limit, {"budget", "until_psnr"})
    assert given & {"budget", "steps", "until_psnr"} == expected


def test_a_sentence_is_broken_into_lines_that_fit_and_lose_no_word():
    import blf

    from pvd_blender.ui.status import _lines

    text = "The engine's Python cannot be found; choose another one in the preferences " * 3
    lines = list(_lines(text, 200.0, 1.0))
    assert " ".join(lines).split() == text.split()
    long = "/a/folder/with/a/name/that/is/far/too/long/for/one/line/of/a/narrow/panel.safetensors"
    parts = list(_lines(f"See {long} now", 200.0, 1.0))
    assert "".join(parts).replace(" ", "") == f"See{long}now"
    lines += parts
    assert 3 < len(lines) < 20
    assert max(blf.dimensions(0, line)[0] for line in lines) <= 200.0


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


def test_greyed_buttons_show_why_once_there_is_a_field(frame, tmp_path):
    merging, rendering = "Select two or more field volumes", "The scene has no camera"
    bpy.context.scene.camera = None
    assert merging not in drawn(panels()["Edit"]), "that there is no field is said already"
    path = tmp_path / "hash.safetensors"
    path.touch()
    frame.convert_field.fields.add().path = str(path)
    assert merging in drawn(panels()["Edit"])
    assert any(text.startswith(rendering) for text in drawn(panels()["Results"]))


class Page:
    """The add-on's preferences with a layout that checks what is drawn."""

    def __init__(self, found):
        self.layout = CheckedLayout(found)

    def __getattr__(self, name):
        from pvd_blender.preferences import preferences

        return getattr(preferences(), name)


def preferences_page():
    from pvd_blender.ui.panels.preferences import ConvertFieldPreferences

    found = []
    ConvertFieldPreferences.draw(Page(found), bpy.context)
    return found


def test_the_preferences_offer_to_set_up_an_engine_that_is_missing(add_on):
    shown = preferences_page()
    assert {"convert_field.set_up_engine", "pip_options", "set_up_libraries"} <= set(shown)
    assert any("not set up" in text for text in shown)


def test_the_preferences_show_what_the_check_of_this_python_and_device_found(api, tmp_path):
    assert not any(text.startswith("Engine ") for text in preferences_page())
    report = api.check_engine()
    assert report in preferences_page()
    api.configure(device="auto")
    assert report not in preferences_page(), "that was another device"
    api.configure(device="cpu", work_folder=tmp_path / "elsewhere")
    assert report in preferences_page()


def test_fields_of_every_role_have_an_icon():
    from pvd_blender.state.properties import ROLES
    from pvd_blender.ui.panels.base import ROLE_ICONS

    assert set(ROLE_ICONS) == {key for key, _, _ in ROLES} and set(ROLE_ICONS.values()) <= ICONS
