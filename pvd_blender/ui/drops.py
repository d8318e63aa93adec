"""Files that can be dropped into a Blender window."""

from bpy.types import Context, FileHandler


class CONVERT_FIELD_FH_capture(FileHandler):
    """A capture's JSON file can be dropped into the 3D View."""

    bl_idname = "CONVERT_FIELD_FH_capture"
    bl_label = "Capture"
    bl_import_operator = "convert_field.import_capture"
    bl_file_extensions = ".json"

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Return whether it can be dropped here."""
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (CONVERT_FIELD_FH_capture,)
