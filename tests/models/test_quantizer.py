"""The codebook against recorded numbers, and its laws."""

from __future__ import annotations

import pytest
import torch

from golden_files import golden, largest_error
from intermask.models.quantizer import EMACodebook, RowCodebooks


def test_parity_of_evaluation() -> None:
    record = golden("quantize_eval")
    book = EMACodebook(16, 8).eval()
    book.codebook.copy_(record["codebook"])
    latents = record["x"].permute(0, 2, 1)
    result = book(latents.flatten(0, 1))
    assert torch.equal(result.indices.view(2, 10), record["idx"])
    vectors = result.vectors.view(2, 10, 8).permute(0, 2, 1)
    assert largest_error(vectors, record["quantized"]) < 1e-5
    assert abs(float(result.commitment - record["commit"])) < 1e-5
    assert abs(float(result.perplexity - record["perplexity"])) < 1e-5


@pytest.mark.parametrize("name", ["ema_codebook", "ema_codebook_start"])
def test_parity_of_the_moving_averages(name: str) -> None:
    record = golden(name)
    book = EMACodebook(16, 8, decay=record.meta["mu"]).train()
    if name == "ema_codebook_start":
        book.start(record["first_batch"])
        assert torch.equal(book.codebook, record["codebook0"])
    else:
        book.codebook.copy_(record["codebook0"])
        book.running_sum.copy_(record["code_sum0"])
        book.running_count.copy_(record["code_count0"])
    step = 0
    while f"x{step}" in record.arrays:
        perplexity = book.update(record[f"x{step}"], record[f"idx{step}"])
        assert largest_error(book.codebook, record[f"codebook_after{step}"]) < 1e-5
        assert largest_error(book.running_sum, record[f"code_sum_after{step}"]) < 1e-5
        assert largest_error(book.running_count, record[f"code_count_after{step}"]) < 1e-5
        assert abs(float(perplexity - record[f"perplexity{step}"])) < 1e-5
        step += 1
    assert step >= 3


def test_gradients_pass_straight_through() -> None:
    book = EMACodebook(16, 8).eval()
    book.codebook.copy_(torch.randn(16, 8))
    latents = torch.randn(5, 8, requires_grad=True)
    weights = torch.randn(5, 8)
    (book(latents).vectors * weights).sum().backward()
    assert latents.grad is not None and torch.equal(latents.grad, weights)


def test_commitment_pulls_latents_towards_their_codes() -> None:
    book = EMACodebook(16, 8).eval()
    book.codebook.copy_(torch.randn(16, 8))
    latents = torch.randn(5, 8, requires_grad=True)
    result = book(latents)
    result.commitment.backward()
    towards = (book.lookup(result.indices) - latents).detach()
    assert latents.grad is not None
    assert bool(((latents.grad * towards).sum(1) < 0).all())


def test_training_assigns_near_codes_more_often_and_reproducibly() -> None:
    book = EMACodebook(2, 1, temperature=0.5)
    book.codebook.copy_(torch.tensor([[0.0], [1.0]]))
    latents = torch.full((4000, 1), 0.2)
    drawn = book.assign_noisily(latents, torch.Generator().manual_seed(0))
    again = book.assign_noisily(latents, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)
    # scores are -0.04 and -0.64 over temperature 0.5: the far code has probability 1/(1+e^1.2)
    expected = float(torch.sigmoid(torch.tensor(-1.2)))
    assert abs(drawn.float().mean().item() - expected) < 0.03


def test_all_state_survives_a_checkpoint() -> None:
    torch.manual_seed(0)
    book = EMACodebook(16, 8).train()
    book.start(torch.randn(64, 8))
    copy = EMACodebook(16, 8).train()
    copy.load_state_dict(book.state_dict())
    latents = torch.randn(64, 8)
    for each in (book, copy):
        result = each(latents, torch.Generator().manual_seed(2))
        each.update(latents, result.indices)
    assert torch.equal(book.codebook, copy.codebook)


def test_noise_of_a_part_does_not_depend_on_the_other_parts() -> None:
    torch.manual_seed(0)
    book = EMACodebook(16, 8)
    book.start(torch.randn(64, 8))
    latents = torch.randn(12, 8)

    def noise() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in range(4)]

    whole = book.assign_noisily(latents, noise())
    halves = [
        book.assign_noisily(latents[:6], noise()[:2]), book.assign_noisily(latents[6:], noise()[2:])
    ]  # fmt: skip
    assert torch.equal(whole, torch.cat(halves))
    assert not torch.equal(whole, book.assign(latents))


def test_codes_that_never_started_are_not_trained() -> None:
    with pytest.raises(ValueError, match="must be started"):
        EMACodebook(16, 8).train()(torch.randn(5, 8))


def test_a_first_batch_smaller_than_the_codebook_fills_it() -> None:
    book = EMACodebook(16, 8).train()
    latents = torch.randn(5, 8)
    book.start(latents, torch.Generator().manual_seed(0))
    assert torch.equal(book.codebook[:5], latents)
    assert len(torch.unique(book.codebook, dim=0)) == 16


def _row_codebooks() -> RowCodebooks:
    books = RowCodebooks(3, 16, 8)
    latents = torch.randn(400 * 3, 8, generator=torch.Generator().manual_seed(0))
    books.start_from_clusters(latents, torch.Generator().manual_seed(1))
    return books


def test_a_row_is_coded_by_its_own_codebook() -> None:
    books = _row_codebooks()
    latents = torch.randn(2 * 5 * 3, 8, generator=torch.Generator().manual_seed(2))
    indices = books.assign(latents)
    for place, (latent, index) in enumerate(zip(latents, indices, strict=True)):
        away = (books.codebook[place % 3] - latent).norm(dim=-1)
        assert away.argmin() == index
    tokens = indices.view(2, 5, 3).transpose(1, 2)
    codes = books.lookup(tokens).transpose(1, 2).reshape(-1, 8)
    assert torch.equal(books.assign(codes), indices), "a code is nearest to itself"
    quantised = books(latents)
    assert torch.equal(quantised.indices, indices)
    assert torch.allclose(quantised.vectors, codes)


def test_rows_with_equal_codebooks_are_one_codebook() -> None:
    books, shared = _row_codebooks(), EMACodebook(16, 8)
    books.codebook.copy_(books.codebook[:1].expand(3, 16, 8))
    shared.codebook.copy_(books.codebook[0])
    latents = torch.randn(30, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(books.assign(latents), shared.assign(latents))
