"""Which processor networks run on."""

from __future__ import annotations

import torch

from intermask.errors import UserError


def select_device(name: str = "auto") -> torch.device:
    """The torch device of a name; ``auto``: a CUDA GPU, else Apple's, else the CPU.

    Raises:
        UserError: torch does not know the device or cannot use it here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).strip() or "not available").splitlines()[0].rstrip(".")
        raise UserError(
            f"the device {name!r} cannot be used here ({reason}); choose auto, cpu, cuda or mps"
        ) from error
    return device
