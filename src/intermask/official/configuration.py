"""Which configuration of ours a release amounts to.

Sizes come from the weights and must agree with what the option files state; what no weight tells
comes from the option files. Where the released code differs from its paper, and its weights or its
numbers need the difference, one named value of our configuration says so:

| released | here |
|---|---|
| joints exchange messages on the first frame only | ``tokenizer.graph_scope = "first_frame"`` |
| reactions take half of the rounds | ``sampling.reaction_steps = 10`` |
| equally sure tokens in the order of an unstable sort | ``sampling.tie_order = "unstable"`` |
| each person stands on a floor of their own | ``floor = "per_person"`` |
| one loss reads 6D rotations as two columns | ``rotation_order = "two_columns"`` (provenance) |
"""

from __future__ import annotations

from typing import Any

import torch

from intermask.config import (
    DataSet,
    LossWeights,
    MaskingConfig,
    ModelConfig,
    SamplingConfig,
    TextConfig,
    TokenizerConfig,
    TransformerConfig,
)
from intermask.errors import UserError
from intermask.models.autoencoder import STRIDES, MotionAutoencoder
from intermask.official.tree import Run
from intermask.skeleton import SMPL22

CODEBOOK = "quantizer.layers.0.codebook"
"""The released name of the codebook."""

# Options of the released tokenizer that our network does not have.
_FIXED_OPTIONS: dict[str, object] = {
    "down_t": STRIDES,
    "stride_t": 2,
    "num_quantizers": 1,
    "vq_act": "relu",
    "vq_norm": None,
}


def model_configuration(
    dataset: DataSet, first: Run, second: Run, text_heads: int | None
) -> ModelConfig:
    """Sizes and quirks of a tokenizer (``first``) and the transformer trained on it (``second``).

    Raises:
        UserError: weights and options contradict each other.
        ValueError: they agree on sizes that no model can have.
    """
    for run in (first, second):
        run.options.expect("dataset_name", dataset, "the folder is for")
    tokenizer = _tokenizer_config(first, dataset)
    with torch.device("meta"):  # only its shapes are asked for
        rows = MotionAutoencoder(tokenizer).rows
    transformer = _transformer_config(second, rows)
    if transformer.codebook_size != tokenizer.codebook_size:
        raise UserError(
            f"{first.checkpoint} has {tokenizer.codebook_size} codes, {second.checkpoint} "
            f"{transformer.codebook_size}; take the tokenizer that the transformer was trained on"
        )
    return ModelConfig(
        name=f"official-{dataset}",
        dataset=dataset,
        tokenizer=tokenizer,
        transformer=transformer,
        text=_text_config(second, text_heads),
        sampling=SamplingConfig(reaction_steps=10, tie_order="unstable"),
        floor="per_person",
        max_frames=150 if dataset == "interx" else 300,
    )


def default_text_heads(width: int) -> int:
    """Attention heads of the text head where nobody says: 8 as released, 4 in tiny models.

    The released code writes 8 into the source for its width of 768; models narrower than 512 are
    only made for tests.
    """
    return 8 if width >= 512 else 4


def loss_weights(run: Run) -> LossWeights:
    """How the tokenizer was trained, to go on in the same way."""
    default = LossWeights()
    get = run.options.get
    return LossWeights(
        commitment=get("commit", default.commitment),
        position=get("loss_explicit", default.position),
        velocity=get("loss_vel", default.velocity),
        bone=get("loss_bn", default.bone),
        rotation=get("loss_geo", default.rotation),
        foot=get("loss_fc", default.foot),
        distance="l1" if get("recons_loss", "l1_smooth") == "l1" else "smooth_l1",
        rotation_order="two_columns",
    )


def masking(run: Run) -> MaskingConfig:
    """How the transformer was trained, to go on in the same way."""
    default = MaskingConfig()
    get = run.options.get
    return MaskingConfig(
        whole_person_probability=get("interaction_mask_prob", default.whole_person_probability),
        condition_dropout=get("cond_drop_prob", default.condition_dropout),
        unroll_weight=get("step_unroll", default.unroll_weight),
    )


def _tokenizer_config(run: Run, dataset: DataSet) -> TokenizerConfig:
    codes, width = run.sizes(CODEBOOK)
    has_graph = dataset == "interhuman"
    depth = run.count(f"encoder.model.{0 if has_graph else 2}.1.model.")
    options = run.options
    options.expect("nb_code", codes, "the number of codes in its checkpoint is")
    for key in ("code_dim", "width", "output_emb_width"):
        options.expect(key, width, "the width of the codes in its checkpoint is")
    options.expect("depth", depth, "the residual blocks of a stage in its checkpoint are")
    if has_graph:
        options.expect("joints_num", SMPL22.joint_count, "the joints of InterHuman are")
    for key, value in _FIXED_OPTIONS.items():
        options.expect(key, value, "the only value that can be imported is")
    values: dict[str, Any] = {
        "width": width,
        "codebook_size": codes,
        "residual_depth": depth,
        "ema_decay": options.get("mu", 0.99),
        "dilation_growth": options.get("dilation_growth_rate", 3),
    }
    if has_graph:
        return TokenizerConfig(**values, graph_scope="first_frame")
    return TokenizerConfig.interx(**values)


def _transformer_config(run: Run, rows: int) -> TransformerConfig:
    width, condition_width = run.sizes("cond_emb.weight")
    config = TransformerConfig(
        codebook_size=run.sizes("output_process.poseFinal.weight")[0],
        code_dim=run.sizes("token_emb.weight")[1],
        width=width,
        layers=run.count("Transformer.blocks."),
        heads=run.options.require("n_heads", int),
        feedforward=run.sizes("Transformer.blocks.0.ffn_combined.model.0.weight")[0],
        dropout=run.options.get("dropout", 0.2),
        condition_width=condition_width,
        rows=rows,
    )
    where = "its checkpoint has"
    run.options.expect("latent_dim", config.width, where)
    run.options.expect("ff_size", config.feedforward, where)
    run.options.expect("n_layers", config.layers, where)
    return config


def _text_config(run: Run, heads: int | None) -> TextConfig:
    feedforward, width = run.sizes("clipTrans.layers.0.linear1.weight")
    return TextConfig(
        encoder="clip",
        width=width,
        head_layers=run.count("clipTrans.layers."),
        head_heads=default_text_heads(width) if heads is None else heads,
        head_feedforward=feedforward,
    )
