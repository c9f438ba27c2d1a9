"""The authors' evaluators as ours: parity of an import, and every misfit named."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from golden_files import golden, largest_error
from intermask.errors import UserError
from intermask.official import import_interclip, import_interx_evaluator
from intermask.official.evaluator_names import interclip_renaming, interx_evaluator_renaming
from intermask.official.evaluators import INTERX
from intermask.representation import FEATURES
from released_evaluators import (
    SMALL_INTERX,
    TINY_INTERCLIP,
    released_interclip,
    small_vocabulary,
    write_interx_evaluator,
)
from released_trees import change_checkpoint, recorded_copy

EVALUATOR = Path("checkpoints/eval_model")
WEIGHTS, YAML = EVALUATOR / "interclip.ckpt", EVALUATOR / "eval_model.yaml"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return recorded_copy(tmp_path / "release")


def _change_weights(tree: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    change_checkpoint(tree / WEIGHTS, lambda content: change(content["state_dict"]))


def _change_yaml(tree: Path, key: str, value: object) -> None:
    """Set one option; None takes its line out."""
    lines = (tree / YAML).read_text("utf-8").splitlines()
    lines = [line for line in lines if not line.startswith(f"{key}:")]
    (tree / YAML).write_text("\n".join(lines + [f"{key}: {value}"] * (value is not None)), "utf-8")


# --- InterHuman ----------------------------------------------------------------------------------


@torch.inference_mode()
def test_the_recorded_tree_gives_an_evaluator_with_its_sizes(tree: Path) -> None:
    imported = import_interclip(tree)
    assert imported.config == TINY_INTERCLIP
    assert not imported.training
    stored = torch.load(tree / WEIGHTS, weights_only=True)["state_dict"]
    names = interclip_renaming()
    state = imported.state_dict()
    for name, value in stored.items():
        ours = names.ours(name)
        assert ours is None or torch.equal(state.pop(ours), value), name
    assert not state


@torch.inference_mode()
def test_an_import_has_the_released_embeddings(tree: Path) -> None:
    recorded = golden("evaluator_interhuman")

    def put(weights: dict[str, Tensor]) -> None:
        weights |= {f"model.{name}": value for name, value in recorded.weights.items()}

    _change_weights(tree, put)
    imported = import_interclip(tree / EVALUATOR)
    motions = recorded["motions"].unflatten(-1, (2, FEATURES)).transpose(1, 2)
    embeddings = imported.embed_motions(motions, recorded["lengths"])
    assert largest_error(embeddings, recorded["motion_emb"]) < 1e-5
    assert largest_error(imported.embed_ids(recorded["tokens"]), recorded["text_emb"]) < 1e-5


def test_a_training_checkpoint_may_hold_more(tree: Path) -> None:
    more = {"epoch": 3, "optimizer_states": [{"state": {0: torch.ones(2)}}], "lr_schedulers": [{}]}
    change_checkpoint(tree / WEIGHTS, lambda content: content.update(more))
    import_interclip(tree)


def test_weights_beside_the_weights_are_named(tree: Path) -> None:
    change_checkpoint(tree / WEIGHTS, lambda content: content.update(ema={"a": torch.ones(2)}))
    with pytest.raises(UserError, match=r"interclip\.ckpt.*unknown entry 'ema'"):
        import_interclip(tree)


@pytest.mark.parametrize("path", [WEIGHTS, YAML], ids=str)
def test_a_missing_file_is_named(tree: Path, path: Path) -> None:
    (tree / path).unlink()
    with pytest.raises(FileNotFoundError, match=str(path)):
        import_interclip(tree)


@pytest.mark.parametrize(
    "name",
    [
        "model.latent_scale",
        "model.motion_encoder.embed_motion.weight",
        "model.motion_encoder.transformer.layers.0.linear1.weight",
        "model.textTransEncoder.layers.3.norm2.bias",
        "model.out.bias",
    ],
)
def test_a_missing_weight_is_named(tree: Path, name: str) -> None:
    _change_weights(tree, lambda weights: weights.pop(name))
    with pytest.raises(UserError, match=rf"interclip\.ckpt lacks '{name}'"):
        import_interclip(tree)


@pytest.mark.parametrize(
    "name", ["out.weight", "model.extra", "model.textTransEncoder.layers.0.norm3.weight"]
)
def test_an_unknown_weight_is_named(tree: Path, name: str) -> None:
    _change_weights(tree, lambda weights: weights.update({name: torch.zeros(2)}))
    with pytest.raises(UserError, match=rf"interclip\.ckpt.*holds '{name}'"):
        import_interclip(tree)


def test_a_weight_of_another_size_is_named(tree: Path) -> None:
    name = "model.textTransEncoder.layers.3.linear1.bias"
    _change_weights(tree, lambda weights: weights.update({name: torch.zeros(63)}))
    with pytest.raises(UserError, match=rf"'{name}' in .*interclip.ckpt has shape \(63,\).*\(64,"):
        import_interclip(tree)


def test_another_position_encoding_is_refused(tree: Path) -> None:
    name = "model.motion_encoder.sequence_pos_encoder.pe"
    _change_weights(tree, lambda weights: weights.update({name: weights[name].flip(-1)}))
    with pytest.raises(UserError, match=f"'{name}' in .*width 32"):
        import_interclip(tree)


def test_an_evaluator_of_other_motions_is_refused(tree: Path) -> None:
    name = "model.motion_encoder.embed_motion.weight"
    _change_weights(tree, lambda weights: weights.update({name: torch.zeros(32, 524)}))
    with pytest.raises(UserError, match=r"reads 524 numbers a frame; expected 2 people of 258"):
        import_interclip(tree)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("NAME", "Other", "says NAME: Other, but .*interclip.ckpt needs InterCLIP"),
        ("LATENT_DIM", 64, "says LATENT_DIM: 64, but .* needs 32"),
        ("FF_SIZE", 32, "says FF_SIZE: 32, but .* needs 64"),
        ("NUM_LAYERS", 3, "says NUM_LAYERS: 3, but .* needs 2"),
        ("INPUT_DIM", 262, "says INPUT_DIM: 262, but .* needs 258"),
        ("ACTIVATION", "relu", "says ACTIVATION: relu, but .* needs gelu"),
        ("NUM_HEADS", None, "does not state NUM_HEADS"),
        ("NUM_HEADS", "four", "says NUM_HEADS: four; expected a int"),
        ("NUM_HEADS", 5, "do not make an evaluator: 5 heads do not divide the width 32"),
    ],
)
def test_options_that_do_not_fit_are_named(
    tree: Path, key: str, value: object, message: str
) -> None:
    _change_yaml(tree, key, value)
    with pytest.raises(UserError, match=rf"eval_model\.yaml.*{message}"):
        import_interclip(tree)


@pytest.mark.parametrize("content", [b"", b"- a list\n", b"a: [", b"\xff\xfe"])
def test_what_is_no_yaml_is_named(tree: Path, content: bytes) -> None:
    (tree / YAML).write_bytes(content)
    with pytest.raises(UserError, match=r"eval_model\.yaml.*KEY: value"):
        import_interclip(tree)


class _Runs:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("this code must not run",)


@pytest.mark.parametrize("kind", ["torch", "pickle"])
def test_code_in_a_file_does_not_run(
    tree: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "torch":
        torch.save({"state_dict": {"a": _Runs()}}, tree / WEIGHTS)
    else:
        (tree / WEIGHTS).write_bytes(pickle.dumps(_Runs(), protocol=2))
    with pytest.raises(UserError, match=r"interclip\.ckpt"):
        import_interclip(tree)
    assert not capsys.readouterr().out


def test_a_larger_vocabulary_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the tokenizer has 700 ids, .* only 600"):
        import_interclip(tree, tokenizer=small_vocabulary(tmp_path, 700))


@torch.inference_mode()
def test_captions_are_embedded_through_clips_vocabulary(tree: Path, tmp_path: Path) -> None:
    tokenizer = small_vocabulary(tmp_path, 600)
    imported = import_interclip(tree, tokenizer=tokenizer)
    ids = torch.zeros(1, 20, dtype=torch.int64)
    ids[0, :4] = torch.tensor([598, 0, 1, 599])
    assert torch.equal(imported.embed_captions(["a b"]), imported.embed_ids(ids))
    # A long caption is cut, and what stands for it is still the end of its text.
    long = tokenizer.encode_padded(["a b " * 30], 20)
    assert long.tolist() == [[598, *[0, 1] * 9, 599]]


# --- Inter-X -------------------------------------------------------------------------------------


@torch.inference_mode()
@pytest.mark.parametrize("above", ["", "checkpoints", "checkpoints/interx"])
def test_an_interx_evaluator_is_found_and_read(tmp_path: Path, above: str) -> None:
    network = write_interx_evaluator(tmp_path / above)
    for given in (tmp_path, tmp_path / above, tmp_path / above / INTERX):
        imported = import_interx_evaluator(given)
        assert imported.config == SMALL_INTERX
        features, lengths = torch.randn(2, 2, 12, 336), torch.tensor([12, 5])
        expected = network.embed_motions(features, lengths)
        assert torch.equal(imported.embed_motions(features, lengths), expected)


def test_a_missing_interx_evaluator_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path / INTERX)):
        import_interx_evaluator(tmp_path)


def test_several_interx_evaluators_are_named(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_interx_evaluator(tmp_path / folder)
    with pytest.raises(UserError, match=r"several evaluators: .*one.*two"):
        import_interx_evaluator(tmp_path)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    write_interx_evaluator(tmp_path)
    change_checkpoint(tmp_path / INTERX, lambda content: content.pop("text_encoder"))
    with pytest.raises(UserError, match=r"finest\.tar holds .*but not 'text_encoder'"):
        import_interx_evaluator(tmp_path)


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("movement_encoder", "main.0.weight"),
        ("movement_encoder", "main.3.bias"),
        ("motion_encoder", "gru.bias_hh_l0_reverse"),
        ("text_encoder", "hidden"),
        ("text_encoder", "input_emb.weight"),
    ],
)
def test_a_missing_interx_weight_is_named(tmp_path: Path, entry: str, name: str) -> None:
    write_interx_evaluator(tmp_path)
    change_checkpoint(tmp_path / INTERX, lambda content: content[entry].pop(name))
    with pytest.raises(UserError, match=rf"finest\.tar lacks '{entry}\.{name}'"):
        import_interx_evaluator(tmp_path)


@pytest.mark.parametrize("name", ["gru.weight_ih_l1", "output_net.2.weight"])
def test_an_unknown_interx_weight_is_named(tmp_path: Path, name: str) -> None:
    write_interx_evaluator(tmp_path)
    change_checkpoint(
        tmp_path / INTERX, lambda content: content["text_encoder"].update({name: torch.ones(2)})
    )
    with pytest.raises(UserError, match=rf"finest\.tar.*holds 'text_encoder\.{name}'"):
        import_interx_evaluator(tmp_path)


def test_an_interx_weight_of_another_size_is_named(tmp_path: Path) -> None:
    write_interx_evaluator(tmp_path)
    change_checkpoint(
        tmp_path / INTERX, lambda content: content["motion_encoder"].update(hidden=torch.ones(2, 8))
    )
    with pytest.raises(UserError, match=r"'motion_encoder\.hidden' in .* has shape \(2, 8\)"):
        import_interx_evaluator(tmp_path)


def test_an_interx_evaluator_of_other_motions_is_refused(tmp_path: Path) -> None:
    write_interx_evaluator(tmp_path)
    change_checkpoint(
        tmp_path / INTERX,
        lambda content: content["movement_encoder"].update({"main.0.weight": torch.ones(8, 40, 4)}),
    )
    with pytest.raises(UserError, match="reads 40 numbers a frame; expected the 672"):
        import_interx_evaluator(tmp_path)


# --- Names ---------------------------------------------------------------------------------------


def test_every_weight_has_one_place_and_every_place_one_weight() -> None:
    names = interclip_renaming()
    ours = [names.ours(f"model.{name}") for name in golden("evaluator_interhuman").weights]
    assert sorted(filter(None, ours)) == sorted(released_interclip().state_dict())
    names = interx_evaluator_renaming()
    released = golden("evaluator_interx").weights
    assert {names.official(names.ours(name) or "") for name in released} == set(released)
    assert len({names.ours(name) for name in released}) == len(released)
