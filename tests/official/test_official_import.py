"""The authors' release as our model: parity with what their code generates, and what must agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor

from golden_files import golden, largest_error
from intermask.bundle import Model, load_bundle, save_bundle
from intermask.config import LossWeights, from_dict
from intermask.errors import UserError
from intermask.generation.sampler import MaskedSampler, guided
from intermask.masking import mask_id
from intermask.official import import_official
from intermask.official.configuration import default_text_heads
from intermask.official.importer import weights_checksum
from intermask.representation import FEATURES, from_joint_grid
from intermask.text.clip import ClipTextEncoder
from released_trees import (
    CHECKPOINT,
    RECORDED,
    TOKENIZER,
    TRANSFORMER,
    change_checkpoint,
    change_options,
    recorded_copy,
    recorded_interx,
    write_statistics,
)

LENGTHS = golden("official_layout_expected")["lengths"].tolist()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return recorded_copy(tmp_path / "release")


# --- Parity --------------------------------------------------------------------------------------


def _generate(model: Model, ties: str) -> list[Tensor]:
    """Token maps (p, s, n) of the three recorded prompts, as the released code draws them."""
    text = golden("text_branch")
    encoder = ClipTextEncoder.from_openai_state_dict(text.weights, heads=4)
    condition = model.text_head(encoder.encode_ids(text["tokens"][: len(LENGTHS)]))
    valid = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    codes = model.config.tokenizer.codebook_size
    unknown = torch.full((len(LENGTHS), 2, model.tokenizer.rows, max(LENGTHS)), mask_id(codes))
    sampling = replace(
        model.config.sampling,
        steps=10,
        keep_fraction=1 - 0.999,
        tie_order=ties,  # type: ignore[arg-type]
    )
    ids = MaskedSampler(sampling, codes).sample(
        unknown,
        valid,
        guided(model.transformer, condition, 2.0),
        [torch.Generator().manual_seed(seed) for seed in range(len(LENGTHS))],
    )
    return [row[..., :length] for row, length in zip(ids, LENGTHS, strict=True)]


def _recorded_ids() -> list[Tensor]:
    maps = rearrange(golden("official_layout_expected")["ids"], "b (p s n) -> b p s n", p=2, s=5)
    return [row[..., :length] for row, length in zip(maps, LENGTHS, strict=True)]


def _motions(model: Model, ids: Tensor) -> Tensor:
    """Features (p, t, f) of token maps (p, s, n), decoded at their own number of columns."""
    return model.normaliser.denormalise(from_joint_grid(model.tokenizer.decode(ids)))


@torch.inference_mode()
def test_motions_of_the_recorded_ids_equal_the_released_ones(tmp_path: Path) -> None:
    """And of the model's bundle too."""
    imported = import_official(RECORDED).model
    reloaded = load_bundle(save_bundle(imported, tmp_path / "bundle"))
    for model in (imported, reloaded):
        for row, ids in enumerate(_recorded_ids()):
            for person, motion in enumerate(_motions(model, ids), start=1):
                expected = golden("official_layout_expected")[f"motion{row}_{person}"]
                assert largest_error(motion, expected) < 1e-5


@torch.inference_mode()
def test_what_is_generated_equals_what_the_release_generates(tmp_path: Path) -> None:
    """Exactly where this processor sorts equal numbers as the recording one did.

    Elsewhere up to an exchange of the two people, who start as equals when nothing is drawn by
    chance.
    """
    imported = import_official(RECORDED).model
    reloaded = load_bundle(save_bundle(imported, tmp_path / "bundle"))
    assert reloaded.config == imported.config
    for model in (imported, reloaded):
        for ours, theirs in zip(_generate(model, "position"), _recorded_ids(), strict=True):
            assert torch.equal(ours, theirs) or torch.equal(ours.flip(0), theirs)
        released = _generate(model, model.config.sampling.tie_order)
        if torch.equal(released[0], _recorded_ids()[0]):
            for ours, theirs in zip(released, _recorded_ids(), strict=True):
                assert torch.equal(ours, theirs)


# --- Configuration -------------------------------------------------------------------------------


def test_quirks_are_configuration_values() -> None:
    model = import_official(RECORDED).model
    config = model.config
    assert config.tokenizer.graph_scope == "first_frame"
    assert config.tokenizer.position_frame == "world"
    assert (config.sampling.steps, config.sampling.reaction_steps) == (20, 10)
    assert config.sampling.tie_order == "unstable"
    assert config.floor == "per_person"
    losses = from_dict(LossWeights, model.provenance["losses"])
    assert losses == LossWeights(rotation_order="two_columns", distance="smooth_l1")


def test_sizes_come_from_the_weights_and_options() -> None:
    imported = import_official(RECORDED)
    config = imported.model.config
    assert (config.tokenizer.width, config.tokenizer.codebook_size) == (24, 32)
    assert (config.transformer.width, config.transformer.heads) == (48, 6)
    assert (config.transformer.layers, config.transformer.feedforward) == (2, 64)
    assert (config.text.width, config.text.head_layers, config.text.head_heads) == (32, 2, 4)
    assert imported.key_counts == {
        "tokenizer": 67,
        "transformer": 67,
        "text head": 26,
        "derived (recomputed)": 1,
        "frozen text tower (ignored)": 0,
    }
    runs = imported.model.provenance["runs"]
    assert runs["tokenizer"]["options"]["weight_decay"] == 0.0
    assert runs["transformer"]["training_state"]["total_it"] == 9


def test_the_codebook_is_ready_to_be_trained_on() -> None:
    codebook = import_official(RECORDED).model.tokenizer.codebook
    assert bool(codebook.initialised)
    assert torch.equal(codebook.running_sum, codebook.codebook)
    assert torch.equal(codebook.running_count, torch.ones(32))


def test_heads_of_the_text_head_are_as_released_unless_told_otherwise() -> None:
    assert (default_text_heads(768), default_text_heads(32)) == (8, 4)
    assert import_official(RECORDED, text_heads=8).model.config.text.head_heads == 8
    with pytest.raises(UserError, match="head_heads"):
        import_official(RECORDED, text_heads=5)


def test_the_frozen_tower_is_left_out(tree: Path) -> None:
    tower = {
        name: value
        for name, value in golden("text_branch").weights.items()
        if name.startswith("clip_")
    }
    change_checkpoint(
        tree / TRANSFORMER / CHECKPOINT, lambda content: content["t2m_transformer"].update(tower)
    )
    imported = import_official(tree)
    assert imported.key_counts["frozen text tower (ignored)"] == len(tower)
    assert imported.checksums == import_official(RECORDED).checksums


def test_the_checksum_is_of_the_numbers_not_of_the_file() -> None:
    weights = {"b": torch.tensor([1.0, 2.0]), "a": torch.tensor([[3.0]])}
    same = {name: weights[name].double() for name in ("a", "b")}
    assert weights_checksum(same) == weights_checksum(weights)
    assert weights_checksum(same | {"a": torch.tensor([[3.1]])}) != weights_checksum(weights)


# --- What does not fit ---------------------------------------------------------------------------

ENTRIES = {TOKENIZER: "vq_model", TRANSFORMER: "t2m_transformer"}
TOO_WIDE: dict[Path, str] = {
    TOKENIZER: "decoder.gcn_layer2.lin_l.weight",
    TRANSFORMER: "clipTrans.layers.1.norm2.bias",
}


def _change_weights(tree: Path, run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    change_checkpoint(tree / run / CHECKPOINT, lambda content: change(content[ENTRIES[run]]))


@pytest.mark.parametrize(("run", "name"), TOO_WIDE.items())
def test_a_wrong_size_is_named(tree: Path, run: Path, name: str) -> None:
    def widen(weights: dict[str, Any]) -> None:
        weights[name] = torch.cat([weights[name], weights[name]])

    _change_weights(tree, run, widen)
    with pytest.raises(UserError, match=rf"'{name}' in .*{run.name}.* has shape .*; expected \("):
        import_official(tree)


@pytest.mark.parametrize(
    ("run", "name"),
    [
        *TOO_WIDE.items(),
        (TOKENIZER, "quantizer.layers.0.codebook"),
        (TRANSFORMER, "cond_emb.weight"),
        (TRANSFORMER, "Transformer.blocks.0.ffn_combined.model.0.weight"),
    ],
)
def test_a_missing_weight_is_named(tree: Path, run: Path, name: str) -> None:
    _change_weights(tree, run, lambda weights: weights.pop(name))
    with pytest.raises(UserError, match=f"{run / CHECKPOINT} lacks '{name}'"):
        import_official(tree)


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (TOKENIZER, "encoder.extra.weight"),
        (TOKENIZER, "encoder.model.1.1.model.0.conv3.weight"),
        (TRANSFORMER, "Transformer.blocks.0.ffn_split.model.9.weight"),
        (TRANSFORMER, "length_head.weight"),
    ],
)
def test_an_unknown_weight_is_named(tree: Path, run: Path, name: str) -> None:
    _change_weights(tree, run, lambda weights: weights.update({name: torch.zeros(2, 2)}))
    with pytest.raises(UserError, match=f"{run / CHECKPOINT}.*holds '{name}'"):
        import_official(tree)


def test_a_weight_of_a_layer_that_is_not_there_is_named(tree: Path) -> None:
    name = "encoder.model.1.1.model.2.conv1.bias"
    _change_weights(tree, TOKENIZER, lambda weights: weights.update({name: torch.zeros(24)}))
    with pytest.raises(UserError, match=f"holds '{name}', for which there is no layer"):
        import_official(tree)


def test_another_position_encoding_is_refused(tree: Path) -> None:
    name = "position_enc.positional_encoding.inv_freq"
    _change_weights(tree, TRANSFORMER, lambda weights: weights.update({name: weights[name] * 2}))
    with pytest.raises(UserError, match=f"'{name}' in .*trans_default"):
        import_official(tree)


@pytest.mark.parametrize(
    ("run", "key", "value"),
    [
        (TOKENIZER, "nb_code", 64),
        (TOKENIZER, "code_dim", 512),
        (TOKENIZER, "depth", 3),
        (TOKENIZER, "joints_num", 55),
        (TOKENIZER, "down_t", 3),
        (TOKENIZER, "vq_act", "gelu"),
        (TOKENIZER, "num_quantizers", 6),
        (TOKENIZER, "dataset_name", "interx"),
        (TRANSFORMER, "latent_dim", 384),
        (TRANSFORMER, "n_layers", 6),
        (TRANSFORMER, "ff_size", 1024),
        (TRANSFORMER, "dataset_name", "interx"),
    ],
)
def test_an_option_that_contradicts_the_weights_is_named(
    tree: Path, run: Path, key: str, value: object
) -> None:
    change_options(tree / run / "opt.txt", **{key: value})
    with pytest.raises(UserError, match=rf"{run.name}/opt\.txt says {key}: {value}, but "):
        import_official(tree)


def test_heads_must_be_stated_and_divide_the_width(tree: Path) -> None:
    path = tree / TRANSFORMER / "opt.txt"
    change_options(path, n_heads=None)
    with pytest.raises(UserError, match=r"opt\.txt does not state n_heads"):
        import_official(tree)
    change_options(path, n_heads="many")
    with pytest.raises(UserError, match="n_heads: many; expected a int"):
        import_official(tree)
    change_options(path, n_heads=5)
    with pytest.raises(UserError, match=r"trans_default.*heads \(5\)"):
        import_official(tree)


def test_stages_that_were_not_trained_together_are_refused(tree: Path) -> None:
    change_options(tree / TOKENIZER / "opt.txt", nb_code=None)
    _change_weights(
        tree,
        TOKENIZER,
        lambda weights: weights.update(
            {"quantizer.layers.0.codebook": weights["quantizer.layers.0.codebook"][:16]}
        ),
    )
    with pytest.raises(UserError, match=r"vq_default.* has 16 codes, .*trans_default.* 32"):
        import_official(tree)


# --- Inter-X -------------------------------------------------------------------------------------


@pytest.fixture
def interx_tree(tmp_path: Path) -> Path:
    return recorded_interx(tmp_path / "release")


@torch.inference_mode()
def test_an_interx_tree_decodes_as_released(interx_tree: Path, tmp_path: Path) -> None:
    imported = import_official(interx_tree).model
    assert imported.config.dataset == "interx"
    assert imported.config.tokenizer.graph_scope == "none"
    recorded = golden("vqvae_interx")
    ids = recorded["random_ids"][..., 0].unflatten(1, (5, -1))
    for model in (imported, load_bundle(save_bundle(imported, tmp_path / "bundle"))):
        assert largest_error(model.tokenizer.decode(ids), recorded["decoded_random"]) < 1e-5
        assert torch.equal(
            model.tokenizer.tokenize(recorded["x"]).flatten(1), recorded["ids"][..., 0]
        )


def test_interx_is_not_normalised_unless_it_brings_statistics(interx_tree: Path) -> None:
    plain = import_official(interx_tree).model.normaliser
    assert torch.equal(plain.mean, torch.zeros(56 * 6))
    assert torch.equal(plain.std, torch.ones(56 * 6))
    write_statistics(interx_tree, 56 * 6)
    own = import_official(interx_tree).model.normaliser
    assert float(own.mean[0]) == -1.0 and float(own.std[0]) == 0.5


def test_the_statistics_of_interhuman_are_not_for_interx(interx_tree: Path) -> None:
    write_statistics(interx_tree, FEATURES)
    assert float(import_official(interx_tree).model.normaliser.std[0]) == 1.0


def test_interx_statistics_of_another_size_are_named(interx_tree: Path) -> None:
    write_statistics(interx_tree, 100)
    with pytest.raises(UserError, match=r"global_mean.npy has shape \(100,\); expected \(336,\)"):
        import_official(interx_tree)
