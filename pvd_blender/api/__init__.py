"""Functions for scripts: everything that the panels' buttons do.

Every function that needs the engine blocks, prints its progress, and returns what it made. With
``wait=False``, which only a Blender with a window can do, it starts a job and returns None; the
result comes into the scene when it is ready, and the panels show the progress. One job runs at a
time; jobs that are started meanwhile wait for their turn.

A capture is named by its *frame*: the Empty that `import_capture` returns. A field is named by its
file, a ``.safetensors``; without one, the field that is selected in the capture's list is taken,
which is the newest.

Every failure is a `ConvertFieldError`, one sentence that says what is wrong and what to do; a
`SceneError` is one that concerns an object of the scene.

Examples
--------
>>> frame = api.import_capture("lego")
>>> api.train(frame, "hash", budget=120)
>>> api.extract_volume(frame)
>>> api.add_shape(frame, "erase", "box", location=(0.3, 0.0, 0.5))
>>> api.apply_edits(frame)
>>> student = api.convert(frame, "mlp", budget=120)
>>> api.render(frame).save(filepath="lego.png")
"""

from ..errors import ConvertFieldError, JobCancelledError, SceneError
from .capture import export_scene, import_capture
from .convert import convert
from .edit import (
    add_field_erase,
    add_shape,
    apply_edits,
    collect_edits,
    find_floaters,
    mark_meshes,
    merge,
    reorder_shape,
)
from .engine import check_engine, configure, set_up_engine
from .fields import add_field, extract_volume, remove_field
from .film import path_through_cameras, render_film, turntable
from .jobs import cancel, discard, resume
from .render import combine_by_depth, compare, look_through, render, use_standard_view
from .splats import import_splats, save_splats, show_splats, use_as_field
from .teacher import train

__all__ = [
    "ConvertFieldError",
    "JobCancelledError",
    "SceneError",
    "add_field",
    "add_field_erase",
    "add_shape",
    "apply_edits",
    "cancel",
    "check_engine",
    "collect_edits",
    "combine_by_depth",
    "compare",
    "configure",
    "convert",
    "discard",
    "export_scene",
    "extract_volume",
    "find_floaters",
    "import_capture",
    "import_splats",
    "look_through",
    "mark_meshes",
    "merge",
    "path_through_cameras",
    "remove_field",
    "render",
    "render_film",
    "reorder_shape",
    "resume",
    "save_splats",
    "set_up_engine",
    "show_splats",
    "train",
    "turntable",
    "use_as_field",
    "use_standard_view",
]
