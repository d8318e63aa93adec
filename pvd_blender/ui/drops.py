"""Files that can be dropped into a Blender window."""

from bpy.types import Context, FileHandler


def _is_view(context: Context) -> bool:
    return context.area is not None and context.area.type == "VIEW_3D"


class CONVERT_FIELD_FH_capture(FileHandler):
    """A capture's JSON file can be dropped into the 3D View."""

    bl_idname = "CONVERT_FIELD_FH_capture"
    bl_label = "Capture"
    bl_import_operator = "convert_field.import_capture"
    bl_file_extensions = ".json"

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Return whether it can be dropped here."""
        return _is_view(context)


class CONVERT_FIELD_FH_splats(FileHandler):
    """A file of splats can be dropped into the 3D View.

    Blender has importers of its own for .ply and .spz; it asks which one the user means.
    """

    bl_idname = "CONVERT_FIELD_FH_splats"
    bl_label = "Gaussian Splats (Convert Field)"
    bl_import_operator = "convert_field.import_splats"
    bl_file_extensions = ".ply;.spz;.splat;.sog"

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        """Return whether it can be dropped here."""
        return _is_view(context)


CLASSES = (CONVERT_FIELD_FH_capture, CONVERT_FIELD_FH_splats)
