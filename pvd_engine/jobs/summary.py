"""The result of a verb for people: what ``pvd`` prints without ``--json``."""

from typing import Any


def summary(outputs: dict[str, Any]) -> str:
    """One line a value, a long list just counted; of a benchmark, its table.

    Parameters
    ----------
    outputs : dict
        What a verb returned.
    """
    return outputs.get("table") or "\n".join(_lines(outputs, ""))


def _lines(values: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in values.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if value is None or value == [] or value == {}:
            continue
        if isinstance(value, dict):
            lines.append(label)
            lines.extend(_lines(value, indent + "  "))
        else:
            lines.append(f"{label} {_text(value)}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        if any(isinstance(item, dict) for item in value) or len(value) > 16:
            return f"{len(value)} (--json lists them)"
        return ", ".join(f"({_text(i)})" if isinstance(i, list) else _text(i) for i in value)
    return str(value)
