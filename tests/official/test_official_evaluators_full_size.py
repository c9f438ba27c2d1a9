"""The authors' evaluators at their true size, from files in their layout to embeddings on a CPU.

The numbers are random; the sizes, the layout and the path through the program are the real ones.
It prints what a user of such a machine wants to know: run ``pytest -m heavy -s tests/official``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from intermask.bundle import SHARD_BYTES
from intermask.evaluation.evaluators.evaluator import (
    InterClipEvaluator,
    InterXPairEvaluator,
    NetworkEvaluator,
)
from intermask.evaluation.evaluators.folder import load_evaluator, save_evaluator
from intermask.evaluation.evaluators.interclip import InterClip, InterClipConfig
from intermask.evaluation.evaluators.interx import InterXEvaluator, InterXEvaluatorConfig
from intermask.models.transformer import sinusoids
from intermask.official import import_interclip, import_interx_evaluator
from intermask.official.evaluator_names import (
    INTERX_ENTRIES,
    POSITIONS,
    interclip_renaming,
    interx_evaluator_renaming,
)
from intermask.official.evaluators import INTERCLIP, INTERCLIP_OPTIONS, INTERX
from intermask.official.names import Renaming
from intermask.representation import FEATURES
from intermask.representation_smplx import FEATURES as INTERX_FEATURES

YAML = """NAME: InterCLIP
NUM_LAYERS: 8
NUM_HEADS: 8
DROPOUT: 0.1
INPUT_DIM: 258
LATENT_DIM: 1024
FF_SIZE: 2048
ACTIVATION: gelu

MOTION_REP: global
FINETUNE: False
"""
CLIPS = 8
CPU = torch.device("cpu")

T = TypeVar("T")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Room for files that are not kept after the test, as pytest's folders are."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.heavy
@torch.inference_mode()
def test_interclip_of_full_size(folder: Path) -> None:
    torch.manual_seed(0)
    network = InterClip(InterClipConfig()).eval()
    network.scale.fill_(1.3)
    inside = folder / "checkpoints" / "eval_model"
    inside.mkdir(parents=True)
    weights = _released(network, interclip_renaming())
    weights[POSITIONS] = sinusoids(2000, network.config.width, torch.device("cpu"))
    torch.save({"state_dict": weights}, inside / INTERCLIP)
    (inside / INTERCLIP_OPTIONS).write_text(YAML)
    features, lengths = torch.randn(CLIPS, 2, 300, FEATURES), torch.linspace(60, 300, CLIPS).long()
    ids = torch.zeros(CLIPS, 77, dtype=torch.int64)
    ids[:, :12], ids[:, 12] = torch.randint(49406, (CLIPS, 12)), 49407

    imported = _timed("import", lambda: import_interclip(folder))
    motions = _timed(
        f"{CLIPS} motions of 2 to 10 s", lambda: imported.embed_motions(features, lengths)
    )
    captions = _timed(f"{CLIPS} captions", lambda: imported.embed_ids(ids))
    print(f"parameters: {_millions(imported):.1f} M")
    assert imported.config == InterClipConfig()
    assert motions.shape == captions.shape == (CLIPS, 512)
    assert torch.equal(motions, network.embed_motions(features, lengths))
    assert torch.equal(captions, network.embed_ids(ids))
    assert torch.allclose(motions.norm(dim=-1), torch.tensor(1.3))
    _check_folder(InterClipEvaluator(network=imported, device=CPU), folder / "saved")


@pytest.mark.heavy
@torch.inference_mode()
def test_interx_evaluator_of_full_size(folder: Path) -> None:
    torch.manual_seed(0)
    network = InterXEvaluator(InterXEvaluatorConfig()).eval()
    weights = _released(network, interx_evaluator_renaming())
    content = {
        entry: {
            name.removeprefix(f"{entry}."): value
            for name, value in weights.items()
            if name.startswith(f"{entry}.")
        }
        for entry in INTERX_ENTRIES
    }
    (folder / INTERX).parent.mkdir(parents=True)
    torch.save(content, folder / INTERX)
    features = torch.randn(CLIPS, 2, 150, INTERX_FEATURES)
    lengths = torch.linspace(40, 150, CLIPS).long()
    words, classes = torch.randn(CLIPS, 30, 300), torch.zeros(CLIPS, 30, 15)
    classes[..., 3] = 1

    imported = _timed("import", lambda: import_interx_evaluator(folder))
    motions = _timed(f"{CLIPS} motions", lambda: imported.embed_motions(features, lengths))
    captions = _timed(
        f"{CLIPS} captions",
        lambda: imported.embed_words(words, classes, torch.full((CLIPS,), 30)),
    )
    print(f"parameters: {_millions(imported):.1f} M")
    assert imported.config == InterXEvaluatorConfig()
    assert motions.shape == captions.shape == (CLIPS, 512)
    assert torch.equal(motions, network.embed_motions(features, lengths))
    _check_folder(InterXPairEvaluator(network=imported, device=CPU), folder / "saved")


def _check_folder(evaluator: NetworkEvaluator, folder: Path) -> None:
    """What is saved comes back, and no file is too large to be given away."""
    _timed("save", lambda: save_evaluator(evaluator, folder))
    loaded = _timed("load", lambda: load_evaluator(folder, "cpu"))
    assert loaded.fingerprint == evaluator.fingerprint
    sizes = sorted(path.stat().st_size for path in folder.iterdir())
    largest = max(weight.nbytes for weight in evaluator.network.state_dict().values())
    assert sizes[-1] <= max(SHARD_BYTES, largest) + 100_000
    print(f"{'folder':30} {len(sizes)} files, {sum(sizes) / 1e6:.0f} MB")


def _released(network: nn.Module, names: Renaming) -> dict[str, Tensor]:
    named = {names.official(name): value for name, value in network.state_dict().items()}
    assert None not in named
    return {name: value for name, value in named.items() if name is not None}


def _millions(network: nn.Module) -> float:
    return sum(weight.numel() for weight in network.parameters()) / 1e6


def _timed(what: str, action: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = action()
    print(f"{what:30} {time.perf_counter() - start:.2f} s")
    return result
