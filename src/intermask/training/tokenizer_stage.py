"""Stage 1: windows of one person to tokens and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from intermask.config import TokenizerTraining
from intermask.data.batching import (
    SourceClips,
    WindowSampler,
    step_generator,
    torch_generator,
)
from intermask.kinematics import joint_errors
from intermask.models.autoencoder import MotionAutoencoder
from intermask.models.quantizer import RowCodebooks
from intermask.representation import Normaliser
from intermask.training.losses import bone_lengths, standing_feet, total
from intermask.training.representations import (
    Representation,
    check_same_dataset,
    representation_of,
    training_representation,
)
from intermask.training.shares import Share, fractions
from intermask.training.token_losses import soft_targets

STATISTICS_WINDOWS = 4096
"""Training windows from which a tokenizer with a root frame starts."""
VALIDATION_CLIPS = 24
"""Clips of each source that a validation reconstructs, evenly spread over the split."""


ERRORS = ("mpjpe_mm", "local_mpjpe_mm", "bone_drift_mm")
"""What validation measures of reconstructions; see `reconstruction_error`."""


@dataclass(frozen=True)
class WindowPart:
    """Part of a step's windows, and how many entries its means run over."""

    step: int
    features: Tensor
    """(b, t, f) normalised."""
    noise: Sequence[torch.Generator]
    """One for each window, so that its codes do not depend on how the batch is shared."""
    entries: Mapping[str, Tensor]


def mistaken(tokens: Tensor, nearness: Tensor, noise: Sequence[torch.Generator]) -> Tensor:
    """Tokens (b, s, n) with other codes in their places, in every second sample by chance.

    A decoder that met both knows from how codes fit each other whether they can be trusted: of
    right ones it keeps the detail, of wrong ones the motion that they most likely mean.

    Args:
        tokens: codes of each row.
        nearness: (s, k, k) cumulated probabilities of the codes that a code is mistaken for.
        noise: a generator for each sample.
    """
    shape = tokens.shape[1:]
    first = [torch.rand((), generator=each, device=each.device) for each in noise]
    drawn = [torch.rand(shape, generator=each, device=each.device) for each in noise]
    right = torch.stack(first)[:, None, None] < 0.5
    rows = torch.arange(shape[0], device=tokens.device)[:, None]
    cumulated = nearness[rows, tokens].contiguous()
    places = torch.stack(drawn)[..., None] * cumulated[..., -1:]
    wrong = torch.searchsorted(cumulated, places, right=True).squeeze(-1)
    return torch.where(right, tokens, wrong)


class TokenizerStage:
    """Losses and validation of the tokenizer.

    Args:
        training: the run's configuration.
        train: clips to learn from.
        validation: held-out clips.
        normaliser: statistics of the training features.
        fresh: the network starts as it is made here; else its weights are loaded from elsewhere.
    """

    best_metric = "mpjpe_mm"

    def __init__(
        self,
        training: TokenizerTraining,
        train: Sequence[SourceClips],
        validation: Sequence[SourceClips],
        normaliser: Normaliser,
        device: torch.device,
        *,
        fresh: bool = True,
    ) -> None:
        self.training, self.device = training, device
        self.normaliser = normaliser.to(device)
        self.representation = training_representation(training, [*train, *validation])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.run.seed)
            self.model = MotionAutoencoder(training.model).to(device)
        self.sampler = WindowSampler(
            train,
            training.window,
            training.window_stride,
            training.max_frames,
            self.representation.windows,
            training.mirror,
            training.run.seed,
        )
        if fresh and training.model.position_frame == "root":
            rng = step_generator(training.run.seed, 0, "statistics")
            windows = self.sampler.draw(0, STATISTICS_WINDOWS).to(device)
            grids = self.representation.to_grid(self.normaliser.normalise(windows))
            self.model.fit_start(grids, torch_generator(rng))
        self.validation = [_spread(each, VALIDATION_CLIPS) for each in validation]
        self.best_metric = training.run.best_metric or self.best_metric
        self._coded: list[tuple[Tensor, Tensor]] = []
        self._near: Tensor | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all numbers of `validate`: over all sources, and for each of them."""
        return (*ERRORS, *(f"{each.name}/{key}" for each in self.validation for key in ERRORS))

    def networks(self) -> tuple[nn.Module, ...]:
        """What is worth compiling."""
        return self.model.encoder, self.model.decoder

    def draw(self, step: int, share: Share) -> WindowPart:
        """The windows of a step that belong to a share."""
        size = self.training.optimiser.batch_size
        part = share.of(size)
        features = self.sampler.draw(step, size, part).to(self.device)
        seeds = step_generator(self.training.run.seed, step, "codes").integers(2**62, size=size)
        noise = [torch.Generator(self.device).manual_seed(int(seed)) for seed in seeds[part]]
        entries = {
            "windows": torch.tensor(len(features), device=self.device),
            "standing": standing_feet(self.representation.positions(features)).sum(),
        }
        return WindowPart(step, self.normaliser.normalise(features), noise, entries)

    def prepare(self, parts: Sequence[WindowPart], gather: Callable[[Tensor], Tensor]) -> None:
        """Start the codes from the first batch that is quantised."""
        self._coded.clear()
        step, codebook = parts[0].step, self.model.codebook
        if isinstance(codebook, RowCodebooks) or self.training.freeze_codes:
            return
        if step < self.training.quantise_from:
            return
        if not codebook.initialised:
            with torch.no_grad():
                rows = [
                    self.model.latent_rows(self.representation.to_grid(each.features))
                    for each in parts
                ]
            codebook.start(gather(torch.cat(rows)), self._filling(step))

    def finish(self, step: int, gather: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Move the codes by the whole batch, and say how many are in use."""
        codebook = self.model.codebook
        if not self._coded or isinstance(codebook, RowCodebooks):
            return {}
        latents, indices = (torch.cat(each) for each in zip(*self._coded, strict=True))
        self._coded.clear()
        return {
            "perplexity": codebook.update(gather(latents), gather(indices), self._filling(step))
        }

    def _nearness(self) -> Tensor:
        """How codes are mistaken for each other, cumulated (s, k, k); codes stay as they are."""
        if self._near is None:
            near = soft_targets(self.model.codebook.codebook.float(), self.training.code_noise)
            self._near = near.cumsum(-1)
        return self._near

    def _filling(self, step: int) -> torch.Generator:
        return torch_generator(step_generator(self.training.run.seed, step, "filling"))

    def losses(self, part: WindowPart, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a part contributes to the batch's terms, unweighted, and to their weighted sum."""
        features, step = part.features, part.step
        grid = self.representation.to_grid(features)
        commitment: dict[str, Tensor] = {}
        if step < self.training.quantise_from:
            reconstruction = self.model.reconstruct_unquantised(grid)
        elif self.training.freeze_codes:
            with torch.no_grad():
                tokens = self.model.tokenize(grid)
                if self.training.code_noise:
                    tokens = mistaken(tokens, self._nearness(), part.noise)
            reconstruction = self.model.decode(tokens)
        else:
            output = self.model(grid, part.noise)
            reconstruction = output.reconstruction
            commitment = {"commitment": output.commitment}
            self._coded.append((output.latents, output.indices))
        with torch.autocast(self.device.type, enabled=False):
            terms = self.representation.terms(
                self.representation.from_grid(reconstruction.float()),
                features,
                self.normaliser,
                self.training.losses,
            )
            worth = fractions(part.entries, whole)
            terms = {
                name: term * worth["standing" if name == "foot" else "windows"]
                for name, term in (terms | commitment).items()
            }
            loss = total(terms, self.training.losses)
        return {"loss": loss, **terms}

    @torch.inference_mode()
    def validate(self, model: MotionAutoencoder) -> dict[str, float]:
        """Reconstruction error of held-out clips in millimetres, over all and by source."""
        model.eval()
        errors = {
            each.name: reconstruction_error(
                model, self.normaliser, each, self.representation, self.training.max_frames
            )
            for each in self.validation
        }
        over_all = {
            key: sum(error[key] for error in errors.values()) / len(errors) for key in ERRORS
        }
        by_source = {
            f"{name}/{key}": value for name, error in errors.items() for key, value in error.items()
        }
        return over_all | by_source


def reconstruction_error(
    model: MotionAutoencoder,
    normaliser: Normaliser,
    clips: SourceClips,
    representation: Representation,
    max_frames: int,
) -> dict[str, float]:
    """Errors of whole clips in millimetres, as means over joints or bones, frames and people.

    ``mpjpe_mm`` is that of joints in the world, ``local_mpjpe_mm`` relative to the pelvis, and
    ``bone_drift_mm`` how much longer or shorter bones are than they were.
    """
    sums = dict.fromkeys(ERRORS, 0.0)
    frames = 0
    stride = model.stride
    device = normaliser.mean.device
    for clip in clips.clips:
        features = representation.encode(clip.loaded[:, : max_frames + 1])
        features = features[:, : features.shape[1] // stride * stride].to(device)
        grid = representation.to_grid(normaliser.normalise(features))
        grid = model.decode(model.tokenize(grid))
        decoded = normaliser.denormalise(representation.from_grid(grid))
        true, made = representation.positions(features), representation.positions(decoded)
        lengths = (bone_lengths(each, representation.bones) for each in (made, true))
        errors = (
            *joint_errors(made, true),
            next(lengths).sub(next(lengths)).abs(),
        )
        for key, error in zip(ERRORS, errors, strict=True):
            sums[key] += 1000 * float(error.mean(-1).sum())
        frames += true.shape[0] * true.shape[1]
    return {key: value / frames for key, value in sums.items()}


def training_statistics(sources: Sequence[SourceClips], training: TokenizerTraining) -> Normaliser:
    """Normaliser of all training clips and, if mirrored in training, of their mirror images."""
    check_same_dataset(training.model, sources)
    representation = representation_of(training.model, training.floor)
    mirrors = (False, True) if training.mirror else (False,)
    return representation.fit_normaliser(
        representation.encode(clip.loaded[:, : training.max_frames + 1], mirror=mirror)
        for each in sources
        for clip in each.clips
        for mirror in mirrors
    )


def _spread(clips: SourceClips, most: int) -> SourceClips:
    step = max(1, -(-len(clips.clips) // most))
    return replace(clips, clips=clips.clips[::step])
