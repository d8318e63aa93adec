"""The readable result of a verb, which ``pvd`` prints without ``--json``."""

from typing import Any


def summary(outputs: dict[str, Any]) -> str:
    """Return a line for each value, with only the length of long lists; the table of a benchmark.

    Parameters
    ----------
    outputs : dict
        Result of a verb.
    """
    return outputs.get("table") or "\n".join(_lines(outputs, ""))


def _lines(values: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in values.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if value is None or value == [] or value == {}:
            continue
        if isinstance(value, dict) and "measured_on" in value:
            lines.append(f"{label} {value['psnr']:.2f} dB ({value['measured_on']})")
        elif isinstance(value, dict):
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
