"""Presets of the panels' settings, kept in the way that Blender keeps its own."""

import bpy
import pytest


@pytest.mark.parametrize("group", ["teacher", "student"])
def test_every_setting_comes_back_with_its_preset(add_on, group):
    settings = getattr(bpy.context.scene.convert_field, group)
    settings.architecture, settings.parallel, settings.limit = "vm", "hash", "QUALITY"
    settings.until_psnr, settings.seconds, settings.seed, settings.preset = 27.5, 42.0, 7, "small"
    if group == "student":
        settings.stages, settings.hard_rays, settings.max_size = "13", False, "3MB"
    properties = [p.identifier for p in settings.bl_rna.properties if not p.is_readonly]
    wanted = {name: getattr(settings, name) for name in properties}
    add = getattr(bpy.ops.convert_field, f"add_{group}_preset")
    assert add(name="Mine") == {"FINISHED"}
    for name in properties:
        settings.property_unset(name)
    assert {name: getattr(settings, name) for name in properties} != wanted
    (path,) = bpy.utils.preset_paths(f"convert_field/{group}")[:1]
    bpy.ops.script.execute_preset(
        filepath=f"{path}/Mine.py", menu_idname=f"CONVERT_FIELD_PT_{group}_presets"
    )
    assert {name: getattr(settings, name) for name in properties} == wanted
