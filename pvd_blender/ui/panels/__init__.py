"""The panels: those of the tab *Convert Field*, in the order in which they are used, and others."""

from . import (
    capture,
    convert,
    edit,
    film,
    main,
    preferences,
    render,
    results,
    splats,
    teacher,
)

CLASSES = (
    *preferences.CLASSES,
    *main.CLASSES,
    *capture.CLASSES,
    *teacher.CLASSES,
    *edit.CLASSES,
    *convert.CLASSES,
    *results.CLASSES,
    *film.CLASSES,
    *splats.CLASSES,
    *render.CLASSES,
)
