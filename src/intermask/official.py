"""The authors' release: names of their weights in terms of our modules.

The only file that knows how the released code names things. A rule is a pattern for a whole name;
what none matches is an error, so that nothing of a checkpoint is silently left out.
"""

from __future__ import annotations

import re

from intermask.errors import UserError

_LINEAR = r"\.(weight|bias)"

# Pattern of a released name -> our name, "" where the value is derived and so not loaded. The
# frozen CLIP tower, whose names start with "clip_", is not part of the released transformer.
_ATTENTION_RULES = (
    (r"\.in_proj_(weight|bias)", r".projection.\1"),
    (r"\.out_proj" + _LINEAR, r".output.\1"),
)
_BLOCK = r"Transformer\.blocks\.(\d+)\."
_BLOCK_ATTENTIONS = (
    (r"self_attn\.attention", "joint.attention"),
    (r"spa_temp_attn\.spatial_attention", "person.spatial_attention"),
    (r"spa_temp_attn\.temporal_attention", "person.temporal_attention"),
    (r"local_inter_attn\.interaction_attention", "person.cross_attention"),
)
_BLOCK_LINEARS = (
    (r"adaLN_mod_combined\.model\.1", "joint.modulation.linear"),
    (r"ffn_combined\.model\.0", "joint.feedforward.expand"),
    (r"ffn_combined\.model\.3", "joint.feedforward.contract"),
    (r"adaLN_mod_split\.model\.1", "person.modulation.linear"),
    (r"ffn_split\.model\.0", "person.feedforward.expand"),
    (r"ffn_split\.model\.3", "person.feedforward.contract"),
)
_TEXT_LAYER = r"clipTrans\.layers\.(\d+)\."
_TEXT_LINEARS = (
    ("linear1", "feedforward.expand"),
    ("linear2", "feedforward.contract"),
    ("norm1", "attention_norm"),
    ("norm2", "feedforward_norm"),
)
_TRANSFORMER_RULES: tuple[tuple[str, str], ...] = (
    (r"token_emb\.weight", "transformer.token_embedding.weight"),
    (r"input_process\.poseEmbedding" + _LINEAR, r"transformer.token_projection.\1"),
    (r"position_enc\..*inv_freq", ""),
    (r"cond_emb" + _LINEAR, r"transformer.condition_projection.\1"),
    *(
        (_BLOCK + theirs + ending, rf"transformer.blocks.\1.{ours}" + our_ending.replace("1", "2"))
        for theirs, ours in _BLOCK_ATTENTIONS
        for ending, our_ending in _ATTENTION_RULES
    ),
    *(
        (_BLOCK + theirs + _LINEAR, rf"transformer.blocks.\1.{ours}.\2")
        for theirs, ours in _BLOCK_LINEARS
    ),
    (r"output_process\.dense" + _LINEAR, r"transformer.head.dense.\1"),
    (r"output_process\.adaLN_mod\.model\.1" + _LINEAR, r"transformer.head.modulation.linear.\1"),
    (r"output_process\.poseFinal" + _LINEAR, r"transformer.head.logits.\1"),
    *(
        (
            _TEXT_LAYER + "self_attn" + ending,
            r"text_head.layers.\1.attention" + our_ending.replace("1", "2"),
        )
        for ending, our_ending in _ATTENTION_RULES
    ),
    *(
        (_TEXT_LAYER + theirs + _LINEAR, rf"text_head.layers.\1.{ours}.\2")
        for theirs, ours in _TEXT_LINEARS
    ),
    (r"clipln" + _LINEAR, r"text_head.norm.\1"),
)


def transformer_key(official_name: str) -> str | None:
    """Our name of a weight of the released transformer, `transformer.` or `text_head.` in front.

    None where the value is derived (frequencies of the position encoding).

    Raises:
        UserError: a name that the released code does not use.
    """
    for pattern, ours in _TRANSFORMER_RULES:
        match = re.fullmatch(pattern, official_name)
        if match:
            return match.expand(ours) if ours else None
    raise UserError(
        f"The transformer's checkpoint holds {official_name!r}, which no weight of the released "
        "code is called. Is the file the authors' transformer, of a version from 2024 or 2025?"
    )


_TOKENIZER_RULES = (
    (r"^(encoder)\.gcn_layer1\.", r"\1.enter.first."),
    (r"^(encoder)\.gcn_layer2\.", r"\1.enter.second."),
    (r"^(decoder)\.gcn_layer1\.", r"\1.leave.first."),
    (r"^(decoder)\.gcn_layer2\.", r"\1.leave.second."),
    (r"\.lin_l\.", ".neighbours."),
    (r"\.lin_r\.", ".own."),
    (r"\.lin\.", ".project."),
    (r"\.model\.([01])\.conv1\.", r".\1.spread."),
    (r"\.model\.([01])\.conv2\.", r".\1.mix."),
    (r"^quantizer\.layers\.0\.", "codebook."),
)
_GRAPH_STAGES = {
    "encoder": {"0": "stages.0", "1": "stages.1", "2": "leave"},
    "decoder": {"0": "enter", "2": "stages.0", "3": "stages.1", "4": "widen"},
}
_CONV_STAGES = {
    "encoder": {"0": "enter", "2": "stages.0", "3": "stages.1", "4": "leave"},
    "decoder": {"0": "enter", "2": "stages.0", "3": "stages.1", "4": "widen", "6": "leave"},
}


def tokenizer_key(official: str, *, has_graph: bool) -> str:
    """Our name of a released tokenizer's entry.

    Args:
        official: such as ``encoder.model.0.1.model.0.conv1.weight``.
        has_graph: InterHuman's tokenizers have graph layers, Inter-X's convolutions instead.
    """
    stages = _GRAPH_STAGES if has_graph else _CONV_STAGES
    key = re.sub(
        r"^(encoder|decoder)\.model\.(\d)\.",
        lambda match: f"{match[1]}.{stages[match[1]].get(match[2], match[2])}.",
        official,
    )
    for pattern, replacement in _TOKENIZER_RULES:
        key = re.sub(pattern, replacement, key)
    return key
