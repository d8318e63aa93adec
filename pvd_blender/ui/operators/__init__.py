"""The operators: each a few lines over `api`, so that scripts can do everything that buttons do."""

from . import capture, convert, edit, export, film, jobs, splats, teacher

CLASSES = (
    *capture.CLASSES,
    *export.CLASSES,
    *teacher.CLASSES,
    *edit.CLASSES,
    *convert.CLASSES,
    *film.CLASSES,
    *splats.CLASSES,
    *jobs.CLASSES,
)
