"""Words with vectors and classes, and the files that they come from."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intermask.data.interx import parse_caption
from intermask.errors import UserError
from intermask.evaluation.evaluators.interx import InterXEvaluatorConfig
from intermask.evaluation.evaluators.words import CLASSES, OTHER, WordVectors

WORDS = ["unk", "two", "walk", "sos", "person", "left", "eos", "foot"]


def _write(folder: Path) -> Path:
    """Files as Inter-X has them; a word's vector says its row, which is not its place."""
    folder.mkdir(exist_ok=True)
    rows = {word: len(WORDS) - 1 - index for index, word in enumerate(WORDS)}
    table = np.arange(len(WORDS))[:, None].repeat(3, 1).astype(np.float64)
    np.save(folder / "hhi_vab_data.npy", table)
    (folder / "hhi_vab_words.pkl").write_bytes(pickle.dumps(WORDS))
    (folder / "hhi_vab_idx.pkl").write_bytes(pickle.dumps(rows))
    return folder


def _row(word: str) -> int:
    return len(WORDS) - 1 - WORDS.index(word)


def test_a_caption_becomes_vectors_classes_and_a_length(tmp_path: Path) -> None:
    line = "Two persons walk left.#two/NUM person/NOUN walk/VERB left/ADJ#0.0#0.0"
    captions = [parse_caption(line).words, (("walk", "NOUN"),)]
    words = WordVectors.load(_write(tmp_path)).read(captions)
    assert words.lengths.tolist() == [6, 3]
    read = [["sos", "two", "person", "walk", "left", "eos"], ["sos", "walk", "eos", *["unk"] * 3]]
    expected = torch.tensor([[_row(word) for word in row] for row in read])
    assert torch.equal(words.vectors, expected[..., None].expand(-1, -1, 3).float())
    classes = [[CLASSES[index] for index in row] for row in words.classes.argmax(-1)]
    assert classes == [
        [OTHER, "NUM", "NOUN", "act", "place", OTHER],
        [OTHER, "act", OTHER, OTHER, OTHER, OTHER],
    ]
    assert torch.equal(words.classes.sum(-1), torch.ones(2, 6))


def test_classes_are_as_many_as_the_evaluator_knows() -> None:
    assert len(CLASSES) == InterXEvaluatorConfig().word_classes
    assert CLASSES[:2] == ("VERB", "NOUN") and CLASSES[-1] == OTHER


def test_a_word_without_a_vector_is_unknown_whatever_it_is(tmp_path: Path) -> None:
    vectors = WordVectors.load(_write(tmp_path))
    assert vectors.word_class("dance", "VERB") == OTHER  # a group's word, but without a vector
    assert vectors.word_class("two", "PUNCT") == OTHER
    read = vectors.read([(("dance", "VERB"),)])
    assert read.vectors[0, 1, 0] == _row("unk")


def test_a_long_caption_is_cut_and_keeps_its_end(tmp_path: Path) -> None:
    read = WordVectors.load(_write(tmp_path), longest=4).read([[("walk", "VERB")] * 9])
    assert read.lengths.tolist() == [6]
    assert read.vectors[0, -1, 0] == _row("eos")


@pytest.mark.parametrize("part", ["data.npy", "words.pkl", "idx.pkl"])
def test_a_missing_file_is_named(tmp_path: Path, part: str) -> None:
    (_write(tmp_path) / f"hhi_vab_{part}").unlink()
    with pytest.raises(FileNotFoundError, match=f"hhi_vab_{part}"):
        WordVectors.load(tmp_path)


class _Runs:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("this code must not run",)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("data.npy", b"no array"),
        ("words.pkl", pickle.dumps(_Runs())),
        ("words.pkl", pickle.dumps({"two": 1})),
        ("idx.pkl", pickle.dumps(np.arange(3))),
        ("idx.pkl", b""),
        ("idx.pkl", pickle.dumps({"unk": 0})),
        ("idx.pkl", pickle.dumps({word: 99 for word in WORDS})),
    ],
)
def test_another_file_is_refused_and_named(
    tmp_path: Path, part: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (_write(tmp_path) / f"hhi_vab_{part}").write_bytes(content)
    with pytest.raises(UserError, match=f"hhi_vab_{part}"):
        WordVectors.load(tmp_path)
    assert not capsys.readouterr().out


def test_vectors_without_the_words_around_a_caption_are_refused() -> None:
    with pytest.raises(UserError, match="'eos'"):
        WordVectors({"sos": torch.zeros(3), "unk": torch.zeros(3)})
