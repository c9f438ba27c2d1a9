"""The text tower of CLIP ViT-L/14@336 through transformers, exactly as the authors use it.

Captions are padded to 77 with id 0, no attention mask is given (the tower itself is causal), the
feature that stands for the caption is the one at the largest id, the activation is quick GELU, and
all 77 features are returned: the authors' trainable head attends to the padding too.
"""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from intermask.errors import MissingExtra
from intermask.text.clip_files import REPOSITORY, find_files, what_to_bring
from intermask.text.clip_tokenizer import ClipTokenizer
from intermask.text.features import FrozenTextEncoder, TextFeatures

if TYPE_CHECKING:
    from transformers import CLIPTextConfig, CLIPTextModel

_OPENAI_BLOCK_NAMES = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_NOT_IN_THE_TOWER = (
    "visual.",
    "text_projection",
    "logit_scale",
    "input_resolution",
    "context_length",
    "vocab_size",
)


class ClipTextEncoder(FrozenTextEncoder):
    """CLIP's frozen text tower: features of all positions after its final layer norm.

    ``mask`` of the features is None, because the padded positions take part downstream.
    """

    name = "clip"

    def __init__(self, tower: CLIPTextModel, tokenizer: ClipTokenizer | None = None) -> None:
        """Args:
        tower: the text tower; width, context and vocabulary are read from its configuration.
        tokenizer: captions to ids; without it only :meth:`encode_ids` works.
        """
        super().__init__()
        config = tower.config
        if tokenizer is not None and tokenizer.vocabulary_size > config.vocab_size:
            raise ValueError(
                f"the tokenizer has {tokenizer.vocabulary_size} ids but the tower's table only "
                f"{config.vocab_size}; bring both from the same model ({REPOSITORY})"
            )
        self.width = config.hidden_size
        self.max_tokens = config.max_position_embeddings
        self.vocabulary_size = config.vocab_size
        self.tower = tower
        self._tokenizer = tokenizer
        self.freeze()

    @classmethod
    def load(
        cls, source: Path | str | None = None, *, allow_download: bool = False
    ) -> ClipTextEncoder:
        """Load tower and vocabulary in the layout of Hugging Face.

        Args:
            source: a folder with ``config.json``, ``vocab.json``, ``merges.txt`` and
                ``model.safetensors`` (or ``pytorch_model.bin``); by default the user's cache.
            allow_download: fetch what the cache lacks; never for a given folder.
        """
        with _quiet_transformers():
            files = find_files(source, allow_download=allow_download)
            config = _read_config(files["config.json"])
            tower = _build_tower(config, _read_weights(files["weights"]))
        tokenizer = ClipTokenizer.load(files["vocab.json"], files["merges.txt"])
        return cls(tower, tokenizer)

    @classmethod
    def from_openai_state_dict(
        cls,
        state_dict: Mapping[str, Tensor],
        heads: int,
        tokenizer: ClipTokenizer | None = None,
    ) -> ClipTextEncoder:
        """Build the tower from weights under OpenAI's names, with or without ``clip_`` before them.

        Args:
            state_dict: ``token_embedding.weight``, ``positional_embedding``,
                ``transformer.resblocks.N...``, ``ln_final...``. With the prefix, all other keys are
                left alone, so that the authors' whole text branch can be given.
            heads: attention heads, which no shape tells (the released tower: 12).
            tokenizer: captions to ids; without it only :meth:`encode_ids` works.
        """
        weights = _openai_to_transformers(state_dict)
        vocabulary_size, width = weights["embeddings.token_embedding.weight"].shape
        if width % heads:
            raise ValueError(f"{heads} heads do not divide the tower's width {width}")
        with _quiet_transformers():
            from transformers import CLIPTextConfig

            config = CLIPTextConfig(
                vocab_size=vocabulary_size,
                hidden_size=width,
                intermediate_size=weights["encoder.layers.0.mlp.fc1.weight"].shape[0],
                num_hidden_layers=len([key for key in weights if key.endswith("mlp.fc1.weight")]),
                num_attention_heads=heads,
                max_position_embeddings=len(weights["embeddings.position_embedding.weight"]),
                hidden_act="quick_gelu",
                eos_token_id=vocabulary_size - 1,
            )
            tower = _build_tower(config, weights)
        return cls(tower, tokenizer)

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """Ids ``(b, 77)`` int64, padded with 0; a longer caption is cut and ends in end-of-text."""
        return self._require_tokenizer().encode_padded(captions, self.max_tokens)

    @torch.no_grad()
    def encode_ids(self, ids: Tensor) -> TextFeatures:
        """Features ``(b, 77, w)`` of ids ``(b, 77)`` that are already padded with 0."""
        if ids.ndim != 2 or ids.shape[1] != self.max_tokens:
            raise ValueError(
                f"expected ids of shape (b, {self.max_tokens}), padded with 0; "
                f"got {tuple(ids.shape)}"
            )
        if ids.numel() and (int(ids.min()) < 0 or int(ids.max()) >= self.vocabulary_size):
            raise ValueError(
                f"ids must lie in 0..{self.vocabulary_size - 1}; "
                f"got {int(ids.min())}..{int(ids.max())}"
            )
        ids = ids.to(next(self.tower.parameters()).device)
        features = self.tower(input_ids=ids).last_hidden_state
        # Start and end of text are the two largest ids, and the first of equal ones is taken.
        return TextFeatures(features.float(), ids.argmax(dim=-1), None)

    def encode(self, captions: Sequence[str]) -> TextFeatures:
        """Features ``(b, 77, w)`` of the captions, padding included."""
        return self.encode_ids(self.tokenize(captions))

    def count_tokens(self, caption: str) -> int:
        """Tokens of the caption, start and end of text included, before any cut."""
        return len(self._require_tokenizer().encode(caption))

    def _require_tokenizer(self) -> ClipTokenizer:
        if self._tokenizer is None:
            raise ValueError(
                "this CLIP tower was built without a vocabulary, so it cannot read captions; "
                "give it a ClipTokenizer (vocab.json, merges.txt), or call encode_ids"
            )
        return self._tokenizer


def _read_config(path: Path) -> CLIPTextConfig:
    """The text tower's configuration, out of a whole CLIP's or of its own."""
    from transformers import CLIPConfig, CLIPTextConfig

    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); bring {what_to_bring()}") from error
    kind = values.get("model_type")
    if kind == "clip":
        # through the whole CLIP's class: older files state the sizes in `text_config_dict`
        text_config = CLIPConfig.from_dict(values).text_config
        if isinstance(text_config, CLIPTextConfig):
            return text_config
    if kind == "clip_text_model":
        return CLIPTextConfig.from_dict(values)
    raise ValueError(
        f'{path} describes a model of type "{kind}"; expected "clip" or "clip_text_model": '
        f"bring {what_to_bring()}"
    )


def _read_weights(path: Path) -> dict[str, Tensor]:
    """The text tower's tensors in float32; those of the image tower are not even read."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                keys = _tower_keys(file.keys())
                return {ours: file.get_tensor(theirs).float() for ours, theirs in keys.items()}
        stored = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
        return {ours: stored[theirs].float() for ours, theirs in _tower_keys(stored).items()}
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} cannot be read as weights ({type(error).__name__}); the file is damaged or "
            f"not CLIP's: bring {path.name} of {REPOSITORY} again"
        ) from error


def _tower_keys(keys: Sequence[str] | Mapping[str, Tensor]) -> dict[str, str]:
    """Names without ``text_model.`` to names as stored."""
    prefix = "text_model." if any(key.startswith("text_model.") for key in keys) else ""
    return {
        key.removeprefix(prefix): key
        for key in keys
        # older files also store the constant 0, 1, 2, ...
        if key.startswith(prefix) and not key.endswith("position_ids")
    }


def _build_tower(config: CLIPTextConfig, weights: Mapping[str, Tensor]) -> CLIPTextModel:
    """The tower around the given tensors, which are not copied; every key must fit."""
    from transformers import CLIPTextModel

    with torch.device("meta"):  # no time and memory for random weights
        tower = CLIPTextModel(config)
    # Releases of transformers differ in whether the tower sits one level down.
    prefix = "text_model." if hasattr(tower, "text_model") else ""
    try:
        tower.load_state_dict({prefix + key: value for key, value in weights.items()}, assign=True)
    except RuntimeError as error:  # its message lists missing and unknown keys and wrong sizes
        raise ValueError(f"these weights do not fit CLIP's text tower: {error}") from error
    embeddings = tower.get_submodule(f"{prefix}embeddings")
    embeddings.position_ids = torch.arange(config.max_position_embeddings)[None]
    return tower


def _openai_to_transformers(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's names to those of transformers' tower, in float32; missing keys are named."""
    prefix = "clip_" if any(key.startswith("clip_") for key in state_dict) else ""
    plain = {
        key.removeprefix(prefix): value.detach().float()
        for key, value in state_dict.items()
        if key.startswith(prefix) and not key.removeprefix(prefix).startswith(_NOT_IN_THE_TOWER)
    }
    start = "transformer.resblocks."
    layers = sorted({int(key.split(".")[2]) for key in plain if key.startswith(start)})
    renamed: dict[str, Tensor] = {}

    def take(key: str) -> Tensor:
        if key not in plain:
            raise ValueError(f"the CLIP text tower lacks the key {prefix}{key}")
        return plain.pop(key)

    renamed["embeddings.token_embedding.weight"] = take("token_embedding.weight")
    renamed["embeddings.position_embedding.weight"] = take("positional_embedding")
    if layers != list(range(len(layers))) or not layers:
        raise ValueError(f"the CLIP text tower needs the blocks 0, 1, ...; it has {layers}")
    for layer in layers:
        ours, theirs = f"encoder.layers.{layer}", f"{start}{layer}"
        for kind in ("weight", "bias"):
            projections = take(f"{theirs}.attn.in_proj_{kind}").chunk(3)
            for name, tensor in zip("qkv", projections, strict=True):
                renamed[f"{ours}.self_attn.{name}_proj.{kind}"] = tensor.clone()
            for openai_name, name in _OPENAI_BLOCK_NAMES.items():
                renamed[f"{ours}.{name}.{kind}"] = take(f"{theirs}.{openai_name}.{kind}")
    for kind in ("weight", "bias"):
        renamed[f"final_layer_norm.{kind}"] = take(f"ln_final.{kind}")
    if plain:
        raise ValueError(f"unknown keys in the CLIP text tower: {', '.join(sorted(plain))}")
    return renamed


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Import transformers without its advice about other frameworks, or name the extra."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("clip", "transformers") from error
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
