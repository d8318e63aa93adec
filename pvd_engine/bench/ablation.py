"""Contributions of the parts of a conversion, measured with one part left out or added.

All conversions start from one teacher. The seeds come turn by turn, so that a machine that slows
down slows all variants alike.
"""

from collections.abc import Sequence
from statistics import mean
from typing import Any

from ..fields.registry import LIGHT_FIELD, RADIANCE_FIELDS
from ..jobs.job import Job
from .measure import held_out, require_test_views
from .plan import Plan, make_and_measure

MOST_VIEWS = 10
"""Views of a split that are measured, evenly spaced: few, as the conversions are short."""

DEFAULT = "default"
PROJECTION = "no projection"

VARIANTS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "stages 23": {"stages": "23"},
    "stages 13": {"stages": "13"},
    "stages 3": {"stages": "3"},
    "no density constraint": {"density_constraint": False},
    "no hard poses": {"hard_poses": False},
    "no hard rays": {"hard_rays": False},
    "no hard points": {"hard_points": False},
    "no active learning": {"hard_poses": False, "hard_rays": False, "hard_points": False},
    PROJECTION: {"projection": False},
    "no fine-tuning": {"fine_tune": 0.0},
}
"""Changes to the arguments of ``pvd convert``, by name."""

LIGHT_VARIANTS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "images alone": {"fine_tune": 1.0},
    "no fine-tuning": {"fine_tune": 0.0},
    "hard rays": {"ray_hard": True},
    "no importance": {"ray_importance": False},
    "no skipping": {"ray_skip_empty": False},
    "points in occupied cells": {"ray_interval": "occupied"},
    "points within the box": {"ray_interval": "box"},
    "points between planes": {"ray_interval": "fixed"},
    "frequencies": {"ray_encoding": "frequencies"},
    "8 points": {"ray_points": 8},
    "32 points": {"ray_points": 32},
    "pool of 64k rays": {"ray_pool": 1 << 16},
    "as published": {
        "ray_encoding": "frequencies",
        "ray_interval": "fixed",
        "ray_skip_empty": False,
        "ray_hard": True,
        "ray_importance": False,
    },
}
"""Variants of conversions to a light field."""


def default_trials(source: str) -> list[tuple[str, str]]:
    """Return targets and variants to measure when no target is named.

    These are stages, constraint and active learning on the network, which has no projection, and
    the projection on every grid and set of factors of an architecture that is not the teacher's.
    """
    grids = [name for name in RADIANCE_FIELDS if name not in (source, "mlp")]
    return trials("mlp") + [(name, variant) for name in grids for variant in (DEFAULT, PROJECTION)]


def trials(target: str) -> list[tuple[str, str]]:
    """Return the target with each variant that means something for it."""
    return [(target, v) for v in variants(target) if not (target == "mlp" and v == PROJECTION)]


def variants(target: str) -> dict[str, dict[str, Any]]:
    """Return the variants of conversions to a target."""
    return LIGHT_VARIANTS if target == LIGHT_FIELD else VARIANTS


def run(
    plan: Plan, source: str, chosen: Sequence[tuple[str, str]], seeds: int, job: Job
) -> dict[str, Any]:
    """Make and measure the teacher and all variants.

    Parameters
    ----------
    plan : Plan
    source : str
        The teacher's architecture.
    chosen : sequence of (str, str)
        Target and variant, as from `trials`.
    seeds : int
        Number of seeds, from the plan's on.
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"teacher"`` and ``"rows"``: each with ``target``, ``variant``,
        ``runs`` (what `make_and_measure` gives, by seed), and ``mean``, ``least`` and ``most`` of
        ``test_psnr``, ``psnr_to_source`` and, where the capture has validation images,
        ``val_psnr``.
    """
    capture = plan.opened(job)
    views = {"test": require_test_views(capture, MOST_VIEWS)}
    validation = held_out(capture, "val", MOST_VIEWS)
    if validation:
        views["val"] = validation
    teacher = make_and_measure(plan.training(source, source), views, job)
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {trial: [] for trial in chosen}
    for seed in range(plan.seed, plan.seed + seeds):
        for target, variant in chosen:
            name = f"{source}-to-{target} {variant} {seed}".replace(",", "").replace(" ", "-")
            request = plan.conversion(source, target, name, seed=seed, **variants(target)[variant])
            runs[target, variant].append(make_and_measure(request, views, job))
    return {
        **plan.conditions(capture),
        "seeds": seeds,
        "source": source,
        "views": {split: [view.name for view in chosen] for split, chosen in views.items()},
        "teacher": teacher,
        "rows": [
            {"target": target, "variant": variant, **spread(records), "runs": records}
            for (target, variant), records in runs.items()
        ],
    }


def spread(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean, least and most over the seeds of what `make_and_measure` gives."""
    values = {
        "test_psnr": [record["test"]["psnr"] for record in records],
        "psnr_to_source": [record["test"]["psnr_to_source"] for record in records],
    }
    if all("val" in record for record in records):
        values["val_psnr"] = [record["val"]["psnr"] for record in records]
    return {
        kind: {name: function(numbers) for name, numbers in values.items()}
        for kind, function in (("mean", mean), ("least", min), ("most", max))
    }


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    has_val = "val" in result["teacher"]
    columns = [("test_psnr", "to images, test"), ("psnr_to_source", "to source")]
    if has_val:
        columns.insert(0, ("val_psnr", "to images, val"))
    lines = [
        f"{result['capture']}, teacher {result['source']}"
        f" {result['teacher']['test']['psnr']:.2f} dB, {result['budget']} each,"
        f" {result['seeds']} seeds from {result['seed']}, {result['device']};"
        " PSNR in dB: mean (least to most)",
        f"{'':<42}" + "".join(f"{title:>24}" for _, title in columns),
    ]
    for row in result["rows"]:
        name = f"{result['source']} -> {row['target']}, {row['variant']}"
        cells = [
            f"{row['mean'][key]:.2f} ({row['least'][key]:.2f} to {row['most'][key]:.2f})"
            for key, _ in columns
        ]
        lines.append(f"{name:<42}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)
