"""Names of the released weights in terms of our modules, both ways.

A pair of names stands for a family of weights: ``{i}`` is any number, ``{p}`` a weight or a bias.
What no pair covers is an error, so that nothing of a checkpoint is silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from intermask.errors import UserError
from intermask.models.autoencoder import STRIDES

Pair = tuple[str, str]
"""A released name and ours, with the same placeholders in the same order."""

_PLACEHOLDERS = {"{i}": r"(\d+)", "{p}": "(weight|bias)"}


class Renaming:
    """A two-way table of names.

    Args:
        part: what the weights belong to, for messages.
        pairs: released names and ours.
        derived: released names of buffers whose values follow from the sizes.
    """

    def __init__(self, part: str, pairs: Iterable[Pair], derived: Iterable[str] = ()) -> None:
        self.part = part
        pairs = list(pairs)
        self._to_ours = [(_pattern(theirs), _template(ours)) for theirs, ours in pairs]
        self._to_official = [(_pattern(ours), _template(theirs)) for theirs, ours in pairs]
        self._derived = [_pattern(name) for name in derived]

    def ours(self, official: str) -> str | None:
        """Our name of a released weight; None where its value is derived and so not loaded.

        Raises:
            UserError: a name that the released code does not use.
        """
        if any(pattern.fullmatch(official) for pattern in self._derived):
            return None
        name = _translate(official, self._to_ours)
        if name is None:
            raise UserError(
                f"the {self.part}'s checkpoint holds {official!r}, which no weight of the "
                f"released code is called; is the file the authors' {self.part}?"
            )
        return name

    def official(self, ours: str) -> str | None:
        """The released name of a weight of ours; None where the release does not hold it."""
        return _translate(ours, self._to_official)


def _pattern(name: str) -> re.Pattern[str]:
    pattern = re.escape(name)
    for placeholder, matched in _PLACEHOLDERS.items():
        pattern = pattern.replace(re.escape(placeholder), matched)
    return re.compile(pattern)


def _template(name: str) -> str:
    return re.sub(r"\{[ip]\}", "{}", name)


def _translate(name: str, table: list[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, template in table:
        match = pattern.fullmatch(name)
        if match:
            return template.format(*match.groups())
    return None


# --- Tokenizer -----------------------------------------------------------------------------------


def _graph(theirs: str, ours: str) -> Iterator[Pair]:
    for number, layer in ((1, "first"), (2, "second")):
        for lin, role in (("lin", "project"), ("lin_l", "neighbours"), ("lin_r", "own")):
            yield f"{theirs}{number}.{lin}.{{p}}", f"{ours}.{layer}.{role}.{{p}}"


def _residual_net(theirs: str, ours: str) -> Iterator[Pair]:
    yield f"{theirs}.model.{{i}}.conv1.{{p}}", f"{ours}.{{i}}.spread.{{p}}"
    yield f"{theirs}.model.{{i}}.conv2.{{p}}", f"{ours}.{{i}}.mix.{{p}}"


def _tokenizer_pairs(has_graph: bool) -> Iterator[Pair]:
    """Their layers are numbered, activations included; without a graph, convolutions come first."""
    yield "quantizer.layers.0.codebook", "codebook.codebook"
    start = 0 if has_graph else 2
    for stage in range(STRIDES):
        encoder = f"encoder.model.{start + stage}"
        yield f"{encoder}.0.{{p}}", f"encoder.stages.{stage}.0.{{p}}"
        yield from _residual_net(f"{encoder}.1", f"encoder.stages.{stage}.1")
        decoder = f"decoder.model.{2 + stage}"
        yield from _residual_net(f"{decoder}.0", f"decoder.stages.{stage}.0")
        yield f"{decoder}.2.{{p}}", f"decoder.stages.{stage}.2.{{p}}"
    yield f"encoder.model.{start + STRIDES}.{{p}}", "encoder.leave.{p}"
    yield "decoder.model.0.{p}", "decoder.enter.{p}"
    yield f"decoder.model.{2 + STRIDES}.{{p}}", "decoder.widen.{p}"
    if has_graph:
        yield from _graph("encoder.gcn_layer", "encoder.enter")
        yield from _graph("decoder.gcn_layer", "decoder.leave")
    else:
        yield "encoder.model.0.{p}", "encoder.enter.{p}"
        yield f"decoder.model.{4 + STRIDES}.{{p}}", "decoder.leave.{p}"


@cache
def tokenizer_renaming(has_graph: bool) -> Renaming:
    """Names in the tokenizer: with graph layers (InterHuman) or convolutions (Inter-X)."""
    return Renaming("tokenizer", _tokenizer_pairs(has_graph))


# --- Transformer and text head -------------------------------------------------------------------

POSITION_FREQUENCIES = "position_enc.positional_encoding.inv_freq"
"""A buffer of the released transformer whose values follow from its width."""

FROZEN_TOWER = "clip_"
"""How the names of the frozen CLIP tower begin, which a release need not hold."""

_LINEARS: tuple[Pair, ...] = (
    ("token_emb", "transformer.token_embedding"),
    ("input_process.poseEmbedding", "transformer.token_projection"),
    ("cond_emb", "transformer.condition_projection"),
    ("output_process.dense", "transformer.head.dense"),
    ("output_process.adaLN_mod.model.1", "transformer.head.modulation.linear"),
    ("output_process.poseFinal", "transformer.head.logits"),
    ("clipln", "text_head.norm"),
)
_BLOCK: Pair = ("Transformer.blocks.{i}", "transformer.blocks.{i}")
_BLOCK_LINEARS: tuple[Pair, ...] = (
    ("adaLN_mod_combined.model.1", "joint.modulation.linear"),
    ("ffn_combined.model.0", "joint.feedforward.expand"),
    ("ffn_combined.model.3", "joint.feedforward.contract"),
    ("adaLN_mod_split.model.1", "person.modulation.linear"),
    ("ffn_split.model.0", "person.feedforward.expand"),
    ("ffn_split.model.3", "person.feedforward.contract"),
)
_BLOCK_ATTENTIONS: tuple[Pair, ...] = (
    ("self_attn.attention", "joint.attention"),
    ("spa_temp_attn.spatial_attention", "person.spatial_attention"),
    ("spa_temp_attn.temporal_attention", "person.temporal_attention"),
    ("local_inter_attn.interaction_attention", "person.cross_attention"),
)
_TEXT_LAYER: Pair = ("clipTrans.layers.{i}", "text_head.layers.{i}")
_ENCODER_LINEARS: tuple[Pair, ...] = (
    ("linear1", "feedforward.expand"),
    ("linear2", "feedforward.contract"),
    ("norm1", "attention_norm"),
    ("norm2", "feedforward_norm"),
)


def encoder_layer(inside: Pair) -> Iterator[Pair]:
    """Names in a transformer encoder layer, which are PyTorch's."""
    yield from _linears(_ENCODER_LINEARS, inside)
    yield from _attentions((("self_attn", "attention"),), inside)


def _linears(pairs: Iterable[Pair], inside: Pair | None = None) -> Iterator[Pair]:
    theirs_before, ours_before = (f"{name}." for name in inside) if inside else ("", "")
    for theirs, ours in pairs:
        yield f"{theirs_before}{theirs}.{{p}}", f"{ours_before}{ours}.{{p}}"


def _attentions(pairs: Iterable[Pair], inside: Pair) -> Iterator[Pair]:
    for theirs, ours in pairs:
        yield f"{inside[0]}.{theirs}.in_proj_{{p}}", f"{inside[1]}.{ours}.projection.{{p}}"
        yield f"{inside[0]}.{theirs}.out_proj.{{p}}", f"{inside[1]}.{ours}.output.{{p}}"


@cache
def transformer_renaming() -> Renaming:
    """Names in the transformer's checkpoint; ours begin with ``transformer.`` or ``text_head.``."""
    pairs = (
        *_linears(_LINEARS),
        *_linears(_BLOCK_LINEARS, _BLOCK),
        *_attentions(_BLOCK_ATTENTIONS, _BLOCK),
        *encoder_layer(_TEXT_LAYER),
    )
    return Renaming("transformer", pairs, derived=[POSITION_FREQUENCIES])


# --- One name ------------------------------------------------------------------------------------


def tokenizer_key(official: str, *, has_graph: bool) -> str:
    """Our name of a released tokenizer's weight.

    Args:
        official: such as ``encoder.model.0.1.model.0.conv1.weight``.
        has_graph: InterHuman's tokenizers have graph layers, Inter-X's convolutions instead.

    Raises:
        UserError: a name that the released code does not use.
    """
    name = tokenizer_renaming(has_graph).ours(official)
    assert name is not None  # nothing in a tokenizer is derived
    return name


def transformer_key(official: str) -> str | None:
    """Our name of a released transformer's weight; None where it is derived.

    Raises:
        UserError: a name that the released code does not use.
    """
    return transformer_renaming().ours(official)
