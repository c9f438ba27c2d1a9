"""Prints what a model card says of a model: errors on held-out clips, by source.

    python recipes/measure.py MODEL DATA [DATA ...]

For every dataset and its held-out splits: reconstruction by the tokenizer (mean joint error in
millimetres, in the world and relative to the pelvis), and for pairs of people the accuracy of
hidden tokens by the share that is hidden.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from intermask.config import OptimiserConfig, TransformerTraining
from intermask.data.batching import Source, read_split
from intermask.errors import UserError
from intermask.text import load_text_encoder
from intermask.training.representations import representation_of
from intermask.training.runs import load_model
from intermask.training.tokenizer_stage import reconstruction_error
from intermask.training.transformer_stage import TransformerStage


@torch.inference_mode()
def main(model_folder: Path, datasets: list[Path]) -> None:
    """Print one line a dataset and split."""
    model = load_model(model_folder)
    representation = representation_of(model.config.tokenizer, model.config.floor)
    training = TransformerTraining(
        model=model.config.transformer,
        text=model.config.text,
        optimiser=OptimiserConfig(batch_size=8),
        max_frames=model.config.max_frames,
    )
    encoder = load_text_encoder(model.config.text.encoder)
    print(f"{model.config.name}: {model.parameter_count / 1e6:.2f} M parameters")
    for dataset in datasets:
        for split in ("val", "test"):
            try:
                clips = read_split(Source(dataset), split)
            except (UserError, FileNotFoundError):
                continue  # a source without this split
            error = reconstruction_error(
                model.tokenizer, model.normaliser, clips, representation, model.config.max_frames
            )
            numbers = {name: f"{value:.1f}" for name, value in error.items()}
            if clips.people == 2:
                stage = TransformerStage(
                    training,
                    model.tokenizer,
                    model.normaliser,
                    model.config.floor,
                    encoder,
                    [clips],
                    [clips],
                    torch.device("cpu"),
                    fresh=False,
                )
                stage.model.transformer = model.transformer
                stage.model.text_head = model.text_head
                accuracy = stage.validate(stage.model)
                numbers |= {name: f"{value:.3f}" for name, value in accuracy.items()}
            facts = "  ".join(f"{name} {value}" for name, value in numbers.items())
            print(f"{dataset.name}/{split} ({len(clips.clips)} clips)  {facts}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
