"""Names of the released weights in terms of our modules, both ways."""

from __future__ import annotations

import pytest

from golden_files import golden
from intermask.config import TokenizerConfig
from intermask.errors import UserError
from intermask.models.autoencoder import MotionAutoencoder
from intermask.official import tokenizer_key, transformer_key
from intermask.official.names import tokenizer_renaming, transformer_renaming
from released_models import released_text_head, released_transformer

UNRELEASED = {"codebook.running_sum", "codebook.running_count", "codebook.initialised"}


def test_every_weight_of_the_transformer_has_one_place_and_every_place_one_weight() -> None:
    names = [transformer_key(name) for name in golden("transformer").weights]
    ours = [name for name in names if name is not None]
    expected = [f"transformer.{name}" for name in released_transformer().state_dict()]
    expected += [f"text_head.{name}" for name in released_text_head().state_dict()]
    assert sorted(ours) == sorted(expected)
    assert len(names) == len(ours) + 1


@pytest.mark.parametrize("name", ["vqvae_interhuman", "vqvae_interx"])
def test_every_weight_of_the_tokenizer_has_one_place_and_every_place_one_weight(name: str) -> None:
    has_graph = name == "vqvae_interhuman"
    config = TokenizerConfig if has_graph else TokenizerConfig.interx
    model = MotionAutoencoder(config(width=8, codebook_size=8))
    ours = [tokenizer_key(each, has_graph=has_graph) for each in golden(name).weights]
    assert sorted(ours) == sorted(set(model.state_dict()) - UNRELEASED)


@pytest.mark.parametrize("name", ["transformer", "vqvae_interhuman", "vqvae_interx"])
def test_names_go_back_to_where_they_came_from(name: str) -> None:
    table = (
        transformer_renaming()
        if name == "transformer"
        else tokenizer_renaming(name == "vqvae_interhuman")
    )
    for official in golden(name).weights:
        ours = table.ours(official)
        assert ours is None or table.official(ours) == official


def test_what_the_release_lacks_has_no_released_name() -> None:
    assert tokenizer_renaming(True).official("codebook.running_sum") is None


def test_an_unknown_name_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match=r"blocks\.0\.novelty"):
        transformer_key("Transformer.blocks.0.novelty.weight")
    with pytest.raises(UserError, match=r"encoder\.gcn_layer1"):
        tokenizer_key("encoder.gcn_layer1.lin.weight", has_graph=False)
    with pytest.raises(UserError, match=r"encoder\.model\.9\.weight"):
        tokenizer_key("encoder.model.9.weight", has_graph=True)
