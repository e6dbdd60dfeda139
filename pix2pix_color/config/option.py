"""One option: its default, allowed values and help text."""

import dataclasses
import math
from typing import Any, Optional, Sequence


def option(default: Any, help: str, *, minimum: Optional[float] = None,
           maximum: Optional[float] = None,
           choices: Optional[Sequence[str]] = None,
           holds: str = "", resumable: bool = False) -> Any:
    """Declares a dataclass field that is also a flag.

    Args:
      default: value when the flag is not given; its type is the flag's type.
      help: what the option does, with its unit.
      minimum: lowest allowed value.
      maximum: highest allowed value.
      choices: allowed values of an enumeration.
      holds: `path` or `data` (a data spec), in which ~ is the home folder;
        empty for any other value.
      resumable: whether the value may change when a run is resumed.
    """
    return dataclasses.field(default=default, metadata=dict(
        help=help, minimum=minimum, maximum=maximum, choices=choices,
        holds=holds, resumable=resumable))


def allowed_values(field: dataclasses.Field) -> str:
    """Describes an option's allowed values; empty if any value is allowed."""
    low, high = field.metadata["minimum"], field.metadata["maximum"]
    choices = field.metadata["choices"]
    if choices:
        return f"one of {', '.join(choices)}"
    if high is not None:
        return f"from {low} to {high}"
    return "" if low is None else f"at least {low}"


def is_allowed(field: dataclasses.Field, value: Any) -> bool:
    """Tells whether an option may have a value."""
    low, high = field.metadata["minimum"], field.metadata["maximum"]
    choices = field.metadata["choices"]
    # NaN fails the comparisons.
    return ((not isinstance(value, float) or math.isfinite(value))
            and (not choices or value in choices)
            and (low is None or value >= low)
            and (high is None or value <= high))


def explain_value(field: dataclasses.Field, value: Any) -> str:
    """Says what an option must be instead of a value."""
    return f"--{field.name}={value} must be {allowed_values(field)}"
