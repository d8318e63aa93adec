"""Figures of a field: a PSNR for each meaning, with the views that it was measured on."""

import itertools

from bpy.props import BoolProperty, FloatProperty, StringProperty
from bpy.types import PropertyGroup

from ..engine.checked import Checked
from ..engine.job import MOST_DECIBEL
from ..texts import FIGURES, decibel

SOURCE_TO_IMAGES = "source_psnr_to_images"
"""The engine's key of the PSNR to images of the field that a student was made from."""


class FieldFigure(PropertyGroup):
    """A PSNR and what it was measured on; a figure without that was not measured."""

    psnr: FloatProperty(name="PSNR", description="Mean of the views' PSNR in dB", precision=2)
    measured_on: StringProperty(
        name="Measured On", description="Views that were compared, and their longest side"
    )
    quick: BoolProperty(
        name="Quick",
        description="Measured on one small view while the field was made; a report measures more",
    )


def is_measured(figure: FieldFigure) -> bool:
    """Return whether a figure was measured."""
    return bool(figure.measured_on)


def short(figure: FieldFigure) -> str:
    """Return a figure for a narrow column: ``"24.1"``, ``"~24.1"`` if it is quick, else ``"–"``."""
    if not is_measured(figure):
        return "–"
    return f"{'~' * figure.quick}{decibel(figure.psnr).removesuffix(' dB')}"


def known_figures(item: PropertyGroup) -> list[tuple[str, str, str]]:
    """Return the label, the PSNR and the views of each figure that a field has, for people.

    The views stand once, after the last of the figures that were measured on them.
    """
    known = [(key, figure) for key in FIGURES if is_measured(figure := getattr(item, key))]
    following = [figure.measured_on for _, figure in known[1:]]
    return [
        (
            FIGURES[key],
            decibel(figure.psnr),
            "" if figure.measured_on == after else figure.measured_on,
        )
        for (key, figure), after in itertools.zip_longest(known, following)
    ]


def checked_figures(figures: Checked) -> dict[str, Checked | None]:
    """Return the engine's figures by their keys, checked; None of what was not measured.

    Raises
    ------
    ConvertFieldError
        A figure is not as it must be.
    """
    found = {}
    for key in (*FIGURES, SOURCE_TO_IMAGES):
        found[key] = figures.part(key) if key in figures else None
        if found[key] is not None:
            _values(found[key])
    return found


def store(figure: FieldFigure, values: Checked | None) -> None:
    """Set a figure to the engine's values, or to not measured."""
    figure.psnr, figure.measured_on, figure.quick = (
        (0.0, "", False) if values is None else _values(values)
    )


def _values(figure: Checked) -> tuple[float, str, bool]:
    return (
        figure.number("psnr", low=-MOST_DECIBEL, high=MOST_DECIBEL),
        figure.text("measured_on"),
        figure.flag("quick", False),
    )
