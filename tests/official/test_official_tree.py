"""Finding and reading the files of a release; whatever is wrong with one is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intermask.errors import UserError
from intermask.official import import_official
from intermask.official.tree import Options
from released_trees import (
    CHECKPOINT,
    MEAN,
    STD,
    TOKENIZER,
    TRANSFORMER,
    change_checkpoint,
    change_options,
    recorded_copy,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return recorded_copy(tmp_path / "release")


# --- Options -------------------------------------------------------------------------------------


def test_options_are_read_as_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "opt.txt"
    path.write_text(
        "------------ Options -------------\n"
        "norm: None\nis_train: True\nlr: 1e-05\ndepth: 2\nname: vq_default\nout: ./a: b\nempty:\n"
        "-------------- End ----------------\n"
    )
    options = Options.read(path)
    assert options.values == {
        "norm": None,
        "is_train": True,
        "lr": 1e-05,
        "depth": 2,
        "name": "vq_default",
        "out": "./a: b",
        "empty": "",
    }
    assert options.get("depth", 7.0) == 2.0 and options.get("absent", 3) == 3
    with pytest.raises(UserError, match=r"opt\.txt says name: vq_default; expected a int"):
        options.get("name", 1)


@pytest.mark.parametrize("content", [b"", b"no colon here\n", b"\xff\xfe\x00", b"------\n"])
def test_what_is_no_option_file_is_named(tree: Path, content: bytes) -> None:
    (tree / TOKENIZER / "opt.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"vq_default/opt\.txt.*key: value"):
        import_official(tree)


# --- Missing files and folders -------------------------------------------------------------------

NEEDED = [
    *(run / file for run in (TOKENIZER, TRANSFORMER) for file in (Path("opt.txt"), CHECKPOINT)),
    MEAN,
    STD,
]


@pytest.mark.parametrize("path", NEEDED, ids=str)
def test_a_missing_file_is_named(tree: Path, path: Path) -> None:
    (tree / path).unlink()
    with pytest.raises(FileNotFoundError, match=str(path)):
        import_official(tree)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (Path("checkpoints"), "no folder 'checkpoints'"),
        (Path("checkpoints/interhuman"), "no folder interhuman or interx"),
        (TRANSFORMER, "trans_default is missing.*holds vq_default"),
        (TOKENIZER, "no run 'vq_default'.*holds trans_default"),
    ],
)
def test_a_missing_folder_is_named(tree: Path, path: Path, message: str) -> None:
    shutil.rmtree(tree / path)
    with pytest.raises(FileNotFoundError, match=message):
        import_official(tree)
    with pytest.raises(FileNotFoundError, match="no folder 'checkpoints'"):
        import_official(tree / "nowhere")


# --- Choices -------------------------------------------------------------------------------------


def test_several_runs_are_named_and_one_can_be_chosen(tree: Path) -> None:
    shutil.copytree(tree / TRANSFORMER, tree / TRANSFORMER.with_name("trans_other"))
    with pytest.raises(UserError, match="several runs: trans_default, trans_other"):
        import_official(tree)
    assert import_official(tree, transformer="trans_other").transformer.folder.name == "trans_other"
    with pytest.raises(FileNotFoundError, match=r"no run '\.\./trans_other'"):
        import_official(tree, transformer="../trans_other")


def test_the_tokenizer_is_the_one_that_the_transformer_names(tree: Path) -> None:
    shutil.copytree(tree / TOKENIZER, tree / TOKENIZER.with_name("vq_2"))
    assert import_official(tree).tokenizer.folder.name == "vq_default"
    change_options(tree / TRANSFORMER / "opt.txt", vq_name="vq_2")
    assert import_official(tree).tokenizer.folder.name == "vq_2"
    assert import_official(tree, tokenizer="vq_default").tokenizer.folder.name == "vq_default"
    change_options(tree / TRANSFORMER / "opt.txt", vq_name=None)
    with pytest.raises(UserError, match="several runs: vq_2, vq_default"):
        import_official(tree)


def test_runs_may_have_other_names(tree: Path) -> None:
    (tree / TRANSFORMER).rename(tree / TRANSFORMER.with_name("trans_mine"))
    (tree / TOKENIZER).rename(tree / TOKENIZER.with_name("vq_mine"))
    with pytest.raises(FileNotFoundError, match="holds trans_mine, vq_mine"):
        import_official(tree)
    change_options(tree / TRANSFORMER.with_name("trans_mine") / "opt.txt", vq_name=None)
    assert import_official(tree).tokenizer.folder.name == "vq_mine"


def test_two_data_sets_need_a_choice(tree: Path) -> None:
    (tree / "checkpoints/interx").mkdir()
    with pytest.raises(UserError, match="both interhuman and interx"):
        import_official(tree)
    assert import_official(tree, dataset="interhuman").dataset == "interhuman"
    with pytest.raises(UserError, match="choose one of"):
        import_official(tree, dataset="humanml")  # type: ignore[arg-type]


# --- Checkpoints ---------------------------------------------------------------------------------

RUNS = {"vq_model": TOKENIZER, "t2m_transformer": TRANSFORMER}


@pytest.mark.parametrize("run", RUNS.values(), ids=str)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99], ids="{:.0%} of it".format)
def test_a_damaged_checkpoint_is_named(tree: Path, run: Path, kept: float) -> None:
    path = tree / run / CHECKPOINT
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=rf"{run / CHECKPOINT} (is damaged|was refused)"):
        import_official(tree)


def test_a_file_of_another_kind_is_named(tree: Path) -> None:
    path = tree / TOKENIZER / CHECKPOINT
    path.write_bytes(b"<html>Quota exceeded</html>")
    with pytest.raises(UserError, match=r"vq_default.*(damaged|refused)"):
        import_official(tree)
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="holds a list; expected a dictionary"):
        import_official(tree)


class Burglar:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_pickled_objects_are_refused_and_do_not_run(tree: Path) -> None:
    trace = tree / "was-here"
    change_checkpoint(
        tree / TOKENIZER / CHECKPOINT, lambda content: content.update(ep=Burglar(trace))
    )
    with pytest.raises(UserError, match=r"vq_default.*was refused.*run code"):
        import_official(tree)
    assert not trace.exists()


@pytest.mark.parametrize(("entry", "run"), RUNS.items())
def test_entries_beside_the_weights(tree: Path, entry: str, run: Path) -> None:
    path = tree / run / CHECKPOINT
    change_checkpoint(path, lambda content: content.update(best_fid=5.2, opt_more=[torch.ones(3)]))
    imported = import_official(tree)
    read = imported.tokenizer if run == TOKENIZER else imported.transformer
    assert read.training_state["best_fid"] == 5.2 and read.training_state["opt_more"] is None
    change_checkpoint(path, lambda content: content.update(ema={"a": torch.ones(3)}))
    with pytest.raises(UserError, match=rf"unknown entry 'ema' beside '{entry}'"):
        import_official(tree)
    change_checkpoint(path, lambda content: content.pop(entry))
    with pytest.raises(UserError, match=f"best_fid.tar holds .*but not '{entry}' or"):
        import_official(tree)


def test_the_other_names_of_the_weights_are_known(tree: Path) -> None:
    for entry, other in (("vq_model", "net"), ("t2m_transformer", "trans")):
        change_checkpoint(
            tree / RUNS[entry] / CHECKPOINT,
            lambda content, e=entry, o=other: content.update({o: content.pop(e)}),
        )
    assert import_official(tree).key_counts["tokenizer"] == 67


@pytest.mark.parametrize(("entry", "run"), RUNS.items())
@pytest.mark.parametrize(
    ("value", "message"),
    [("text", "is a str, not a tensor"), (torch.tensor([torch.nan]), "not finite")],
)
def test_what_is_no_weight_is_named(
    tree: Path, entry: str, run: Path, value: object, message: str
) -> None:
    change_checkpoint(
        tree / run / CHECKPOINT, lambda content: content[entry].update({"a.weight": value})
    )
    with pytest.raises(UserError, match=f"'a.weight' in .*{run.name}.*{message}"):
        import_official(tree)


# --- Statistics ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(261), r"global_std.npy has shape \(261,\); expected \(262,\)"),
        (np.zeros((2, 131)), r"shape \(2, 131\)"),
        (np.zeros(262), "global_std.npy cannot be used: .*std above 0"),
        (np.array(["a"] * 262), "not an array of numbers"),
        (np.array([{}] * 262), "not an array of numbers"),
    ],
    ids=["short", "matrix", "zeros", "text", "objects"],
)
def test_unusable_statistics_are_named(tree: Path, values: Any, message: str) -> None:
    np.save(tree / STD, values, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        import_official(tree)


def test_damaged_statistics_are_named(tree: Path) -> None:
    (tree / MEAN).write_bytes(b"")
    with pytest.raises(UserError, match=r"global_mean\.npy is not an array of numbers"):
        import_official(tree)
