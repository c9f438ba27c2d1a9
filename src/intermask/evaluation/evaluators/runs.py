"""The run of an evaluator's training: its folder, its data, its stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from intermask.config import DataSet, EvaluatorTraining
from intermask.data.batching import Source
from intermask.data.cache import Watch, unwatched
from intermask.data.interx import is_interx
from intermask.evaluation.evaluators.stage import EvaluatorStage
from intermask.text import load_text_encoder
from intermask.training.runs import (
    check_free,
    check_unchanged,
    read_data,
    saved_training,
    start_run,
)


def prepare_evaluator(
    folder: Path,
    training: EvaluatorTraining,
    data: Sequence[Source],
    device: torch.device,
    *,
    resume: bool,
    text_source: Path | None = None,
    cache: Path | None = None,
    watch: Watch = unwatched,
) -> EvaluatorStage:
    """An evaluator's training with its data, in a new run folder or in that of a run to resume.

    A new run reads the layout that its data have.

    Args:
        text_source: folder with the files of the text encoder, if it is not installed.
        cache: where clips and text features are kept for later runs.
        watch: shows progress.

    Raises:
        UserError: the folder, the settings or the data do not fit.
        FileNotFoundError: a dataset, a split or a file of the text encoder is missing.
    """
    if resume:
        training = _for(saved_training(folder, "evaluator").model.dataset, training)
        check_unchanged(folder, "evaluator", training, data)
    else:
        check_free(folder)
        training = _for("interx" if is_interx(data[0].root) else "interhuman", training)
    encoder = load_text_encoder(training.text.encoder, text_source)
    train, validation = read_data(data, cache, watch)
    stage = EvaluatorStage(training, encoder, train, validation, device, fresh=not resume)
    if cache is not None:
        stage.keep(cache, watch)
    if not resume:  # last, so that data that cannot be used leave no folder behind
        start_run(folder, "evaluator", training, data)
    return stage


def _for(dataset: DataSet, training: EvaluatorTraining) -> EvaluatorTraining:
    """The configuration of an evaluator of this dataset."""
    return replace(training, model=replace(training.model, dataset=dataset))
