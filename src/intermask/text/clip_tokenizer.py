"""CLIP's byte-pair encoding with the original's cleaning, so that ids agree on any text.

transformers' own ``CLIPTokenizer`` neither repairs broken Unicode nor undoes HTML entities, and
pads with end-of-text; here the original's steps are done in its order and the pairs are merged by
the ``tokenizers`` library.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from intermask.errors import MissingExtra
from intermask.text.features import checked_captions

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START = "<|startoftext|>"
END = "<|endoftext|>"
_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d"
    r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


class ClipTokenizer:
    """Captions to CLIP's ids.

    Attributes:
        start, end: ids of start-of-text and end-of-text, the two largest.
        vocabulary_size: number of ids.
    """

    def __init__(self, pairs: Tokenizer, vocabulary: dict[str, int]) -> None:
        """Args:
        pairs: the byte-level pair merger, which sees one cleaned word at a time.
        vocabulary: piece to id.
        """
        try:
            import ftfy
            import regex  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingExtra("clip", error.name or "ftfy") from error
        for token in (START, END):
            if token not in vocabulary:
                raise ValueError(f"the CLIP vocabulary lacks {token}")
        self.start, self.end = vocabulary[START], vocabulary[END]
        self.vocabulary_size = max(vocabulary.values()) + 1
        self._pairs = pairs
        self._repair = ftfy.fix_text
        self._words = regex.compile(_WORDS, regex.IGNORECASE)
        self._spaces = regex.compile(r"\s+")
        self._known = {START: [self.start], END: [self.end]}

    @classmethod
    def load(cls, vocabulary: Path | str, merges: Path | str) -> ClipTokenizer:
        """Read ``vocab.json`` (piece to id) and ``merges.txt`` (one pair a line, best first)."""
        for path in (vocabulary, merges):
            if not Path(path).is_file():
                raise FileNotFoundError(
                    f"there is no {path}; CLIP's tokenizer needs vocab.json and merges.txt"
                )
        try:
            from tokenizers import Tokenizer, models, pre_tokenizers
        except ImportError as error:
            raise MissingExtra("clip", "tokenizers") from error
        try:
            table: dict[str, int] = json.loads(Path(vocabulary).read_text(encoding="utf-8"))
            pairs = Tokenizer(
                models.BPE.from_file(str(vocabulary), str(merges), end_of_word_suffix="</w>")
            )
        except Exception as error:  # the library raises bare Exception on a malformed file
            raise ValueError(
                f"{vocabulary} and {merges} are not CLIP's vocabulary and merges ({error}); "
                "bring both files from the same model"
            ) from error
        pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return cls(pairs, table)

    def encode(self, caption: str) -> list[int]:
        """Ids of the whole caption from start-of-text to end-of-text, neither cut nor padded."""
        ids = [self.start]
        for word in self._words.findall(self.clean(caption)):
            if word not in self._known:
                self._known[word] = self._pairs.encode(word).ids
            ids.extend(self._known[word])
        return [*ids, self.end]

    def encode_padded(self, captions: Sequence[str], length: int) -> Tensor:
        """Ids ``(b, length)`` int64, padded with 0; a longer caption is cut, its end is kept."""
        rows = [self.encode(caption) for caption in checked_captions(captions)]
        ids = torch.zeros(len(rows), length, dtype=torch.int64)
        for index, row in enumerate(rows):
            if len(row) > length:
                row = [*row[: length - 1], self.end]
            ids[index, : len(row)] = torch.tensor(row)
        return ids

    def clean(self, caption: str) -> str:
        """Repaired Unicode, HTML entities undone (twice), single spaces, lower case."""
        text = html.unescape(html.unescape(self._repair(caption))).strip()
        return self._spaces.sub(" ", text).strip().lower()
