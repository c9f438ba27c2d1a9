"""Parts of a batch: what one process computes at a time, and what its means are worth.

A step's loss is a mean over the whole batch, however many processes and micro-batches share the
work. Means run over different things (windows, standing feet, hidden tokens), and a part of the
batch may hold many or few of them. So every part says beforehand how many entries each of its
means runs over; with the entries of the whole batch known, a part's means become its
contributions, and contributions and their gradients only need to be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from intermask.errors import UserError


@dataclass(frozen=True)
class Share:
    """One of ``count`` equal, contiguous parts of every batch."""

    index: int = 0
    count: int = 1

    def of(self, size: int) -> slice:
        """The items of a batch of ``size`` that belong to this share.

        Raises:
            UserError: the batch cannot be shared equally.
        """
        if size % self.count:
            below = size - size % self.count
            near = f"{below} or {below + self.count}" if below else f"{self.count}"
            raise UserError(
                f"a batch of {size} cannot be shared equally by {self.count} parts (processes x "
                f"run.accumulate); set optimiser.batch_size to {near}"
            )
        part = size // self.count
        return slice(self.index * part, (self.index + 1) * part)


def fractions(own: Mapping[str, Tensor], whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What each of a part's means contributes to that of the whole batch.

    Args:
        own: entries of this part by the name of what is counted.
        whole: entries of all parts together; where there are none, nothing is contributed.
    """
    return {name: (count / whole[name].clamp_min(1)).float() for name, count in own.items()}
