"""All that changes while a model is trained, and therefore all that a checkpoint holds."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import nn

from intermask.config import OptimiserConfig
from intermask.models.text_head import SentenceHead, TextHead
from intermask.models.transformer import InterMTransformer

PACE = "pace"
"""Entry of an optimiser's group of weights: the factor on its learning rate."""


class TrainingState:
    """Weights, their average, the optimiser's moments, and how far the run has come.

    Args:
        model: as it starts.
        config: of the optimiser; with ``average_decay`` a moving average of the weights is kept.
    """

    def __init__(self, model: nn.Module, config: OptimiserConfig) -> None:
        self.model = model
        self.average = deepcopy(model).eval() if config.average_decay else None
        self.decay = config.average_decay
        self.optimiser = torch.optim.AdamW(
            _groups(model, config.text_rate),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=_has_fused_kernel(model),
        )
        self.step = 0
        """Steps that are done."""
        self.best: float | None = None
        """The best value so far of the metric that checkpoints are chosen by."""

    @property
    def judged(self) -> nn.Module:
        """The weights that are validated and used: their average, if one is kept."""
        return self.model if self.average is None else self.average

    def snapshot(self) -> dict[str, Any]:
        """Everything, as nested dictionaries of tensors and numbers."""
        return {
            "step": self.step,
            "best": self.best,
            "model": self.model.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Become what `snapshot` was taken of."""
        self.model.load_state_dict(snapshot["model"])
        self.optimiser.load_state_dict(snapshot["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(snapshot["average"])
        self.step, self.best = int(snapshot["step"]), snapshot["best"]

    @torch.no_grad()
    def move_average(self) -> None:
        """Let the average follow weights and real buffers; early steps count for more.

        A codebook must be averaged like the encoder whose latents it codes; flags are copied.
        """
        if self.average is None:
            return
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
        for weight, current in pairs:
            weight.lerp_(current, 1 - decay)
        for buffer, now in zip(self.average.buffers(), self.model.buffers(), strict=True):
            if buffer.is_floating_point():
                buffer.lerp_(now, 1 - decay)
            else:
                buffer.copy_(now)


def _groups(model: nn.Module, text_rate: float) -> list[dict[str, Any]]:
    """Trained weights; those that hear the text in a group of their own if they have a rate."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if text_rate == 1:
        return [{"params": trained, PACE: 1.0}]
    hearing = {id(weight) for weight in hearing_parameters(model)}
    return [
        {"params": [weight for weight in trained if id(weight) not in hearing], PACE: 1.0},
        {"params": [weight for weight in trained if id(weight) in hearing], PACE: text_rate},
    ]


def hearing_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The weights that turn text features into the condition that all blocks read."""
    hearing: list[nn.Module] = []
    for module in model.modules():
        if isinstance(module, TextHead | SentenceHead):
            hearing.append(module)
        elif isinstance(module, InterMTransformer):
            hearing.append(module.condition_projection)
    return [weight for module in hearing for weight in module.parameters()]


def _has_fused_kernel(model: nn.Module) -> bool:
    """Whether AdamW can go over all weights in one pass, several times as fast as one by one."""
    return all(weight.device.type in ("cpu", "cuda") for weight in model.parameters())
