"""Features of two people to token maps and back, many clips at a time.

Shapes: `p` person (2), `s` token row, `n` token column, `t` frame, `f` feature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from intermask import representation, representation_smplx
from intermask.models.autoencoder import MotionAutoencoder
from intermask.representation import Normaliser

CODED_TOGETHER = 32
"""Most clips of one length that go through a tokenizer at once: of the paper's size, each layer's
activations take 45 kB a frame and person."""

_GRIDS = {"interhuman": representation, "interx": representation_smplx}


class FeatureCoder:
    """A tokenizer with its normaliser and its dataset's grid.

    A clip is coded at its own length, since padding would change its end; clips of one length go
    through the network together. What goes in and comes out is on the CPU.
    """

    def __init__(self, tokenizer: MotionAutoencoder, normaliser: Normaliser) -> None:
        self.tokenizer, self.normaliser = tokenizer, normaliser
        grid = _GRIDS[tokenizer.config.dataset]
        self._to_grid, self._from_grid = grid.to_joint_grid, grid.from_joint_grid

    @property
    def stride(self) -> int:
        """Frames a token column."""
        return self.tokenizer.stride

    @torch.no_grad()
    def encode(self, features: Sequence[Tensor], batch_size: int = 1) -> list[Tensor]:
        """Token maps (p, s, n) of unnormalised features (p, t, f).

        Where t is no multiple of `stride`, the last column is filled up with the last frame.
        """
        whole = [_in_whole_columns(each, self.stride) for each in features]
        return _of_one_length(whole, 1, batch_size, self._encode)

    @torch.no_grad()
    def decode(self, maps: Sequence[Tensor], batch_size: int = 1) -> list[Tensor]:
        """Unnormalised float32 features (p, stride n, f) of token maps (p, s, n)."""
        return _of_one_length(maps, 2, batch_size, self._decode)

    def _encode(self, features: Tensor) -> Tensor:
        normal = self.normaliser.normalise(features.to(self.normaliser.mean.device))
        return self.tokenizer.tokenize(self._to_grid(normal)).cpu()

    def _decode(self, maps: Tensor) -> Tensor:
        grid = self.tokenizer.decode(maps.to(self.normaliser.mean.device))
        return self.normaliser.denormalise(self._from_grid(grid)).float().cpu()


def _in_whole_columns(features: Tensor, stride: int) -> Tensor:
    """Features (p, t, f) whose last frame is repeated until t is a multiple of the stride."""
    missing = -features.shape[1] % stride
    return torch.cat((features, features[:, -1:].expand(-1, missing, -1)), 1)


def batches_of_one_length(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Numbers of items in groups of at most ``batch_size`` that have one length each."""
    alike: dict[int, list[int]] = defaultdict(list)
    for number, length in enumerate(lengths):
        alike[length].append(number)
    for numbers in alike.values():
        for begin in range(0, len(numbers), batch_size):
            yield numbers[begin : begin + batch_size]


def _of_one_length(
    items: Sequence[Tensor], axis: int, batch_size: int, code: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """What ``code`` makes of the people of several items at once, item by item."""
    coded: dict[int, Tensor] = {}
    for numbers in batches_of_one_length([item.shape[axis] for item in items], batch_size):
        people = code(torch.cat([items[number] for number in numbers]))
        sizes = [len(items[number]) for number in numbers]
        coded |= zip(numbers, people.split(sizes), strict=True)
    return [coded[number] for number in range(len(items))]
