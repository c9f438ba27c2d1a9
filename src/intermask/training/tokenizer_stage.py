"""Stage 1: windows of one person to tokens and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from intermask.config import TokenizerTraining
from intermask.data.batching import (
    SourceClips,
    WindowSampler,
    canonical_people,
    step_generator,
    torch_generator,
)
from intermask.models.autoencoder import MotionAutoencoder
from intermask.representation import (
    Normaliser,
    decode_positions,
    fit_normaliser,
    from_joint_grid,
    to_joint_grid,
)
from intermask.training.losses import interhuman_terms, total

STATISTICS_WINDOWS = 768
"""Training windows from which a tokenizer with a root frame starts."""
VALIDATION_CLIPS = 24
"""Clips of each source that a validation reconstructs, evenly spread over the split."""


class TokenizerStage:
    """Losses and validation of the tokenizer on InterHuman features.

    Args:
        training: the run's configuration.
        train: clips to learn from.
        validation: held-out clips.
        normaliser: statistics of the training features.
    """

    best_metric = "mpjpe_mm"

    def __init__(
        self,
        training: TokenizerTraining,
        train: Sequence[SourceClips],
        validation: Sequence[SourceClips],
        normaliser: Normaliser,
        device: torch.device,
    ) -> None:
        self.training, self.device = training, device
        self.normaliser = normaliser.to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.run.seed)
            self.model = MotionAutoencoder(training.model).to(device)
        self.sampler = WindowSampler(
            train,
            training.window,
            training.window_stride,
            training.max_frames,
            training.floor,
            training.mirror,
        )
        self.index = self.sampler.index()
        if training.model.position_frame == "root":
            rng = step_generator(training.run.seed, 0, "statistics")
            windows = self.sampler.draw(self.index, rng, STATISTICS_WINDOWS).to(device)
            grids = to_joint_grid(self.normaliser.normalise(windows))
            self.model.fit_start(grids, torch_generator(rng))
        self.validation = [_spread(each, VALIDATION_CLIPS) for each in validation]

    def losses(self, step: int) -> dict[str, Tensor]:
        """Terms of the batch of a step, unweighted, their weighted sum, and code use."""
        rng = step_generator(self.training.run.seed, step, "windows")
        features = self.sampler.draw(self.index, rng, self.training.optimiser.batch_size)
        features = self.normaliser.normalise(features.to(self.device))
        grid = to_joint_grid(features)
        use: dict[str, Tensor] = {}
        commitment: dict[str, Tensor] = {}
        if step < self.training.quantise_from:
            reconstruction = self.model.reconstruct_unquantised(grid)
        else:
            noise = torch_generator(step_generator(self.training.run.seed, step, "codes"))
            output = self.model(grid, noise)
            reconstruction = output.reconstruction
            commitment = {"commitment": output.commitment}
            use = {"perplexity": output.perplexity}
        with torch.autocast(self.device.type, enabled=False):
            terms = interhuman_terms(
                from_joint_grid(reconstruction.float()),
                features,
                self.normaliser,
                self.training.losses,
            )
            terms |= commitment
            loss = total(terms, self.training.losses)
        return {"loss": loss, **terms, **use}

    @torch.inference_mode()
    def validate(self, model: MotionAutoencoder) -> dict[str, float]:
        """Reconstruction error of held-out clips in millimetres, by source and over all."""
        model.eval()
        metrics: dict[str, float] = {}
        for each in self.validation:
            error = reconstruction_error(model, self.normaliser, each, self.training)
            metrics |= {f"{each.name}/{key}": value for key, value in error.items()}
        for key in ("mpjpe_mm", "local_mpjpe_mm"):
            values = [value for name, value in metrics.items() if name.endswith(f"/{key}")]
            metrics[key] = sum(values) / len(values)
        return metrics


def reconstruction_error(
    model: MotionAutoencoder,
    normaliser: Normaliser,
    clips: SourceClips,
    training: TokenizerTraining,
) -> dict[str, float]:
    """Mean joint error of whole clips, in the world and relative to the pelvis, in millimetres."""
    world, local, frames = 0.0, 0.0, 0
    stride = model.stride
    device = normaliser.mean.device
    for clip in clips.clips:
        loaded = clip.loaded[:, : training.max_frames + 1]
        features = canonical_people(loaded, training.floor)
        features = features[:, : features.shape[1] // stride * stride].to(device)
        grid = to_joint_grid(normaliser.normalise(features))
        decoded = normaliser.denormalise(from_joint_grid(model.decode(model.tokenize(grid))))
        true, made = decode_positions(features), decode_positions(decoded)
        error = (made - true).norm(dim=-1)
        relative = ((made - made[..., :1, :]) - (true - true[..., :1, :])).norm(dim=-1)
        world += float(error.mean(-1).sum())
        local += float(relative.mean(-1).sum())
        frames += error.shape[0] * error.shape[1]
    return {"mpjpe_mm": 1000 * world / frames, "local_mpjpe_mm": 1000 * local / frames}


def training_statistics(
    sources: Sequence[SourceClips], training: TokenizerTraining
) -> Normaliser:
    """Normaliser of all training clips and, if mirrored in training, of their mirror images."""
    mirrors = (False, True) if training.mirror else (False,)
    features = [
        canonical_people(clip.loaded[:, : training.max_frames + 1], training.floor, mirror=mirror)
        for each in sources
        for clip in each.clips
        for mirror in mirrors
    ]
    return fit_normaliser([people.flatten(0, 1) for people in features])


def _spread(clips: SourceClips, most: int) -> SourceClips:
    step = max(1, -(-len(clips.clips) // most))
    return SourceClips(clips.source, clips.people, clips.clips[::step], clips.skipped)
