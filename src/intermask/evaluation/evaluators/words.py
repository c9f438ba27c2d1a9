"""Captions as Inter-X's evaluator reads them: a vector and a class for every word.

The vectors (GloVe) come with the data set in ``glove/hhi_vab_{data.npy,words.pkl,idx.pkl}``. The
rest follows the public code of Guo et al. 2022, whose classes are the parts of speech and, before
these, five groups of words that matter to motion. No recorded numbers of the released evaluator
pin this step; the networks behind it are pinned.

Shapes: `b` batch, `l` word.
"""

from __future__ import annotations

import pickle
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from intermask.errors import UserError

PREFIX = "hhi_vab"
START, END, UNKNOWN = "sos", "eos", "unk"
OTHER = "OTHER"
PARTS_OF_SPEECH = ("VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV")
GROUPS: dict[str, str] = {
    "place": "left right clockwise counterclockwise anticlockwise forward back backward up down "
    "straight curve",
    "body": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "object": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "act": "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit "
    "lift lower raise wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin "
    "spread climb",
    "manner": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
CLASSES = (*PARTS_OF_SPEECH, *GROUPS, OTHER)
_GROUP_OF_WORD = {word: group for group, words in GROUPS.items() for word in words.split()}

Word = tuple[str, str]
"""A word and its part of speech."""


@dataclass(frozen=True)
class Words:
    """A batch of captions for `InterXEvaluator.embed_words`."""

    vectors: Tensor
    """(b, l, 300)"""
    classes: Tensor
    """(b, l, 15), 1 at the word's class."""
    lengths: Tensor
    """(b,) words of each caption, its start and its end included."""


class WordVectors:
    """Words to vectors and classes.

    Attributes:
        vectors: a vector of one size for each word.
        longest: words of a caption that are read.

    Args:
        vectors: a vector of one size for each word; ``unk`` stands for words that are not there.
        longest: words of a caption that are read, its start and its end not counted. Nothing that
            was recorded tells which number the authors took.
    """

    def __init__(self, vectors: Mapping[str, Tensor], longest: int = 35) -> None:
        for word in (START, END, UNKNOWN):
            if word not in vectors:
                raise UserError(
                    f"the word vectors lack {word!r}; give the {PREFIX} files of Inter-X"
                )
        self.longest = longest
        self.vectors = dict(vectors)

    @classmethod
    def load(cls, folder: str | Path, longest: int = 35) -> WordVectors:
        """Read ``hhi_vab_{data.npy,words.pkl,idx.pkl}``; no code in them can run.

        Raises:
            FileNotFoundError: a file is missing.
            UserError: a file is damaged, or they do not fit each other.
        """
        paths = {part: Path(folder) / f"{PREFIX}_{part}" for part in ("data.npy", "words.pkl")}
        paths["idx.pkl"] = Path(folder) / f"{PREFIX}_idx.pkl"
        for path in paths.values():
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path} is missing; Inter-X has its word vectors in the folder glove/"
                )
        table = _read_table(paths["data.npy"])
        words, rows = _read_plain(paths["words.pkl"]), _read_plain(paths["idx.pkl"])
        if not isinstance(words, list | tuple) or not isinstance(rows, dict):
            raise UserError(
                f"{paths['words.pkl']} and {paths['idx.pkl']} hold a {type(words).__name__} and a "
                f"{type(rows).__name__}; expected a list of words and a dictionary of their rows"
            )
        vectors = {}
        for word in words:
            row = rows.get(word)
            if not isinstance(row, int) or not 0 <= row < len(table):
                raise UserError(
                    f"{paths['idx.pkl']} has the row {row} for {word!r}; expected one of the "
                    f"{len(table)} of {paths['data.npy']}"
                )
            vectors[str(word)] = table[row]
        return cls(vectors, longest)

    @property
    def size(self) -> int:
        """Numbers in a word's vector."""
        return len(self.vectors[UNKNOWN])

    def read(self, captions: Sequence[Sequence[Word]]) -> Words:
        """Captions as words with their parts of speech, padded with ``unk`` to the longest."""
        rows = [[(START, OTHER), *caption[: self.longest], (END, OTHER)] for caption in captions]
        lengths = torch.tensor([len(row) for row in rows])
        longest = int(lengths.max()) if rows else 0
        padded = [[*row, *[(UNKNOWN, OTHER)] * (longest - len(row))] for row in rows]
        vectors = torch.zeros(len(rows), longest, self.size)
        classes = torch.zeros(len(rows), longest, len(CLASSES))
        for index, row in enumerate(padded):
            for place, (word, part) in enumerate(row):
                vectors[index, place] = self.vectors.get(word, self.vectors[UNKNOWN])
                classes[index, place, CLASSES.index(self.word_class(word, part))] = 1
        return Words(vectors, classes, lengths)

    def word_class(self, word: str, part: str) -> str:
        """The class of a word: its group, else its part of speech, else ``OTHER``."""
        if word not in self.vectors:
            return OTHER
        return _GROUP_OF_WORD.get(word, part if part in PARTS_OF_SPEECH else OTHER)


class TaggedCaptions:
    """Captions with the words and parts of speech that a dataset has beside them.

    A caption that no dataset has is read word by word, each as the known captions tag it most
    often, and as ``OTHER`` where none has it.

    Args:
        captions: known ones; words are in the dataset's form ("walk", not "walks").
    """

    def __init__(self, captions: Mapping[str, Sequence[Word]] | None = None) -> None:
        self._known = dict(captions or {})
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for words in self._known.values():
            for word, part in words:
                counts[word][part] += 1
        self._usual = {word: parts.most_common(1)[0][0] for word, parts in counts.items()}

    def words(self, caption: str) -> Sequence[Word]:
        """The words of a caption with their parts of speech."""
        if caption in self._known:
            return self._known[caption]
        words = re.findall(r"[a-z]+|[0-9]+", caption.lower())
        return [(word, self._usual.get(word, OTHER)) for word in words]


class _PlainUnpickler(pickle.Unpickler):
    """Lists, dictionaries, texts and numbers; what would have to be imported is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _read_plain(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file).load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
    ) as error:
        raise UserError(
            f"{path} was refused ({error}): it is damaged, or holds more than words and numbers"
        ) from error


def _read_table(path: Path) -> Tensor:
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path} is not an array of numbers: {error}") from error
    if not isinstance(table, np.ndarray) or table.dtype.kind != "f" or table.ndim != 2:
        raise UserError(f"{path} is not a table of numbers, one row for each word")
    return torch.from_numpy(table.astype(np.float32))
