"""Names of devices."""

from __future__ import annotations

import pytest
import torch

from intermask.devices import select_device
from intermask.errors import UserError


def test_the_processor_is_always_there() -> None:
    assert select_device("cpu") == torch.device("cpu")
    assert select_device().type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["abacus", "cuda:99", ""])
def test_what_is_not_there_is_named(name: str) -> None:
    with pytest.raises(UserError, match=r"cannot be used here.*choose auto"):
        select_device(name)
