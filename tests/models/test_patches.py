"""The tokenizer body that starts as principal components."""

from __future__ import annotations

import pytest
import torch
from einops import rearrange

from intermask.config import TokenizerConfig
from intermask.models.autoencoder import MotionAutoencoder
from intermask.models.patches import smoothed
from intermask.models.root_frame import join_root, split_root


def model(**changes: object) -> MotionAutoencoder:
    torch.manual_seed(0)
    sizes = {"width": 24, "decoder_width": 16, "codebook_size": 64} | changes
    config = TokenizerConfig(architecture="patch", position_frame="root", **sizes)
    return MotionAutoencoder(config).eval()


def swaying(windows: int) -> torch.Tensor:
    """Normalised grids (b, 16, 22, 12) of one pose that slides and sways in few dimensions."""
    generator = torch.Generator().manual_seed(0)
    pose = torch.randn(22, 12, generator=generator)
    directions = torch.randn(4, 22, 12, generator=generator) * 0.1
    amount = torch.randn(windows, 1, 4, generator=generator).expand(windows, 16, 4)
    return pose + torch.einsum("btk,kjd->btjd", amount, directions)


def test_it_reconstructs_before_training() -> None:
    tokenizer, grids = model(), swaying(400)
    before = (tokenizer.decode(tokenizer.tokenize(grids)) - grids)[..., :3].norm(dim=-1).mean()
    tokenizer.fit_start(grids, torch.Generator().manual_seed(0))
    unquantised = tokenizer.reconstruct_unquantised(grids)
    spread = (grids - grids.mean(0))[..., :3].norm(dim=-1).mean()
    assert (unquantised - grids)[..., :3].norm(dim=-1).mean() < 0.1 * spread
    after = (tokenizer.decode(tokenizer.tokenize(grids)) - grids)[..., :3].norm(dim=-1).mean()
    assert after < 0.6 * spread < before


def test_the_token_map_has_the_papers_shape() -> None:
    tokenizer = model()
    tokens = tokenizer.tokenize(torch.randn(2, 24, 22, 12))
    assert tokens.shape == (2, 5, 6) == (2, tokenizer.rows, 24 // tokenizer.stride)
    assert tokenizer.decode(tokens).shape == (2, 24, 22, 12)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    tokenizer, grids = model(), torch.randn(3, 16, 22, 12)
    alone = torch.cat([tokenizer.encode(grid[None]) for grid in grids])
    assert torch.allclose(tokenizer.encode(grids), alone, atol=1e-5)


def test_starting_needs_as_many_latents_as_codes() -> None:
    with pytest.raises(ValueError, match="cannot start 64 codes"):
        model().fit_start(swaying(2), torch.Generator().manual_seed(0))


def test_the_decoder_starts_as_the_components_alone_and_can_learn_from_neighbours() -> None:
    tokenizer = model()
    codes = torch.randn(1, 24, 5, 6, requires_grad=True)
    alone = tokenizer.decoder.components(rearrange(codes, "b c s n -> b n (s c)"))
    decoded = rearrange(tokenizer.decoder(codes), "b d j (n f) -> b n (f j d)", n=6)
    assert torch.equal(decoded, alone)
    torch.nn.init.normal_(tokenizer.decoder.correct.weight)
    torch.nn.init.normal_(tokenizer.decoder.blocks[0].mix.weight)
    tokenizer.decoder(codes)[..., :4].sum().backward()  # the first column's frames
    reached = codes.grad.abs().sum((0, 1, 2)) > 0
    assert reached.tolist() == [True, True, False, False, False, False]


def test_patches_need_the_root_frame() -> None:
    with pytest.raises(ValueError, match="position_frame"):
        TokenizerConfig(architecture="patch")


def test_split_windows_of_the_test_are_proper() -> None:
    grids = swaying(3)
    assert torch.allclose(join_root(split_root(grids)), grids, atol=1e-4)


def test_codebooks_of_their_own_code_rows_more_finely() -> None:
    grids = swaying(400) + 0.05 * torch.randn(
        400, 16, 22, 12, generator=torch.Generator().manual_seed(1)
    )
    errors = []
    for changes in ({}, {"row_codebooks": True, "width": 5}):
        tokenizer = model(**changes)
        tokenizer.fit_start(grids, torch.Generator().manual_seed(0))
        tokens = tokenizer.tokenize(grids)
        assert tokens.max() < 64
        errors.append((tokenizer.decode(tokens) - grids)[..., :3].norm(dim=-1).mean())
    assert errors[1] < errors[0]


def test_longer_columns_with_more_rows() -> None:
    tokenizer, grids = model(patch_frames=8, patch_rows=10), swaying(400)
    tokenizer.fit_start(grids, torch.Generator().manual_seed(0))
    assert (tokenizer.stride, tokenizer.rows) == (8, 10)
    tokens = tokenizer.tokenize(grids)
    assert tokens.shape == (400, 10, 2)
    assert tokenizer.decode(tokens).shape == grids.shape


def _by_body() -> MotionAutoencoder:
    return model(width=4, patch_rows=10, row_codebooks=True, patch_layout="body")


def test_rows_are_parts_of_the_body() -> None:
    """What one arm does is told by its own rows alone."""
    tokenizer, grids = _by_body(), swaying(600)
    tokenizer.fit_start(grids, torch.Generator().manual_seed(0))
    for arm, rows in (((14, 17, 19, 21), {8, 9}), ((13, 16, 18, 20), {6, 7})):
        changed = grids[:50].clone()
        changed[:, :, list(arm)] += 0.5
        differs = tokenizer.latent_rows(changed) - tokenizer.latent_rows(grids[:50])
        by_row = differs.view(-1, 10, 4).abs().amax((0, 2))
        assert {row for row in range(10) if by_row[row] > 1e-3} == rows


def test_parts_of_the_body_reconstruct_before_training() -> None:
    tokenizer, grids = _by_body(), swaying(600)
    tokenizer.fit_start(grids, torch.Generator().manual_seed(0))
    spread = (grids - grids.mean(0))[..., :3].norm(dim=-1).mean()
    missed = (tokenizer.reconstruct_unquantised(grids) - grids)[..., :3].norm(dim=-1).mean()
    assert missed < 0.1 * spread


def test_parts_of_the_body_have_ten_rows() -> None:
    with pytest.raises(ValueError, match="patch_rows 10"):
        model(patch_layout="body", row_codebooks=True)


def test_smoothing_keeps_straight_motion_and_halves_seams() -> None:
    straight = torch.arange(12.0).expand(1, 1, 12)
    assert torch.allclose(smoothed(straight, 3)[..., 3:-3], straight[..., 3:-3])
    seam = (torch.arange(12) >= 6).float()[None, None]
    steps = [smoothed(seam, times).diff().amax() for times in (0, 1, 3)]
    assert steps == [1.0, 0.5, pytest.approx(0.3125)]


def test_a_smooth_decoder_has_the_same_weights_and_less_jerk() -> None:
    rough, smooth = model(), model(patch_smoothing=3)
    rough.codebook.codebook.normal_()
    smooth.load_state_dict(rough.state_dict())
    tokens = torch.randint(0, 64, (2, 5, 6), generator=torch.Generator().manual_seed(0))
    jerks = [each.decode(tokens).diff(3, dim=1).square().mean() for each in (rough, smooth)]
    assert jerks[1] < 0.2 * jerks[0]
