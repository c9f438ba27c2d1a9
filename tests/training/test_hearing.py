"""A text head learns to name what captions state, before motion is seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from intermask.config import TextConfig
from intermask.data.batching import Source
from intermask.models.text_head import PhrasesHead
from intermask.text.features import FrozenTextEncoder, TextFeatures
from intermask.training import checkpoint
from intermask.training.finetuning import base_settings, read_origin, settings_from
from intermask.training.frozen_features import FrozenText
from intermask.training.hearing import StatedFacts, learn_to_hear
from intermask.training.runs import load_model
from tiny_training import assert_equal_runs, tiny_sources, train_tokenizer, train_transformer

WORDS = ("one", "person", "the", "other", "left", "right", "hand", "foot", "lifts", "takes")
WIDTH = 16


class _Words(FrozenTextEncoder):
    """A random vector for each word."""

    name, width, max_tokens = "words", WIDTH, 24

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.vectors = nn.Embedding(len(WORDS), WIDTH)
        self.freeze()

    def encode(self, captions: Sequence[str]) -> TextFeatures:
        rows = [[WORDS.index(word) for word in caption.split()] for caption in captions]
        ids = torch.tensor(rows)
        ends = torch.full((len(ids),), ids.shape[1] - 1)
        return TextFeatures(self.vectors(ids), ends, torch.ones_like(ids, dtype=torch.bool))

    def count_tokens(self, caption: str) -> int:
        return len(caption.split())


def _captions() -> dict[str, frozenset[str]]:
    """Of two sides that are named, one counts: that of the hand."""
    facts = {}
    for hand in ("left", "right"):
        for foot in ("left", "right"):
            for who in ("one", "other"):
                for verb in ("lifts", "takes"):
                    words = [f"{hand} hand", f"{foot} foot"]
                    for first, second in (words, words[::-1]):
                        facts[f"{who} person {verb} the {first} {second}"] = frozenset(
                            {f"1.side={hand}"}
                        )
    return facts


def _learned(
    steps: int, seed: int = 0, facts: dict[str, frozenset[str]] | None = None, placed: bool = True
) -> tuple[PhrasesHead, float]:
    torch.manual_seed(1)
    head = PhrasesHead(TextConfig(width=WIDTH, head_heads=1, pooling="phrases"))
    text = FrozenText(_Words(), torch.device("cpu"))
    stated = StatedFacts(facts or _captions(), torch.device("cpu"))
    head.fit(text(stated.captions))
    tells = nn.Linear(WIDTH, len(stated.names))
    nn.init.zeros_(tells.weight)
    if not placed:
        head.places.requires_grad_(False)
        nn.init.zeros_(head.places.weight)
    right = learn_to_hear(
        lambda features: tells(head(features)),
        [*head.parameters(), *tells.parameters()],
        text,
        stated,
        steps,
        torch.Generator().manual_seed(seed),
        lambda done, total: None,
    )
    return head, right


def test_a_head_hears_whose_side_is_meant() -> None:
    assert _learned(10)[1] < 0.8
    assert _learned(150)[1] > 0.95


def test_a_head_hears_what_is_told_first() -> None:
    """Two words change places, far from each other and from both ends, among words that say
    nothing: phrases alone are the same."""
    around = [("one",) * 4, ("person",) * 4, ("the",) * 4, ("other",) * 4, ("foot",) * 4]
    facts = {}
    for nothing in around:
        for first, second in (("left", "right"), ("right", "left")):
            words = (*nothing, first, *nothing, nothing[0], second, *nothing)
            facts[" ".join(words)] = frozenset({f"1.side={first}"})
    assert _learned(150, facts=facts)[1] > 0.95
    assert _learned(150, facts=facts, placed=False)[1] < 0.8


def test_the_same_seed_hears_the_same() -> None:
    a, b, c = (_learned(3, seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


PATCHES = (
    "model.architecture=patch", "model.position_frame=root", "model.patch_layout=body",
    "model.patch_rows=10", "model.patch_frames=8", "model.row_codebooks=true", "model.width=6",
    "model.codebook_size=8", "freeze_codes=true", "code_noise=0.5",
)  # fmt: skip
GEOMETRY = (
    "model.layers=2", "model.rows=10", "model.row_codebooks=true", "model.whole_columns=true",
    "model.reach=1", "model.codebook_size=8", "model.code_dim=8", "model.geometry_channels=6",
    "geometry_weight=0.5", "start_from_codes=true", "text.pooling=phrases",
)  # fmt: skip


def _with_truth(sources: list[Source]) -> list[Source]:
    """The same folders, whose captions are known to state which act they describe."""
    for source in sources:
        (source.root / "ground_truth").mkdir()
        for path in (source.root / "annots").glob("*.txt"):
            lines = [line for line in path.read_text("utf-8").splitlines() if line]
            acts = [{"family": "walk", "actor": 0, "facts": {}}]
            told = [f"{start} {line}" for line in lines for start in ("There:", "Here:", "Well:")]
            captions = [{"text": line, "stated": []} for line in (*lines, *told)]
            truth = {"parts": acts, "captions": captions}
            name = source.root / "ground_truth" / f"{path.stem}.json"
            name.write_text(json.dumps(truth), "utf-8")
    return sources


def test_a_run_hears_once_and_goes_on_exactly(tmp_path: Path) -> None:
    data = _with_truth(tiny_sources(tmp_path))
    train_tokenizer(tmp_path / "tokenizer", data, PATCHES)
    deaf, whole, stopped = (tmp_path / name for name in ("deaf", "whole", "stopped"))
    train_transformer(deaf, data, tmp_path / "tokenizer", GEOMETRY)
    settings = (*GEOMETRY, "hearing_steps=3", "hearing_weight=0.5")
    train_transformer(whole, data, tmp_path / "tokenizer", settings)
    train_transformer(stopped, data, tmp_path / "tokenizer", settings, stop_after=2)
    train_transformer(stopped, data, tmp_path / "tokenizer", settings, resume=True)
    assert_equal_runs(whole, stopped)
    weights = [checkpoint.load(run / checkpoint.LAST)["model"] for run in (deaf, whole)]
    heard = [name for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])]
    assert any("text_head.phrases" in name for name in heard)


def test_what_tells_facts_is_trained_and_left_behind(tmp_path: Path) -> None:
    data = _with_truth(tiny_sources(tmp_path))
    train_tokenizer(tmp_path / "tokenizer", data, PATCHES)
    first = tmp_path / "first"
    settings = (*GEOMETRY, "hearing_weight=0.5")
    train_transformer(first, data, tmp_path / "tokenizer", settings)
    weights = checkpoint.load(first / checkpoint.LAST)["model"]
    assert weights["tells.weight"].any()
    log = [json.loads(line) for line in (first / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert all({"misheard", "heard"} <= set(line) for line in log if line["kind"] == "train")
    generator = load_model(first).parts()["transformer"].state_dict()
    assert {"tells.weight", "tells.bias"} == set(weights) - set(generator)
    origin = read_origin(first)
    assert settings_from(base_settings("transformer", origin), origin).hearing_steps == 0


def test_data_without_ground_truth_are_no_mistake(tmp_path: Path) -> None:
    data = tiny_sources(tmp_path)
    train_tokenizer(tmp_path / "tokenizer", data, PATCHES)
    hearing = (*GEOMETRY, "hearing_steps=3", "hearing_weight=0.5")
    for name, settings in (("a", GEOMETRY), ("b", hearing)):
        train_transformer(tmp_path / name, data, tmp_path / "tokenizer", settings)
    first, second = (checkpoint.load(tmp_path / name / checkpoint.LAST)["model"] for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)
