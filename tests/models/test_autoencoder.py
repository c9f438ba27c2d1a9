"""The tokenizer against recorded numbers, and its laws."""

from __future__ import annotations

import pytest
import torch

from golden_files import Golden, golden, largest_error
from intermask.config import TokenizerConfig
from intermask.models import short_convolution, upsampling
from intermask.models.autoencoder import MotionAutoencoder
from intermask.official import tokenizer_key
from intermask.representation import from_joint_grid, to_joint_grid


def released_tokenizer(record: Golden, config: TokenizerConfig) -> MotionAutoencoder:
    model = MotionAutoencoder(config).eval()
    has_graph = config.graph_scope != "none"
    state = {tokenizer_key(k, has_graph=has_graph): v for k, v in record.weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert set(missing) == {
        "codebook.running_sum",
        "codebook.running_count",
        "codebook.initialised",
    }
    return model


CASES = {
    "vqvae_interhuman": TokenizerConfig(width=24, codebook_size=32, graph_scope="first_frame"),
    "vqvae_interx": TokenizerConfig.interx(width=24, codebook_size=32),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("short", [False, True])
def test_parity_with_the_released_tokenizer(
    name: str, short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both as narrow networks are computed and as wide ones are, which the files are not."""
    if short:
        monkeypatch.setattr(short_convolution, "pays", lambda *_: True)
        monkeypatch.setattr(upsampling, "pays", lambda *_: True)
    record = golden(name)
    model = released_tokenizer(record, CASES[name])
    interhuman = name == "vqvae_interhuman"
    grid = to_joint_grid(record["x"]) if interhuman else record["x"]
    back = from_joint_grid if interhuman else (lambda g: g)
    with torch.inference_mode():
        assert largest_error(grid.permute(0, 3, 2, 1), record["preprocessed"]) == 0
        assert largest_error(model.encode(grid), record["latent"]) < 1e-5
        tokens = model.tokenize(grid)
        assert torch.equal(tokens.flatten(1), record["ids"][..., 0])
        assert largest_error(back(model.decode(tokens)), record["recon_from_ids"]) < 1e-5
        drawn = record["random_ids"][..., 0].unflatten(1, (5, -1))
        assert largest_error(back(model.decode(drawn)), record["decoded_random"]) < 1e-5
        for sample in range(2):
            output = model(grid[sample : sample + 1])
            expected = record["recon"][sample : sample + 1]
            assert largest_error(back(output.reconstruction), expected) < 1e-5
            assert abs(float(output.commitment - record["commit"][sample])) < 1e-5
            assert abs(float(output.perplexity - record["perplexity"][sample])) < 1e-4


def tiny(**changes: object) -> MotionAutoencoder:
    torch.manual_seed(0)
    model = MotionAutoencoder(TokenizerConfig(width=16, codebook_size=8, **changes))
    model.codebook.start(torch.randn(8, 16))
    return model.eval()


@pytest.mark.parametrize("scope", ["all_frames", "first_frame"])
def test_a_sample_does_not_depend_on_its_batch(scope: str) -> None:
    model = tiny(graph_scope=scope)
    grid = torch.randn(3, 16, 22, 12)
    alone = torch.cat([model.encode(sample[None]) for sample in grid])
    assert torch.allclose(model.encode(grid), alone, atol=1e-6)


def test_messages_pass_on_every_frame_unless_told_otherwise() -> None:
    """The released quirk: a pelvis moved at frame 5 reaches its neighbours only in our graph."""
    grid = torch.randn(1, 16, 22, 12)
    moved = grid.clone()
    moved[0, 5, 0] += 1.0
    for scope, reaches in (("all_frames", True), ("first_frame", False)):
        graph = tiny(graph_scope=scope).encoder.enter
        as_input = [x.permute(0, 3, 2, 1) for x in (grid, moved)]
        change = (graph(as_input[0]) - graph(as_input[1])).abs().sum(1)[0, :, 5]
        assert change[0] > 0
        assert bool((change[[1, 2, 3]] > 0).all()) == reaches


def test_token_map_shape_follows_from_the_configuration() -> None:
    for config in (TokenizerConfig(width=16), TokenizerConfig.interx(width=16)):
        model = MotionAutoencoder(config).eval()
        grid = torch.randn(1, 24, config.joints, config.joint_features)
        tokens = model.tokenize(grid)
        assert tokens.shape == (1, model.rows, 24 // model.stride)
        assert model.decode(tokens).shape == grid.shape


def test_a_wrong_grid_is_refused_with_its_shape() -> None:
    with pytest.raises(ValueError, match=r"\(1, 15, 22, 12\).*multiple of 4"):
        tiny().encode(torch.zeros(1, 15, 22, 12))
