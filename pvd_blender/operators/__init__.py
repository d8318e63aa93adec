"""The operators: each a few lines over `api`, so that scripts can do all that buttons do."""

from . import capture, convert, edit, jobs, teacher

CLASSES = (
    *capture.CLASSES,
    *teacher.CLASSES,
    *edit.CLASSES,
    *convert.CLASSES,
    *jobs.CLASSES,
)
