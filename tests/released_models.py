"""Our transformer and text head with the tiny released weights of `tests/golden`."""

from __future__ import annotations

from torch import Tensor

from golden_files import golden
from intermask.config import TextConfig, TransformerConfig
from intermask.models.text_head import TextHead
from intermask.models.transformer import InterMTransformer
from intermask.official import transformer_key

CODES = 32
ROWS = 5
TINY = TransformerConfig(
    codebook_size=CODES,
    code_dim=24,
    width=48,
    layers=2,
    heads=6,
    feedforward=64,
    condition_width=32,
    rows=ROWS,
)
TINY_TEXT = TextConfig(width=32, head_layers=2, head_heads=4, head_feedforward=64)


def _weights(file: str, part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    released = {
        name: value for name, value in golden(file).weights.items() if not name.startswith("clip_")
    }
    named = {transformer_key(name): value for name, value in released.items()}
    return {
        name.removeprefix(prefix): value
        for name, value in named.items()
        if name is not None and name.startswith(prefix)
    }


def released_transformer() -> InterMTransformer:
    """The transformer of `transformer.npz`, in evaluation mode."""
    transformer = InterMTransformer(TINY)
    transformer.load_state_dict(_weights("transformer", "transformer"))
    return transformer.eval()


def released_text_head() -> TextHead:
    """The text head of `text_branch.npz`, in evaluation mode."""
    head = TextHead(TINY_TEXT)
    head.load_state_dict(_weights("text_branch", "text_head"))
    return head.eval()
