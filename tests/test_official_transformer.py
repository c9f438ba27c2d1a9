"""Names of the released transformer in terms of our modules."""

from __future__ import annotations

import pytest

from golden_files import golden
from intermask.errors import UserError
from intermask.official import transformer_key
from released_models import released_text_head, released_transformer


def test_every_released_weight_has_one_place_and_every_place_one_weight() -> None:
    names = [transformer_key(name) for name in golden("transformer").weights]
    ours = [name for name in names if name is not None]
    expected = [f"transformer.{name}" for name in released_transformer().state_dict()]
    expected += [f"text_head.{name}" for name in released_text_head().state_dict()]
    assert sorted(ours) == sorted(expected)
    assert len(names) == len(ours) + 1


def test_an_unknown_name_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match=r"blocks\.0\.novelty"):
        transformer_key("Transformer.blocks.0.novelty.weight")
