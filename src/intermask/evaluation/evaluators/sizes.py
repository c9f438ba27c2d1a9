"""What both evaluators ask of their sizes."""

from __future__ import annotations

from typing import Any


def check_sizes(config: Any) -> None:
    """Every number of an evaluator's configuration counts something, but for its dropout.

    Raises:
        ValueError: a number below 1, or a dropout that is no share below 1.
    """
    for name, value in vars(config).items():
        if name != "dropout" and value < 1:
            raise ValueError(f"{name} is {value}; expected 1 or more")
    if not 0 <= config.dropout < 1:
        raise ValueError(f"dropout is {config.dropout}; expected a share in [0, 1)")
