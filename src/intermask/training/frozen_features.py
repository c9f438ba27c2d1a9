"""What frozen networks say about the data: computed when first asked for, or once for all runs.

Captions become text features, clips become tokens. Both are functions of frozen weights, so they
are computed alone (a batch would change the last bits) and in float32, whatever the training's
precision; then it does not matter when, and a cache gives the same training as none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from intermask.config import to_dict
from intermask.data.batching import InteractionSampler, Variant
from intermask.data.cache import ArrayFile, Named, Progress, cached_arrays, module_fingerprint
from intermask.models.autoencoder import MotionAutoencoder
from intermask.models.text_head import SentenceHead
from intermask.representation import Normaliser
from intermask.text import TextFeatures
from intermask.text.features import FrozenTextEncoder


class FrozenText:
    """Features of captions by a frozen encoder.

    Args:
        encoder: on the device.
        device: where features are given back.
    """

    def __init__(self, encoder: FrozenTextEncoder, device: torch.device) -> None:
        self.encoder, self.device = encoder, device
        self._known: ArrayFile | None = None
        self._met: dict[str, tuple[Tensor, int]] = {}

    def keep(self, captions: Iterable[str], cache: Path, progress: Progress) -> None:
        """Compute the features of all captions that can be met, or find them in a cache."""
        every = sorted(set(captions))
        facts = {
            "encoder": self.encoder.name,
            "weights": module_fingerprint(self.encoder),
            "captions": every,
            "machine": _machine(self.device),
        }

        def make() -> Iterator[Named]:
            for number, caption in enumerate(every, start=1):
                features, end = self._encode(caption)
                yield Named(caption, features, end)
                progress(number, len(every))

        self._known = cached_arrays(cache, "text", facts, make, self.encoder.name)

    def __call__(self, captions: Sequence[str]) -> TextFeatures:
        """Features (b, l, w) of captions, as long as the longest of them."""
        found = [self._of(caption) for caption in captions]
        longest = max(len(features) for features, _ in found)
        features = torch.zeros(len(found), longest, found[0][0].shape[1])
        mask = torch.zeros(len(found), longest, dtype=torch.bool)
        for row, (own, _) in enumerate(found):
            features[row, : len(own)] = own
            mask[row, : len(own)] = True
        ends = torch.tensor([end for _, end in found])
        hidden = None if bool(mask.all()) else mask.to(self.device)
        return TextFeatures(features.to(self.device), ends.to(self.device), hidden)

    def _of(self, caption: str) -> tuple[Tensor, int]:
        if self._known is not None and caption in self._known:
            return self._known[caption], self._known.note(caption)
        if caption not in self._met:
            self._met[caption] = self._encode(caption)
        return self._met[caption]

    @torch.no_grad()
    def _encode(self, caption: str) -> tuple[Tensor, int]:
        """Features (l, w) of one caption without padding, and where its end is."""
        with torch.autocast(self.device.type, enabled=False):
            encoded = self.encoder.encode([caption])
        own = encoded.features[0]
        if encoded.mask is not None:
            own = own[: int(encoded.mask[0].sum())]
        return own.to("cpu", torch.float32), int(encoded.ends[0])


def fit_sentences(head: nn.Module, captions: Iterable[str], text: FrozenText, most: int) -> None:
    """Give a sentence head its statistics, from at most ``most`` captions, evenly spread.

    Other heads have none.
    """
    if isinstance(head, SentenceHead):
        every = sorted(captions)
        head.fit(text(every[:: -(-len(every) // most)]))


class FrozenTokens:
    """Tokens of a sampler's variants by a frozen tokenizer.

    Args:
        sampler: makes features of variants.
        tokenizer: on the device.
        normaliser: on the device.
        to_grid: features to what the tokenizer reads.
        device: of the networks.
    """

    def __init__(
        self,
        sampler: InteractionSampler,
        tokenizer: MotionAutoencoder,
        normaliser: Normaliser,
        to_grid: Callable[[Tensor], Tensor],
        device: torch.device,
    ) -> None:
        self.sampler, self.tokenizer, self.normaliser = sampler, tokenizer, normaliser
        self.to_grid, self.device = to_grid, device
        self._known: Mapping[str, Tensor] = {}
        self._met: dict[Variant, Tensor] = {}

    def keep(
        self, variants: Sequence[Variant], facts: Mapping[str, Any], cache: Path, progress: Progress
    ) -> None:
        """Compute the tokens of variants, or find them in a cache.

        Args:
            variants: those that will be met again and again.
            facts: what decides features beside clips and variants.
        """
        everything = {
            **facts,
            "tokenizer": [to_dict(self.tokenizer.config), module_fingerprint(self.tokenizer)],
            "normaliser": module_fingerprint(self.normaliser),
            "frames": [self.sampler.max_frames, self.sampler.stride],
            "clips": [_fingerprint(each.clips) for each in self.sampler.sources],
            "variants": [_name(variant) for variant in variants],
            "machine": _machine(self.device),
        }

        def make() -> Iterator[Named]:
            for number, variant in enumerate(variants, start=1):
                yield Named(_name(variant), self._tokenize(variant))
                progress(number, len(variants))

        of = ", ".join(each.name for each in self.sampler.sources)
        self._known = cached_arrays(cache, "tokens", everything, make, of)

    def __call__(self, variant: Variant) -> Tensor:
        """Token map (p, s, n) of a variant, on the CPU."""
        name = _name(variant)
        if name in self._known:
            return self._known[name].long()
        if variant not in self._met:
            self._met[variant] = self._tokenize(variant)
        return self._met[variant].long()

    @torch.no_grad()
    def _tokenize(self, variant: Variant) -> Tensor:
        features = self.normaliser.normalise(self.sampler.features(variant).to(self.device))
        with torch.autocast(self.device.type, enabled=False):
            tokens = self.tokenizer.tokenize(self.to_grid(features))
        return tokens.to("cpu", torch.int16)


def _name(variant: Variant) -> str:
    flags = "".join(letter for letter, on in (("m", variant.mirror), ("s", variant.swap)) if on)
    return f"{variant.source}/{variant.clip}/{variant.start}{flags}"


def _fingerprint(clips: Iterable[Any]) -> str:
    """Hash of the frames of clips, in their order."""
    result = hashlib.sha256()
    for clip in clips:
        result.update(f"{tuple(clip.loaded.shape)}\n".encode())
        result.update(clip.loaded.contiguous().numpy().data)
    return result.hexdigest()


def _machine(device: torch.device) -> list[str]:
    """What decides the last bits of what a network computes."""
    return [device.type, torch.__version__]
