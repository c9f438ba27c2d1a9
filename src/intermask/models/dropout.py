"""Dropout that does not spend more time on chance than the layers around it on arithmetic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_DRAWS = 4
"""Numbers of 16 bits in one drawn number of 64."""
_LEVELS = 2**16


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, on a processor with four draws in one.

    There torch draws a whole random number for every element, one after the other; 16 bits of it
    are enough to tell a probability to 1 in 65,536.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; in training a share ``p`` becomes 0 and the rest grows to make up for it."""
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return F.dropout(x, self.p, self.training)
        drawn = torch.empty(-(-x.numel() // _DRAWS), dtype=torch.int64).random_(-(2**63), None)
        levels = drawn.view(torch.int16)[: x.numel()].view(x.shape)
        dropped = round(self.p * _LEVELS)
        return x * (levels >= dropped - _LEVELS // 2) * (_LEVELS / (_LEVELS - dropped))
