"""The transformer: parity with the released code, symmetry, padding, and its start."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from golden_files import golden, largest_error
from intermask.config import TextConfig, TransformerConfig
from intermask.models.text_head import TextHead
from intermask.models.transformer import (
    InterMTransformer,
    Modulation,
    attend,
    token_positions,
)
from released_models import CODES, ROWS, TINY, released_transformer


@dataclasses.dataclass
class Inputs:
    tokens: Tensor
    condition: Tensor
    valid: Tensor


def _random_inputs(columns: int = 9) -> Inputs:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, CODES + 1, (3, 2, ROWS, columns), generator=generator)
    lengths = torch.tensor([columns, columns - 2, 4])
    return Inputs(
        tokens=tokens,
        condition=torch.randn(3, TINY.condition_width, generator=generator),
        valid=torch.arange(columns) < lengths[:, None],
    )


def _by_columns() -> InterMTransformer:
    """One position for a column, its weights far from their quiet start."""
    torch.manual_seed(0)
    config = dataclasses.replace(
        TINY, row_codebooks=True, whole_columns=True, code_dim=8, reach=1, modulation_width=12
    )
    model = InterMTransformer(config).eval()
    for module in model.modules():
        if isinstance(module, Modulation):
            nn.init.normal_(module.linear.weight, std=0.2)
            nn.init.ones_(module.linear.bias)
    return model


both_forms = pytest.mark.parametrize("make", [released_transformer, _by_columns])
Make = Callable[[], InterMTransformer]


def _golden_inputs() -> Inputs:
    recorded = golden("transformer")
    tokens = rearrange(recorded["ids"], "b (p s n) -> b p s n", p=2, s=ROWS)
    valid = torch.arange(tokens.shape[-1]) < recorded["lengths"][:, None]
    return Inputs(tokens=tokens, condition=recorded["cond"], valid=valid)


@torch.inference_mode()
def test_logits_equal_the_released_ones() -> None:
    transformer, recorded, given = released_transformer(), golden("transformer"), _golden_inputs()
    conditioned = transformer(given.tokens, given.condition, given.valid)
    null = transformer(given.tokens, torch.zeros_like(given.condition), given.valid)
    for name, logits in {"logits": conditioned, "logits_uncond": null}.items():
        flat = rearrange(logits, "b p s n k -> b k (p s n)")
        assert largest_error(flat, recorded[name]) < 1e-4


@torch.inference_mode()
@both_forms
def test_exchanging_the_people_exchanges_the_logits(make: Make) -> None:
    transformer, given = make(), _random_inputs()
    logits = transformer(given.tokens, given.condition, given.valid)
    exchanged = transformer(given.tokens.flip(1), given.condition, given.valid).flip(1)
    shown = given.valid[:, None, None, :].expand(logits.shape[:-1])
    assert largest_error(exchanged[shown], logits[shown]) < 2e-5


@torch.inference_mode()
@both_forms
def test_a_sample_gets_the_same_logits_alone_and_in_a_padded_batch(make: Make) -> None:
    transformer, given = make(), _random_inputs()
    together = transformer(given.tokens, given.condition, given.valid)
    for index, length in enumerate(given.valid.sum(dim=1).tolist()):
        sample = slice(index, index + 1)
        alone = transformer(
            given.tokens[sample, ..., :length],
            given.condition[sample],
            given.valid[sample, :length],
        )
        assert largest_error(alone, together[sample, :, :, :length]) < 2e-5


@torch.inference_mode()
@both_forms
def test_what_stands_behind_the_end_does_not_matter(make: Make) -> None:
    transformer, given = make(), _random_inputs()
    logits = transformer(given.tokens, given.condition, given.valid)
    other = given.tokens.where(given.valid[:, None, None, :], torch.tensor(7))
    assert torch.equal(transformer(other, given.condition, given.valid), logits)


@torch.inference_mode()
@both_forms
@pytest.mark.parametrize("place", ["text", "own row", "own column", "other person"])
def test_everything_known_is_heard(place: str, make: Make) -> None:
    transformer, given = make(), _random_inputs()
    before = transformer(given.tokens, given.condition, given.valid)[0, 0, 2, 3]
    if place == "text":
        given.condition += 1
    else:
        at = {"own row": (0, 2, 8), "own column": (0, 4, 3), "other person": (1, 0, 0)}[place]
        given.tokens[(0, *at)] = (given.tokens[(0, *at)] + 1) % CODES
    after = transformer(given.tokens, given.condition, given.valid)[0, 0, 2, 3]
    assert largest_error(after, before) > 1e-3


def test_the_text_modulates_nothing_before_training() -> None:
    torch.manual_seed(0)
    transformer, given = InterMTransformer(TINY).eval(), _random_inputs()
    for module in transformer.modules():
        if isinstance(module, Modulation):
            assert not any(parameter.any() for parameter in module.parameters())
    logits = transformer(given.tokens, given.condition, given.valid)
    assert torch.equal(logits, transformer(given.tokens, -given.condition, given.valid))


def test_dropout_acts_only_while_training() -> None:
    transformer, given = released_transformer(), _random_inputs()
    arguments = (given.tokens, given.condition, given.valid)
    assert torch.equal(transformer(*arguments), transformer(*arguments))
    transformer.train()
    assert not torch.equal(transformer(*arguments), transformer(*arguments))


@both_forms
def test_every_weight_learns(make: Make) -> None:
    transformer, given = make().train(), _random_inputs()
    logits = transformer(given.tokens, given.condition, given.valid)
    nn.functional.cross_entropy(logits.flatten(0, 3), given.tokens.flatten() % CODES).backward()
    silent = [name for name, weight in transformer.named_parameters() if weight.grad is None]
    assert silent == []


def test_positions_do_not_depend_on_the_length() -> None:
    device = torch.device("cpu")
    long, short = (token_positions(ROWS, columns, 48, device) for columns in (75, 9))
    assert torch.equal(long[:, :9], short)
    assert len({tuple(place) for place in long.flatten(0, 1).tolist()}) == ROWS * 75


def test_the_paper_s_size() -> None:
    """54 M with the text head, as released. Built without memory for the weights."""
    with torch.device("meta"):
        parts = (InterMTransformer(TransformerConfig()), TextHead(TextConfig()))
    transformer, head = (sum(weight.numel() for weight in part.parameters()) for part in parts)
    assert (transformer, head) == (43_243_392, 11_029_504)


def test_started_from_codes_it_names_the_code_that_the_stream_holds() -> None:
    config = dataclasses.replace(TINY, code_dim=8, codebook_size=40)
    torch.manual_seed(0)
    model = InterMTransformer(config)
    codebook = torch.randn(40, 8)
    codebook[1] = codebook[0] + 0.01
    model.start_from_codes(codebook)
    stream = model.token_projection(model.token_embedding.weight[:40])
    logits = model.head.logits(functional.layer_norm(stream, stream.shape[-1:]))
    assert (logits[2:].argmax(1) == torch.arange(2, 40)).float().mean() > 0.7
    # Alike codes are alike to the model: nearer than any other.
    apart = torch.cdist(model.token_embedding.weight[:1], model.token_embedding.weight[1:40])
    assert apart.argmin() == 0
    with pytest.raises(ValueError, match="code_dim"):
        model.start_from_codes(torch.randn(40, 9))


def test_half_precision_attends_to_the_same_as_full_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, 11, 16, generator=generator) for _ in range(3))
    visible = torch.arange(11) < torch.tensor([11, 6])[:, None, None, None]
    for mask in (None, visible):
        exact = attend(query, key, value, mask)
        half = attend(query.bfloat16(), key.bfloat16(), value.bfloat16(), mask)
        assert (half - exact).abs().max() < 0.05
    changed = torch.where(visible[..., None][:, :, 0], value, 100.0)
    rounded = (query.bfloat16(), key.bfloat16())
    hidden = attend(*rounded, changed.bfloat16(), visible)
    assert torch.equal(hidden, attend(*rounded, value.bfloat16(), visible))


@torch.inference_mode()
def test_rows_with_equal_codebooks_are_one_codebook() -> None:
    torch.manual_seed(0)
    shared = InterMTransformer(TINY).eval()
    by_row = InterMTransformer(dataclasses.replace(TINY, row_codebooks=True)).eval()
    state = shared.state_dict()
    embedding, special = state["token_embedding.weight"].split([CODES, 3])
    state["token_embedding.weight"] = torch.cat([embedding] * ROWS + [special])
    for name in ("head.logits.weight", "head.logits.bias"):
        state[name] = torch.cat([state[name]] * ROWS)
    by_row.load_state_dict(state)
    given = _random_inputs()
    expected = shared(given.tokens, given.condition, given.valid)
    assert torch.allclose(by_row(given.tokens, given.condition, given.valid), expected, atol=1e-5)


@torch.inference_mode()
def test_the_codebook_of_one_row_is_nothing_to_the_others() -> None:
    torch.manual_seed(0)
    model = InterMTransformer(dataclasses.replace(TINY, row_codebooks=True)).eval()
    given = _random_inputs()
    before = model(given.tokens, given.condition, given.valid)
    model.head.logits.bias[2 * CODES : 3 * CODES] += 1.0
    change = model(given.tokens, given.condition, given.valid) - before
    assert torch.allclose(change[:, :, 2], torch.ones_like(change[:, :, 2]), atol=1e-5)
    others = [row for row in range(ROWS) if row != 2]
    assert change[:, :, others].abs().max() < 1e-5


def test_codes_of_rows_start_in_channels_of_their_own() -> None:
    config = dataclasses.replace(TINY, row_codebooks=True, code_dim=3 * ROWS)
    model = InterMTransformer(config)
    model.start_from_codes(torch.randn(ROWS, CODES, 3))
    embeddings = model.token_embedding.weight[: ROWS * CODES].view(ROWS, CODES, ROWS, 3)
    used = embeddings.abs().amax((1, 3)) > 0
    assert torch.equal(used, torch.eye(ROWS, dtype=torch.bool))


def test_whole_columns_start_from_codes_that_are_alike() -> None:
    model = _by_columns()
    codebook = torch.randn(ROWS, CODES, 3)
    codebook[2, 1] = codebook[2, 0] + 0.01
    model.start_from_codes(codebook)
    embeddings = model.token_embedding.weight[: ROWS * CODES].view(ROWS, CODES, -1)
    assert torch.cdist(embeddings[2, :1], embeddings[2, 1:]).argmin() == 0
    # What is hidden shows in channels that codes leave free.
    assert not embeddings[..., 3:].any()
    assert not model.token_embedding.weight[ROWS * CODES :, :3].any()
    # The logits of alike codes are alike, too, whatever the stream holds.
    logits = model.head.logits(torch.randn(20, TINY.width)).view(20, ROWS, CODES)
    own = (logits[:, 2, 0] - logits[:, 2, 1]).abs().max()
    assert own < 0.1 * (logits[:, 2, :1] - logits[:, 2, 2:]).abs().amax(1).min()
    with pytest.raises(ValueError, match="at most 8"):
        model.start_from_codes(torch.randn(ROWS, CODES, 9))


def test_whole_columns_need_a_codebook_for_each_row() -> None:
    with pytest.raises(ValueError, match="row_codebooks"):
        dataclasses.replace(TINY, whole_columns=True)
