"""A release at its true size, from the authors' files to two moving people on a CPU.

The numbers are random; the sizes, the layout and the path through the program are the real ones.
It prints what a user of such a machine wants to know: run ``pytest -m heavy -s tests/official``.
"""

from __future__ import annotations

import json
import resource
import shutil
import string
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from intermask.bundle import load_bundle, save_bundle
from intermask.config import TextConfig, TokenizerConfig, TransformerConfig
from intermask.data.batching import canonical_people
from intermask.generation.generator import InteractionGenerator
from intermask.geometry import matrix_to_rot6d
from intermask.models.autoencoder import MotionAutoencoder
from intermask.models.text_head import TextHead
from intermask.models.transformer import InterMTransformer
from intermask.motion import Motion
from intermask.official import check_report, import_official
from intermask.official.names import (
    POSITION_FREQUENCIES,
    Renaming,
    tokenizer_renaming,
    transformer_renaming,
)
from intermask.representation import fit_normaliser, y_up_to_z_up
from intermask.text import load_text_encoder
from released_trees import MEAN, STD, TOKENIZER, TRANSFORMER, write_run
from walking import walking_pair

SECONDS = 3.0
VOCABULARY = 49408


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Room for two gigabytes that are not kept after the test, as pytest's folders are."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.heavy
def test_a_release_of_full_size_becomes_two_moving_people(folder: Path) -> None:
    # In a process of its own, so that the peak of its memory is that of a user's. It starts before
    # the files are written, since a new process takes over the peak of the one that starts it.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        started = pool.submit(_peak_megabytes).result()
        _write_release(folder / "release")
        _write_clip(folder / "clip")
        outcome = pool.submit(_import_and_generate, folder).result()
    print()
    for label, figure in outcome.report + outcome.measured:
        print(f"{label:55} {figure}")
    print(f"{'of which the program itself':55} {started:.0f} MB")

    figures = dict(outcome.report)
    assert figures["keys: tokenizer"] == "67" and figures["keys: text head"] == "26"
    assert figures["mean rotation"].endswith("plausible")
    millions = {
        part: float(figures[f"parameters: {part}"].split()[0])
        for part in ("tokenizer", "transformer", "text head")
    }
    assert 42 < millions["tokenizer"] < 44
    assert 53 < millions["transformer"] + millions["text head"] < 55
    assert outcome.motion.frames == round(30 * SECONDS)
    assert bool(torch.isfinite(outcome.motion.positions).all())


@dataclass(frozen=True)
class _Outcome:
    report: list[tuple[str, str]]
    measured: list[tuple[str, str]]
    motion: Motion


def _import_and_generate(folder: Path) -> _Outcome:
    watch = _Stopwatch()
    imported = import_official(folder / "release")
    watch.lap("import")
    report = check_report(imported)
    watch.lap("figures of --check")
    save_bundle(imported.model, folder / "bundle")
    watch.lap("write the bundle")
    del imported
    model = load_bundle(folder / "bundle")
    watch.lap("read the bundle")
    encoder = load_text_encoder("clip", folder / "clip")
    watch.lap("read CLIP's text tower")
    (motion,) = InteractionGenerator(model, encoder)(["Two people dance."], SECONDS)
    watch.lap(f"generate {SECONDS:g} s of motion")
    size = sum(path.stat().st_size for path in (folder / "bundle").iterdir())
    measured = [
        (name, f"{clock:.1f} s ({processors:.1f} s of the processors)")
        for name, (clock, processors) in watch.laps.items()
    ]
    measured += [
        ("parameters: CLIP's text tower", f"{_size(encoder) / 1e6:.2f} M"),
        ("size of the bundle", f"{size / 1e6:.0f} MB"),
        ("threads", str(torch.get_num_threads())),
        ("peak memory", f"{_peak_megabytes():.0f} MB"),
    ]
    return _Outcome(report, measured, motion)


def _size(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


class _Stopwatch:
    """Times of one step after another, by the clock and of the processors."""

    def __init__(self) -> None:
        self.laps: dict[str, tuple[float, float]] = {}
        self.last = time.perf_counter(), time.process_time()

    def lap(self, name: str) -> None:
        now = time.perf_counter(), time.process_time()
        self.laps[name] = now[0] - self.last[0], now[1] - self.last[1]
        self.last = now


def _peak_megabytes() -> float:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


# --- Files ---------------------------------------------------------------------------------------


def _write_release(folder: Path) -> None:
    torch.manual_seed(0)
    width = TransformerConfig().width
    tokenizer = MotionAutoencoder(TokenizerConfig(graph_scope="first_frame"))
    tokenizer.codebook.start(torch.randn(1024, 512))
    second = nn.ModuleDict(
        {
            "transformer": InterMTransformer(TransformerConfig()),
            "text_head": TextHead(TextConfig(head_heads=8)),
        }
    )
    for name, weight in second.named_parameters():
        if "modulation" in name:  # these start at zero, and the text would not matter
            nn.init.normal_(weight, std=0.02)
    frequencies = 10_000.0 ** (-torch.arange(0, width // 2, 2) / (width // 2))
    write_run(
        folder / TOKENIZER,
        "vq_model",
        _released(tokenizer, tokenizer_renaming(True)),
        {"dataset_name": "interhuman", "nb_code": 1024, "code_dim": 512, "width": 512, "depth": 2},
    )
    write_run(
        folder / TRANSFORMER,
        "t2m_transformer",
        _released(second, transformer_renaming()) | {POSITION_FREQUENCIES: frequencies},
        {"dataset_name": "interhuman", "n_heads": 6, "n_layers": 6, "vq_name": "vq_default"},
    )
    _write_statistics(folder)


def _released(module: nn.Module, names: Renaming) -> dict[str, Tensor]:
    """Weights under their released names, without what the release does not hold."""
    named = {names.official(name): value for name, value in module.state_dict().items()}
    return {name: value for name, value in named.items() if name is not None}


def _write_statistics(folder: Path) -> None:
    """Of two people who walk, so that random weights still make something like bodies."""
    walk = walking_pair(90)
    rotations = matrix_to_rot6d(walk.rotations).flatten(-2)
    clip = torch.cat((y_up_to_z_up(walk.positions).flatten(-2), rotations), -1)
    statistics = fit_normaliser(list(canonical_people(clip, "per_person")))
    (folder / MEAN).parent.mkdir(parents=True)
    np.save(folder / MEAN, statistics.mean.numpy())
    np.save(folder / STD, statistics.std.numpy())


def _write_clip(folder: Path) -> None:
    """A folder like that of CLIP ViT-L/14@336, with the text tower alone; it spells words."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
    )
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    save_file(CLIPTextModel(config).state_dict(), folder / "model.safetensors")
    letters = string.ascii_lowercase + string.punctuation
    pieces = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    vocabulary |= {"<|startoftext|>": VOCABULARY - 2, "<|endoftext|>": VOCABULARY - 1}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
