"""A dataset and a model so small that tests can train and generate."""

from __future__ import annotations

from pathlib import Path

import torch

from intermask.bundle import Model, build
from intermask.config import ModelConfig
from intermask.data.batching import canonical_people
from intermask.data.layout import InterHumanFolder, write_clip, write_split
from intermask.presets import load_preset
from intermask.representation import fit_normaliser
from walking import walking_pair

CAPTIONS = ("Two people walk.", "One person walks towards the other one, who waits.")


def write_tiny_dataset(root: Path, train: int = 3, validation: int = 2, frames: int = 52) -> Path:
    """Clips of `walking_pair` of different lengths in InterHuman's layout."""
    names = [f"walk_{number}" for number in range(train + validation)]
    for number, name in enumerate(names):
        motion = walking_pair(frames + 4 * number, seed=number)
        captions = [f"{CAPTIONS[0][:-1]} for the {number}th time.", CAPTIONS[1]]
        write_clip(root, name, motion.positions, motion.rotations, captions)
    write_split(root, "train", names[:train])
    write_split(root, "val", names[train:])
    return root


def _shake(model: Model) -> None:
    """Fresh networks have gates and codes of zero: every text and every code would look alike."""
    generator = torch.Generator().manual_seed(0)
    codes = model.tokenizer.codebook.codebook
    codes.copy_(torch.randn(codes.shape, generator=generator))
    for part in (model.transformer, model.text_head):
        for weight in part.parameters():
            weight.data += 0.2 * torch.randn(weight.shape, generator=generator)


def tiny_model(dataset: Path) -> Model:
    """Random weights of the debug preset, with statistics of a dataset, so that people are people.

    It reads text with MiniLM.
    """
    tokenizer = load_preset("tokenizer", "debug")
    transformer = load_preset("transformer", "debug")
    folder = InterHumanFolder(dataset)
    clips = [folder.read(name).loaded for name in folder.names("train")]
    features = [canonical_people(clip, tokenizer.floor).flatten(0, 1) for clip in clips]
    config = ModelConfig(
        name="tiny",
        tokenizer=tokenizer.model,
        transformer=transformer.model,
        text=transformer.text,
        sampling=transformer.sampling,
        max_frames=90,
    )
    model = build(config, fit_normaliser(features))
    _shake(model)
    model.durations = {CAPTIONS[0]: 1.5, CAPTIONS[1]: 2.0}
    return model
