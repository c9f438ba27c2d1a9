"""Sentences to motions of two people: generate, react, complete, edit, extend, vary.

All of them do one thing: lay out token maps with MASK where something is unknown, let the sampler
fill them, and decode. A reaction knows all tokens of one person, a completion or an edit (see
`editing`) knows columns.

Shapes: `b` batch, `p` person (2), `s` token row, `n` token column, `t` frame, `w` text width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from intermask.bundle import Model
from intermask.config import SamplingConfig
from intermask.conventions import MIN_FRAMES
from intermask.errors import UserError
from intermask.generation.coding import CODED_TOGETHER, FeatureCoder
from intermask.generation.consolidate import ConsolidationOptions
from intermask.generation.drafts import Critic, compared, draft_seeds, flaws
from intermask.generation.durations import DurationEstimate, DurationEstimator
from intermask.generation.editing import MotionEditing
from intermask.generation.requests import (
    DEFAULT_OPTIONS,
    GenerationOptions,
    KnownTokens,
    Request,
    checked_prompts,
    checked_requests,
    checked_seed,
)
from intermask.generation.sampler import MaskedSampler, guided
from intermask.generation.scenes import InterHumanScenes, Scenes
from intermask.generation.smplx_scenes import InterXScenes
from intermask.generation.world import kept_columns, off_seams, with_kept
from intermask.masking import mask_id, padding_id
from intermask.motion import FPS, Motion
from intermask.smplx import BODY_MODEL, RestBody
from intermask.text import TextEncoder

_OFF_KEPT_WEIGHT = 10.0
"""Of a metre by which a draft misses the kept frames that it must lead into."""
_MOST_READ = 20_000
"""Texts whose conditions are remembered: evaluations meet each many times."""


class InteractionGenerator(MotionEditing):
    """Text to two moving people, on one device.

    Motions come back on the CPU. A motion of no given motion starts with person 1 at the origin,
    facing +z, floor at y = 0; one that reacts to or completes a given motion stands where that one
    stands.

    Args:
        model: moved to the device.
        encoder: the text encoder that the model was trained with, or a function that loads it when
            it is first needed.
        device: where networks run.
        consolidation: what is done to decoded motion; see `ConsolidationOptions`. Of an Inter-X
            model's only the smoothing is used.
        body: rest joints of SMPL-X, or a function that reads them when they are first needed; only
            Inter-X models need them.
        critic: compares drafts with their sentence, or a function that loads it when it is first
            needed; None: only what bodies cannot do tells them apart.
    """

    def __init__(
        self,
        model: Model,
        encoder: TextEncoder | Callable[[], TextEncoder],
        device: torch.device | str = "cpu",
        consolidation: ConsolidationOptions | None = None,
        body: RestBody | Callable[[], RestBody] | None = None,
        critic: Critic | Callable[[], Critic] | None = None,
    ) -> None:
        self.model = model.to(device)
        self.device = torch.device(device)
        self.consolidation = consolidation
        self._encoder, self._body, self._critic = encoder, body, critic
        self._read: dict[str, Tensor] = {}

    # --- What callers ask for --------------------------------------------------------------------

    def __call__(
        self,
        prompts: Sequence[str],
        seconds: float | Sequence[float] | None = None,
        seed: int | Sequence[int] = 0,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> list[Motion]:
        """One motion a prompt.

        Args:
            prompts: sentences.
            seconds: one duration for all, or one each; None: estimated for each (see `estimate`).
            seed: one for each prompt, or one number: prompt i then takes ``seed + i``. A seed
                gives the same motion alone and in a batch; `Motion.seed` tells it.
            options: how tokens are drawn, and progress.

        Raises:
            UserError: a prompt is empty or too long, or a duration out of range.
        """
        scenes = self.scenes
        requests = self._requests(prompts, seconds, seed)
        starts = [self._unknown(self._columns(request)) for request in requests]
        maps = self._best(requests, starts, self._sampling(options), options)
        motions = []
        for request, tokens in zip(requests, maps, strict=True):
            (features,) = self.coder.decode([tokens])
            made = scenes.finished(features[:, : request.frames])
            name = self.model.config.name
            motions.append(replace(made, caption=request.prompt, seed=request.seed, model=name))
        return motions

    def tokens(
        self,
        prompts: Sequence[str],
        seconds: float | Sequence[float] | None = None,
        seed: int | Sequence[int] = 0,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> list[Tensor]:
        """Token maps (p, s, n) on the CPU, one a prompt; arguments as for a call.

        One draft each, as evaluations want it. This also serves Inter-X models, whose motion is not
        decoded here.
        """
        requests = self._requests(prompts, seconds, seed)
        return self._sample_unknown(requests, options)

    def features(
        self,
        requests: Sequence[Request],
        known: Sequence[KnownTokens] | None = None,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> list[Tensor]:
        """Motions as decoded, before anything is done to them: one draft each, to be scored.

        Texts longer than the encoder reads are cut, as in training. A seed gives the same motion
        alone and in a batch, but for rounding: motions of one length are decoded together.

        Args:
            requests: texts, exact numbers of frames, and seeds.
            known: for each request, the tokens that it starts from; None: nothing is known.
            options: how tokens are drawn, and progress.

        Returns:
            Unnormalised features (2, t, f) on the CPU, one a request, at its number of frames.
        """
        if known is None:
            maps = self._sample_unknown(requests, options)
        else:
            sampling = self._rounds(self._sampling(options), known)
            maps = self._sample(requests, self._starts(known), sampling, options)
        decoded = self.coder.decode(maps, min(options.batch_size, CODED_TOGETHER))
        return [
            features[:, : request.frames]
            for features, request in zip(decoded, requests, strict=True)
        ]

    def estimate(self, prompt: str) -> DurationEstimate:
        """How long a motion of this text should last, within what the model makes.

        Raises:
            UserError: the model came without durations of captions.
        """
        found = self._durations.estimate(prompt)
        shortest, longest = MIN_FRAMES / FPS, self.model.config.max_frames / FPS
        return replace(found, seconds=round(min(max(found.seconds, shortest), longest), 1))

    @cached_property
    def encoder(self) -> TextEncoder:
        """The frozen text encoder on the device; loaded when first asked for."""
        if hasattr(self._encoder, "encode"):
            encoder = cast("TextEncoder", self._encoder)
        else:
            encoder = self._encoder()
        if encoder.width != self.model.config.text.width:
            raise UserError(
                f"the text encoder {encoder.name} gives {encoder.width} features a token, but the "
                f"model {self.model.config.name} reads {self.model.config.text.width}; give the "
                f"encoder {self.model.config.text.encoder}"
            )
        if isinstance(encoder, nn.Module):
            encoder.to(self.device)
        return encoder

    @cached_property
    def critic(self) -> Critic | None:
        """What compares drafts with their sentence; loaded when first asked for."""
        return self._critic() if callable(self._critic) else self._critic

    # --- From what is asked to token maps --------------------------------------------------------

    def _requests(
        self,
        prompts: Sequence[str],
        seconds: float | Sequence[float] | None,
        seed: int | Sequence[int],
    ) -> list[Request]:
        return checked_requests(
            prompts,
            seconds,
            seed,
            encoder=self.encoder,
            max_frames=self.model.config.max_frames,
            estimate=lambda prompt: self.estimate(prompt).seconds,
        )

    def _sample_unknown(
        self, requests: Sequence[Request], options: GenerationOptions
    ) -> list[Tensor]:
        maps = [self._unknown(self._columns(request)) for request in requests]
        return self._sample(requests, maps, self._sampling(options), options)

    def _columns(self, request: Request) -> int:
        """Token columns of what is asked for."""
        return math.ceil(request.frames / self.coder.stride)

    def _sampling(self, options: GenerationOptions) -> SamplingConfig:
        return options.sampling or self.model.config.sampling

    @staticmethod
    def _rounds(sampling: SamplingConfig, known: Sequence[KnownTokens]) -> SamplingConfig:
        """With the rounds of a reaction, where a whole person is known of every motion."""
        if all(bool(each.columns.all(1).any()) for each in known):
            return replace(sampling, steps=sampling.reaction_steps)
        return sampling

    def _starts(self, known: Sequence[KnownTokens]) -> list[Tensor]:
        """Token maps (p, s, n) of which some columns are known."""
        return [
            torch.where(each.columns[:, None], each.tokens, self._unknown(each.columns.shape[1]))
            for each in known
        ]

    def _unknown(self, columns: int) -> Tensor:
        """Token maps (p, s, n) of which nothing is known."""
        rows = self.model.tokenizer.rows
        return torch.full((2, rows, columns), mask_id(self.model.config.tokenizer.codebook_size))

    @torch.no_grad()
    def _fill(
        self,
        given: Motion,
        kept: Tensor,
        prompt: str,
        seed: int,
        options: GenerationOptions,
    ) -> Motion:
        """A motion with its kept frames (2, t) as they are and the others made anew."""
        scenes = self.scenes
        (prompt,) = checked_prompts([prompt], self.encoder)
        # The person who stands first in the token maps is the one by whom the scene is placed:
        # somebody whose first frame stays. Models take the two in either order.
        exchanged = bool(kept[1, 0]) and not bool(kept[0, 0])
        source = scenes.accepted(given.to("cpu"))
        if exchanged:
            source, kept = source.swapped(), kept.flip(0)

        placed = scenes.place(source, kept, self.coder.stride)
        (tokens,) = self.coder.encode([placed.features])
        known = KnownTokens(tokens, kept_columns(kept, self.coder.stride))
        request = Request(prompt, given.frames, checked_seed(seed))
        sampling = self._rounds(self._sampling(options), [known])

        goal = self.scenes.rough(placed.features[:, : request.frames])

        def off_kept(joints: Tensor) -> float:
            return off_seams(joints, goal, kept)

        (filled,) = self._best([request], self._starts([known]), sampling, options, off_kept)
        (decoded,) = self.coder.decode([filled])
        features = decoded[:, : request.frames]

        result = scenes.settled(placed, features, kept)
        result = replace(
            with_kept(source, result, kept),
            caption=prompt,
            captions=(),
            seed=request.seed,
            model=self.model.config.name,
        )
        return result.swapped() if exchanged else result

    # --- The two stages of the model -------------------------------------------------------------

    def _best(
        self,
        requests: Sequence[Request],
        starts: Sequence[Tensor],
        sampling: SamplingConfig,
        options: GenerationOptions,
        off_kept: Callable[[Tensor], float] = lambda joints: 0.0,
    ) -> list[Tensor]:
        """Token maps (p, s, n), of several drafts each the best one; see `drafts`.

        ``off_kept``: metres by which decoded joints miss the kept frames beside new ones.
        """
        number = sampling.drafts
        if number == 1:
            return self._sample(requests, starts, sampling, options)
        drafts = [
            replace(request, seed=seed)
            for request in requests
            for seed in draft_seeds(request.seed, number)
        ]
        repeated = [start for start in starts for _ in range(number)]
        maps = self._sample(drafts, repeated, sampling, options)
        chosen = []
        for place, request in enumerate(requests):
            own = maps[place * number : (place + 1) * number]
            decoded = [self.coder.decode([tokens])[0][:, : request.frames] for tokens in own]
            joints = [self.scenes.rough(features) for features in decoded]
            found = [flaws(each) for each in joints]
            against = [_OFF_KEPT_WEIGHT * off_kept(each) for each in joints]
            choice = compared(decoded, found, request.prompt, self.critic, against)
            if options.on_choice is not None:
                options.on_choice(request.seed, choice)
            chosen.append(own[choice.chosen])
        return chosen

    @torch.no_grad()
    def _sample(
        self,
        requests: Sequence[Request],
        maps: Sequence[Tensor],
        sampling: SamplingConfig,
        options: GenerationOptions,
    ) -> list[Tensor]:
        """Fill token maps (p, s, n), each of its own length, where they hold the mask id."""
        codes = self.model.config.tokenizer.codebook_size
        sampler = MaskedSampler(sampling, codes)
        # maps of like length together, so that little is computed for padding
        order = sorted(range(len(requests)), key=lambda i: maps[i].shape[-1])
        filled: dict[int, Tensor] = {}
        for begin in range(0, len(order), options.batch_size):
            chosen = order[begin : begin + options.batch_size]
            lengths = torch.tensor([maps[i].shape[-1] for i in chosen])
            shape = (len(chosen), *maps[0].shape[:2], int(lengths.max()))
            tokens = torch.full(shape, padding_id(codes))
            for row, i in enumerate(chosen):
                tokens[row, ..., : maps[i].shape[-1]] = maps[i]
            valid = torch.arange(shape[-1]) < lengths[:, None]
            condition = self._conditions([requests[i].prompt for i in chosen])
            sampled = sampler.sample(
                tokens.to(self.device),
                valid.to(self.device),
                guided(self.model.transformer, condition, sampling.guidance),
                [torch.Generator().manual_seed(requests[i].seed) for i in chosen],
                options.on_step,
            ).cpu()
            for row, i in enumerate(chosen):
                filled[i] = sampled[row, ..., : maps[i].shape[-1]].clone()
        return [filled[i] for i in range(len(requests))]

    def _conditions(self, prompts: Sequence[str]) -> Tensor:
        """Text conditions (b, w). Each text is read alone, so that a batch cannot change it."""
        if len(self._read) > _MOST_READ:
            self._read.clear()
        for prompt in prompts:
            if prompt not in self._read:
                features = self.encoder.encode([prompt]).to(self.device)
                self._read[prompt] = self.model.text_head(features)
        return torch.cat([self._read[prompt] for prompt in prompts])

    # --- Made when they are needed ---------------------------------------------------------------

    @cached_property
    def coder(self) -> FeatureCoder:
        """Features to tokens and back."""
        return FeatureCoder(self.model.tokenizer, self.model.normaliser)

    @cached_property
    def _durations(self) -> DurationEstimator:
        return DurationEstimator(self.model.durations)

    @cached_property
    def body(self) -> RestBody | None:
        """Rest joints of SMPL-X, if they were given."""
        return self._body() if callable(self._body) else self._body

    @cached_property
    def scenes(self) -> Scenes:
        """How this model's features become people.

        Raises:
            UserError: an Inter-X model without the body model.
        """
        config = self.model.config
        if config.dataset == "interhuman":
            return InterHumanScenes(config.floor, self.consolidation)
        if self.body is None:
            raise UserError(
                f"the model {config.name} was made for Inter-X, whose joints stand where the rest "
                f"joints of SMPL-X say: give {BODY_MODEL} (--smplx FILE, in Python smplx=FILE of "
                "load_generator), free for research at https://smpl-x.is.tue.mpg.de"
            )
        smoothing = (self.consolidation or ConsolidationOptions()).smoothing
        return InterXScenes(self.body, smoothing)
