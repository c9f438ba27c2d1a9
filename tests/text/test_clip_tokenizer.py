"""Ids must equal the original tokenizer's on any text."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intermask.text.clip_tokenizer import ClipTokenizer

AWKWARD = [
    "",
    " ",
    "Two people dance salsa.",
    "TWO PEOPLE  Bow\tto\n\neach   other  !",
    "one person's arm isn't raised; they're turning, I'd say we've won, I'll go, I'm in",
    "she said &quot;stop&quot; &amp; he said &amp;lt;no&amp;gt;",
    "caf\u00e9 cafe\u0301 e&#769; na\u00efve \u0130stanbul \u039f\u0394\u039f\u03a3 stra\u00dfe",
    "\u201ccurly\u201d \u2018quotes\u2019 \u2013 dashes \u2014 dots\u2026 \ufb01ligature",
    "broken caf\u00c3\u00a9 and \u00e2\u0080\u0099s mojibake",
    "\u4e24\u4e2a\u4eba\u5728\u8df3\u821e\u3002 \u3075\u305f\u308a\u3067\u8e0a\u308b",
    "emoji \U0001f57a\U0001f483 and \U0001f469\u200d\U0001f469\u200d\U0001f466 family",
    "numbers 12345 3.14 1/2 \u00bd \u0663 \u2163 50% #1 $20",
    "((nested)) [brackets] {and} ~~~ !!! ... ?!?! ''s '' \"'t\"",
    "\u00a0non-breaking\u00a0space\u2003em space\u200bzero width\ufeff",
    "\x1cfile\x1dgroup\x00null\x7fdelete\u0085next line\u2028separator",
    "<|startoftext|>inside<|endoftext|> <|ENDOFTEXT|> <|endoftext",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "\uff26\uff35\uff2c\uff2c width \u017fhort long-s '\u017f K\u212aelvin",
    "a" * 300,
    "they step forward and back, " * 40,
    "\u0e2a\u0e2d\u0e07\u0e04\u0e19 \u0926\u094b \u0644\u0634\u062e\u0635\u0627\u0646",
]


@pytest.fixture(scope="module")
def tokenizer(vocabulary_folder: Path) -> ClipTokenizer:
    return ClipTokenizer.load(vocabulary_folder / "vocab.json", vocabulary_folder / "merges.txt")


@pytest.fixture(scope="module")
def encode_original(original_tokenizer: ModuleType):
    original = original_tokenizer.SimpleTokenizer()
    start, end = original.encoder["<|startoftext|>"], original.encoder["<|endoftext|>"]
    return lambda text: [start, *original.encode(text), end]


@pytest.mark.parametrize("caption", AWKWARD)
def test_ids_equal_the_original_on_awkward_captions(tokenizer, encode_original, caption):
    assert tokenizer.encode(caption) == encode_original(caption)


def test_ids_equal_the_original_on_any_text(tokenizer, encode_original):
    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=60))
    def check(caption: str) -> None:
        assert tokenizer.encode(caption) == encode_original(caption)

    check()


def test_size_and_special_ids(tokenizer):
    assert (tokenizer.start, tokenizer.end, tokenizer.vocabulary_size) == (49406, 49407, 49408)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"vocab\.json"):
        ClipTokenizer.load(tmp_path / "vocab.json", tmp_path / "merges.txt")


def test_a_foreign_file_is_refused(tmp_path, vocabulary_folder):
    foreign = tmp_path / "merges.txt"
    foreign.write_text("not pairs at all\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"merges\.txt"):
        ClipTokenizer.load(vocabulary_folder / "vocab.json", foreign)
