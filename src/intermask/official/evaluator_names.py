"""Names of the released evaluators' weights in terms of our networks, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from intermask.official.names import Pair, Renaming, encoder_layer

POSITIONS = "model.motion_encoder.sequence_pos_encoder.pe"
"""A buffer of the released InterCLIP whose values follow from its width."""

MOTION_LAYERS = "model.motion_encoder.transformer.layers."
TEXT_LAYERS = "model.textTransEncoder.layers."

_INTERCLIP: tuple[Pair, ...] = (
    ("model.latent_scale", "scale"),
    ("model.motion_encoder.query_token", "motion.query"),
    ("model.motion_encoder.embed_motion.{p}", "motion.enter.{p}"),
    ("model.motion_encoder.out_ln.{p}", "motion.norm.{p}"),
    ("model.motion_encoder.out.{p}", "motion.leave.{p}"),
    ("model.token_embedding.weight", "caption.tokens.weight"),
    ("model.positional_embedding", "caption.positions"),
    ("model.text_ln.{p}", "caption.norm.{p}"),
    ("model.out.{p}", "caption.leave.{p}"),
)

INTERX_ENTRIES = ("movement_encoder", "motion_encoder", "text_encoder")
"""Networks in the released checkpoint; the names of their weights follow behind a dot."""

_INTERX: tuple[Pair, ...] = (
    ("movement_encoder.main.0.{p}", "movement.first.{p}"),
    ("movement_encoder.main.3.{p}", "movement.second.{p}"),
    ("movement_encoder.out_net.{p}", "movement.leave.{p}"),
    ("text_encoder.pos_emb.{p}", "word_class.{p}"),
)


@cache
def interclip_renaming() -> Renaming:
    """Names in the checkpoint of InterHuman's evaluator."""
    pairs = (
        *_INTERCLIP,
        *encoder_layer((f"{MOTION_LAYERS}{{i}}", "motion.layers.{i}")),
        *encoder_layer((f"{TEXT_LAYERS}{{i}}", "caption.layers.{i}")),
    )
    return Renaming("evaluator", pairs, derived=[POSITIONS])


@cache
def interx_evaluator_renaming() -> Renaming:
    """Names in the checkpoint of Inter-X's evaluator."""
    pairs = (*_INTERX, *_sequence("motion_encoder", "motion"), *_sequence("text_encoder", "text"))
    return Renaming("evaluator", pairs)


def _sequence(theirs: str, ours: str) -> Iterator[Pair]:
    yield f"{theirs}.hidden", f"{ours}.start"
    yield f"{theirs}.input_emb.{{p}}", f"{ours}.enter.{{p}}"
    for source in ("ih", "hh"):
        for way in ("", "_reverse"):
            name = f"{{p}}_{source}_l0{way}"
            yield f"{theirs}.gru.{name}", f"{ours}.recurrent.{name}"
    for number, layer in ((0, "expand"), (1, "norm"), (3, "contract")):
        yield f"{theirs}.output_net.{number}.{{p}}", f"{ours}.{layer}.{{p}}"
