"""Our evaluators with the tiny released weights of `tests/golden`."""

from __future__ import annotations

from torch import nn

from golden_files import golden
from intermask.evaluation.evaluators.interclip import InterClip, InterClipConfig
from intermask.evaluation.evaluators.interx import InterXEvaluator, InterXEvaluatorConfig
from intermask.official.evaluator_names import interclip_renaming, interx_evaluator_renaming
from intermask.official.names import Renaming

TINY_INTERCLIP = InterClipConfig(
    width=32,
    layers=2,
    heads=4,
    feedforward=64,
    text_width=32,
    text_heads=4,
    text_feedforward=64,
    vocabulary=600,
    context=20,
    embedding=16,
)
TINY_INTERX = InterXEvaluatorConfig(
    columns=40,
    movement_hidden=16,
    movement=12,
    motion_hidden=16,
    word=14,
    text_hidden=16,
    embedding=10,
)


def released_interclip() -> InterClip:
    """The network of `evaluator_interhuman.npz`, in evaluation mode."""
    network = InterClip(TINY_INTERCLIP)
    _fill(network, "evaluator_interhuman", interclip_renaming(), "model.")
    return network.eval()


def released_interx() -> InterXEvaluator:
    """The network of `evaluator_interx.npz`, in evaluation mode."""
    network = InterXEvaluator(TINY_INTERX)
    _fill(network, "evaluator_interx", interx_evaluator_renaming(), "")
    return network.eval()


def _fill(network: nn.Module, recorded: str, names: Renaming, prefix: str) -> None:
    weights = golden(recorded).weights.items()
    named = {names.ours(f"{prefix}{name}"): value for name, value in weights}
    network.load_state_dict({name: value for name, value in named.items() if name is not None})
