"""However many parts and processes share a batch, training is that of the one big batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from intermask.config import MaskingConfig, RunConfig
from intermask.data.batching import Source
from intermask.errors import MissingExtra, UserError
from intermask.masking import corrupt, mask_id
from intermask.presets import load_preset
from intermask.training.engine import Engine, start_engine
from intermask.training.shares import Share, fractions
from intermask.training.token_losses import (
    masked_cross_entropy,
    step_unroll_targets,
    unrolled_count,
)
from tiny_training import (
    largest_difference,
    log_of,
    tiny_sources,
    train_tokenizer,
    train_transformer,
)

TESTS = Path(__file__).parents[1]
NEAR = 1e-5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return tiny_sources(tmp_path_factory.mktemp("shares"))


@pytest.fixture(scope="module")
def whole(data: list[Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages, each batch in one piece."""
    root = tmp_path_factory.mktemp("whole")
    train_tokenizer(root / "tokenizer", data)
    train_transformer(root / "transformer", data, root / "tokenizer")
    return root


def test_shares_cover_the_batch_once_and_in_order() -> None:
    parts = [list(range(12))[Share(index, 4).of(12)] for index in range(4)]
    assert parts == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    with pytest.raises(UserError, match=r"set optimiser\.batch_size to 48 or 56"):
        Share(0, 8).of(52)
    with pytest.raises(UserError, match=r"batch_size to 8$"):
        Share(0, 8).of(5)


def test_contributions_of_parts_add_up_to_the_mean_of_all() -> None:
    values = torch.randn(10)
    own = [{"labels": torch.tensor(count)} for count in (7, 3, 0)]
    total = {"labels": torch.tensor(10)}
    parts = values.split([7, 3])
    added = sum(
        part.mean() * fractions(each, total)["labels"]
        for part, each in zip(parts, own, strict=False)
    )
    assert torch.allclose(added, values.mean())
    assert fractions(own[2], {"labels": torch.tensor(0)})["labels"] == 0


def test_the_second_pass_leaves_as_many_labels_as_said_beforehand() -> None:
    generator = torch.Generator().manual_seed(0)
    codes, config = 20, MaskingConfig(whole_person_probability=0.3)
    for _ in range(30):
        tokens = torch.randint(codes, (4, 2, 5, 7), generator=generator)
        valid = torch.arange(7) < torch.randint(1, 8, (4, 1), generator=generator)
        hidden = corrupt(tokens, valid, generator, config, codes)
        logits = torch.randn(*tokens.shape, codes, generator=generator)
        again = step_unroll_targets(hidden.inputs, logits, hidden.targets, codes)
        left = (again.targets != mask_id(codes)).sum()
        assert unrolled_count(hidden.inputs, hidden.targets, codes) == left


def test_parts_of_different_label_counts_have_the_gradient_of_the_batch() -> None:
    logits = torch.randn(4, 2, 5, 3, 8, requires_grad=True)
    targets = torch.full((4, 2, 5, 3), 8)
    targets[0], targets[2, 0, :2] = 3, 5
    masked_cross_entropy(logits, targets, 8).loss.backward()
    expected, logits.grad = logits.grad, None
    total = {"labels": (targets != 8).sum()}
    for part in (slice(0, 1), slice(1, 2), slice(2, 4)):  # the middle one has no label
        own = {"labels": (targets[part] != 8).sum()}
        loss = masked_cross_entropy(logits[part], targets[part], 8).loss
        (loss * fractions(own, total)["labels"]).backward()
    assert torch.allclose(logits.grad, expected, atol=1e-7)


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_changes_nothing(
    data: list[Source], whole: Path, tmp_path: Path, parts: int
) -> None:
    changes = [f"run.accumulate={parts}"]
    train_tokenizer(tmp_path / "tokenizer", data, changes)
    assert largest_difference(whole / "tokenizer", tmp_path / "tokenizer") < NEAR
    # the other run's tokenizer: its own differs in the last bits, and tokens are no small numbers
    train_transformer(tmp_path / "transformer", data, whole / "tokenizer", changes)
    assert largest_difference(whole / "transformer", tmp_path / "transformer") < NEAR


def test_two_processes_change_nothing(data: list[Source], whole: Path, tmp_path: Path) -> None:
    """Under torchrun, as on several machines: gloo, both stages, the same global batch."""
    folders = [f"{each.root}={each.share}" for each in data]
    script = TESTS / "training" / "train_both_stages.py"
    launch("torch.distributed.run", "--standalone", "--nproc-per-node", 2, script,
           tmp_path, whole / "tokenizer", *folders)  # fmt: skip
    assert largest_difference(whole / "tokenizer", tmp_path / "tokenizer") < NEAR
    assert largest_difference(whole / "transformer", tmp_path / "transformer") < NEAR
    assert len(log_of(tmp_path / "tokenizer")) == len(log_of(whole / "tokenizer"))


def test_the_command_starts_its_processes_itself(data: list[Source], tmp_path: Path) -> None:
    settings = [
        each for change in ("run.devices=2", "optimiser.steps=3") for each in ("--set", change)
    ]
    run = tmp_path / "run"
    said = launch("intermask", "train", "tokenizer", "--data", data[0].root, "--preset", "debug",
                  "--device", "cpu", "-o", run, *settings)  # fmt: skip
    assert said.count("checkpoints") == 1  # one of the two speaks
    assert [line["step"] for line in log_of(run)] == [1, 2, 3, 3]


def launch(module: str, *arguments: object) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "WORLD_SIZE")}
    result = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False,
        env=clean | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_a_batch_that_cannot_be_shared_is_refused(data: list[Source], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a batch of 4 cannot be shared equally by 3 parts"):
        train_tokenizer(tmp_path / "run", data, ["run.accumulate=3"])


def test_half_precision_is_near(data: list[Source], whole: Path, tmp_path: Path) -> None:
    changes = ["run.precision=bfloat16", "optimiser.steps=3"]
    train_tokenizer(tmp_path / "run", data, changes)
    pairs = zip(log_of(whole / "tokenizer")[:3], log_of(tmp_path / "run"), strict=False)
    for exact, half in pairs:
        assert exact["loss"] != half["loss"]
        assert abs(exact["loss"] - half["loss"]) < 0.02 * exact["loss"]


@pytest.mark.heavy
def test_compiled_networks_compute_the_same(
    data: list[Source], whole: Path, tmp_path: Path
) -> None:
    changes = ["run.compile=true"]
    train_tokenizer(tmp_path / "tokenizer", data, changes)
    assert largest_difference(whole / "tokenizer", tmp_path / "tokenizer") < NEAR
    train_transformer(tmp_path / "transformer", data, whole / "tokenizer", changes)
    assert largest_difference(whole / "transformer", tmp_path / "transformer") < NEAR


@pytest.mark.parametrize(
    ("device", "devices", "words"),
    [
        ("cuda", 4096, "4096 CUDA devices were asked for"),
        ("mps", 2, "several devices are cpu or cuda"),
        ("abacus", 1, "choose auto, cpu, cuda or mps"),
    ],
)
def test_devices_that_are_not_there(device: str, devices: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        start_engine(RunConfig(devices=devices), device)


def test_without_the_engine_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(MissingExtra, match=r'pip install "intermask\[train\]"'):
        start_engine(load_preset("tokenizer", "debug").run, "cpu")


def test_a_run_goes_on_with_other_parts(data: list[Source], whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_tokenizer(run, data, stop_after=3)
    train_tokenizer(run, data, ["run.accumulate=2"], resume=True)
    assert largest_difference(whole / "tokenizer", run) < NEAR


class OneOfTwo:
    """What the engine asks of lightning-fabric, in a process that the other one's words reach."""

    device, world_size = torch.device("cpu"), 2

    def __init__(self, rank: int, said: object = None) -> None:
        self.global_rank, self.is_global_zero, self.said = rank, rank == 0, said

    def broadcast(self, value: object) -> object:
        self.said = value if self.is_global_zero else self.said
        return self.said


def test_what_the_first_process_cannot_do_stops_all() -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    first = OneOfTwo(0)
    with pytest.raises(OSError, match="the disk is gone"):
        Engine(cast("Any", first)).by_first(fail)
    with pytest.raises(UserError, match="the first process stopped: the disk is gone"):
        Engine(cast("Any", OneOfTwo(1, first.said))).by_first(fail)
    assert Engine(cast("Any", first)).by_first(lambda: 7) == 7
    assert Engine(cast("Any", OneOfTwo(1, first.said))).by_first(fail) == 7
