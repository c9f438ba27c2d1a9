"""A training run: one folder that later commands take as their only handle.

```
RUN/config.json                stage, full configuration, data folders, tokenizer run, and (init)
                               what the weights started from
RUN/normaliser.safetensors     mean and std of the features
RUN/tokenizer.pt               stage 2 only: the frozen tokenizer and its configuration
RUN/durations.json             stage 2 only: median clip length by training caption
RUN/last.pt, RUN/best.pt       checkpoints
RUN/metrics.jsonl, RUN/tensorboard/
```
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import load_file, save_file

from intermask import __version__
from intermask.bundle import Model, build, is_bundle, load_bundle, load_exactly
from intermask.config import (
    SCHEMA_VERSION,
    EvaluatorTraining,
    ModelConfig,
    TokenizerConfig,
    TokenizerTraining,
    TransformerTraining,
    from_dict,
    to_dict,
)
from intermask.data.batching import Source, SourceClips, read_split
from intermask.data.cache import Watch, unwatched
from intermask.errors import UserError
from intermask.files import atomic_path, check_can_write, write_json
from intermask.models.autoencoder import MotionAutoencoder
from intermask.motion import FPS
from intermask.representation import Normaliser
from intermask.text import load_text_encoder
from intermask.training import checkpoint
from intermask.training.tokenizer_stage import TokenizerStage, training_statistics
from intermask.training.transformer_stage import ConditionalTransformer, TransformerStage

if TYPE_CHECKING:
    from intermask.training.finetuning import Origin

CONFIG = "config.json"
StageName = Literal["tokenizer", "transformer", "evaluator"]
_CONFIGURATIONS: dict[str, type[Any]] = {
    "tokenizer": TokenizerTraining,
    "transformer": TransformerTraining,
    "evaluator": EvaluatorTraining,
}


def read_run(folder: Path) -> dict[str, Any]:
    """The checked ``config.json`` of a run.

    Raises:
        UserError: the folder is not a training run.
    """
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{folder} is not a training run: {CONFIG} is missing") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != "intermask-run":
        raise UserError(f"{folder} is not a training run: {CONFIG} was written by something else")
    return content


def prepare_tokenizer(
    folder: Path,
    training: TokenizerTraining,
    data: Sequence[Source],
    device: torch.device,
    *,
    resume: bool,
    origin: Origin | None = None,
    cache: Path | None = None,
    watch: Watch = unwatched,
) -> TokenizerStage:
    """Stage 1 with its data, in a new run folder or in that of a run to resume.

    Args:
        origin: the model whose weights and statistics a new run starts from.
        cache: where clips are kept for later runs; see `intermask.data.cache`.
        watch: shows progress.
    """
    if resume:
        check_unchanged(folder, "tokenizer", training, data)
    else:
        check_free(folder)
    train, validation = read_data(data, cache, watch)
    if resume:
        normaliser = _load_normaliser(folder)
    elif origin is not None:
        normaliser = origin.tokenizer.normaliser
    else:
        normaliser = training_statistics(train, training)
    fresh = origin is None and not resume
    stage = TokenizerStage(training, train, validation, normaliser, device, fresh=fresh)
    if origin is not None and not resume:
        weights = origin.tokenizer.autoencoder.state_dict()
        load_exactly(stage.model, weights, f"{origin.name} (tokenizer)")
    if not resume:  # last, so that data that cannot be used leave no folder behind
        start_run(folder, "tokenizer", training, data, **_init_facts(origin))
        _save_normaliser(folder, normaliser)
    return stage


def prepare_transformer(
    folder: Path,
    training: TransformerTraining,
    data: Sequence[Source],
    tokenizer_from: Path | None,
    device: torch.device,
    *,
    resume: bool,
    text_source: Path | None = None,
    origin: Origin | None = None,
    cache: Path | None = None,
    watch: Watch = unwatched,
) -> TransformerStage:
    """Stage 2 with its data and a frozen tokenizer, in a new run folder or a resumed one.

    Args:
        tokenizer_from: a tokenizer run, a transformer run or a bundle. Its weights are copied
            into the run, which then needs nothing else. A resumed run has its own.
        text_source: folder with the files of the text encoder, if it is not installed.
        origin: the model whose transformer and text head a new run starts from; its tokenizer,
            too, unless another one is given.
        cache: where clips, text features and tokens are kept for later runs.
        watch: shows progress.
    """
    if resume:
        check_unchanged(folder, "transformer", training, data)
        tokenizer_from = folder
    else:
        check_free(folder)
    frozen, tokenizer_name = _tokenizer_for(tokenizer_from, origin)
    _check_codes(training, frozen.autoencoder)
    encoder = load_text_encoder(training.text.encoder, text_source)
    train, validation = read_data(data, cache, watch)
    fresh = origin is None and not resume
    stage = TransformerStage(
        training,
        frozen.autoencoder,
        frozen.normaliser,
        frozen.floor,
        encoder,
        train,
        validation,
        device,
        fresh=fresh,
    )
    if cache is not None:
        stage.keep(cache, watch)
    if origin is not None and not resume:
        weights = origin.whole.parts()["transformer"].state_dict()
        load_exactly(stage.model.generator(), weights, f"{origin.name} (transformer)")
    if not resume:
        stage.learn_to_hear(watch)
    if not resume:  # last, so that data that cannot be used leave no folder behind
        start_run(
            folder,
            "transformer",
            training,
            data,
            tokenizer={
                "model": to_dict(frozen.autoencoder.config),
                "floor": frozen.floor,
                "from": tokenizer_name,
            },
            **_init_facts(origin),
        )
        _save_normaliser(folder, frozen.normaliser)
        checkpoint.save(folder / "tokenizer.pt", {"model": frozen.autoencoder.state_dict()})
        known = {} if origin is None else origin.whole.durations
        write_json(folder / "durations.json", known | caption_durations(train))
    return stage


def _tokenizer_for(
    tokenizer_from: Path | None, origin: Origin | None
) -> tuple[FrozenTokenizer, str]:
    """The tokenizer that a transformer is trained on, and the name of where it came from."""
    if tokenizer_from is None:
        if origin is None:
            raise UserError(
                "a transformer is trained on the codes of a tokenizer; give its run or a bundle "
                "(--tokenizer), or a model to start from (--init)"
            )
        return origin.tokenizer, origin.name
    frozen = load_tokenizer(tokenizer_from)
    if origin is not None:
        origin.check_codes(frozen, str(tokenizer_from))
    return frozen, tokenizer_from.resolve().name


def _init_facts(origin: Origin | None) -> dict[str, Any]:
    return {} if origin is None else {"init": origin.facts}


class FrozenTokenizer:
    """A trained tokenizer with all that its users must share: statistics and floor rule."""

    def __init__(self, autoencoder: MotionAutoencoder, normaliser: Normaliser, floor: Any) -> None:
        self.autoencoder, self.normaliser, self.floor = autoencoder.eval(), normaliser, floor


def load_tokenizer(folder: Path) -> FrozenTokenizer:
    """The tokenizer of a tokenizer run (its best checkpoint), a transformer run or a bundle."""
    if is_bundle(folder):
        model = load_bundle(folder)
        return FrozenTokenizer(model.tokenizer, model.normaliser, model.config.floor)
    content = read_run(folder)
    if content["stage"] == "evaluator":
        raise UserError(f"{folder} is an evaluator's run and has no tokenizer")
    if content["stage"] == "tokenizer":
        training = from_dict(TokenizerTraining, content["training"])
        config, floor, weights = training.model, training.floor, best_or_last(folder)
    else:
        config = from_dict(TokenizerConfig, content["tokenizer"]["model"])
        floor, weights = content["tokenizer"]["floor"], folder / "tokenizer.pt"
    autoencoder = MotionAutoencoder(config)
    load_exactly(autoencoder, checkpoint.load(weights)["model"], str(weights))
    return FrozenTokenizer(autoencoder, _load_normaliser(folder), floor)


def load_model(folder: Path) -> Model:
    """A whole model from a bundle or from a transformer run (its best checkpoint).

    Raises:
        UserError: the folder is neither.
    """
    if not folder.is_dir():
        raise UserError(
            f"there is no model {str(folder)!r}: expected a bundle or a transformer run, a folder"
        )
    if is_bundle(folder):
        return load_bundle(folder)
    content = read_run(folder)
    if content["stage"] == "evaluator":
        raise UserError(f"{folder} is an evaluator's run: it measures motion and cannot generate")
    if content["stage"] != "transformer":
        raise UserError(
            f"{folder} is a tokenizer run and cannot generate; train a transformer on it: "
            f"intermask train transformer --tokenizer {folder} --data DIR -o RUN"
        )
    training = from_dict(TransformerTraining, content["training"])
    frozen = load_tokenizer(folder)
    config = ModelConfig(
        name=folder.resolve().name,
        tokenizer=frozen.autoencoder.config,
        transformer=training.model,
        text=training.text,
        sampling=training.sampling,
        floor=frozen.floor,
        dataset=frozen.autoencoder.config.dataset,
        max_frames=training.max_frames,
    )
    model = build(config, frozen.normaliser)
    model.tokenizer.load_state_dict(frozen.autoencoder.state_dict())
    weights = checkpoint.load(best_or_last(folder))
    generator = {
        name: weight
        for name, weight in weights["model"].items()
        if not name.startswith(ConditionalTransformer.TRAINING_ONLY)
    }
    load_exactly(model.parts()["transformer"], generator, str(folder))
    model.provenance = {
        "trained_on": content["data"],
        "steps": weights["step"],
        "tokenizer": content["tokenizer"]["from"],
        "intermask_version": content["intermask_version"],
    }
    if "init" in content:
        model.provenance["fine_tuned_from"] = content["init"]
    durations = folder / "durations.json"
    if durations.is_file():
        model.durations = json.loads(durations.read_text("utf-8"))
    return model


def caption_durations(sources: Sequence[SourceClips]) -> dict[str, float]:
    """Median length in seconds of the training clips that carry each caption."""
    lengths: dict[str, list[float]] = defaultdict(list)
    for each in sources:
        for clip in each.clips:
            for caption in clip.captions:
                lengths[caption].append(clip.loaded.shape[1] / FPS)
    return {caption: round(statistics.median(values), 2) for caption, values in lengths.items()}


def read_data(
    data: Sequence[Source], cache: Path | None, watch: Watch
) -> tuple[list[SourceClips], list[SourceClips]]:
    """The training clips and the held-out clips of every folder; see `read_split`."""
    splits: dict[str, list[SourceClips]] = {"train": [], "val": []}
    for split, found in splits.items():
        for each in data:
            with watch(f"reading {each.root.name}, {split}") as progress:
                found.append(read_split(each, split, cache, progress))
    return splits["train"], splits["val"]


def start_run(
    folder: Path, stage: StageName, training: Any, data: Sequence[Source], **more: Any
) -> None:
    """Make a run's folder with its ``config.json``, which also holds ``more``."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": "intermask-run",
        "stage": stage,
        "intermask_version": __version__,
        "training": to_dict(training),
        "data": _data_facts(data),
        **more,
    }
    write_json(folder / CONFIG, content)


def _data_facts(data: Sequence[Source]) -> list[dict[str, Any]]:
    return [{"name": each.root.resolve().name, "share": each.share} for each in data]


def check_free(folder: Path) -> None:
    """A run that never saved a checkpoint may be started again in its place.

    Raises:
        UserError: the folder holds a run with a checkpoint, or something else.
    """
    check_can_write(folder / CONFIG)
    if (folder / checkpoint.LAST).exists():
        raise UserError(
            f"{folder} holds a training run already; go on with --resume or choose a new folder"
        )
    for name in (checkpoint.PREVIOUS, checkpoint.BEST):
        if (folder / name).exists():
            raise UserError(
                f"{folder} holds a {name}, but no {checkpoint.LAST} to go on from; choose a new "
                "folder, or remove this one"
            )
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / CONFIG).is_file():
            raise UserError(f"{folder} holds other files; choose a new folder for the run")
        read_run(folder)  # a bundle has a file of that name, too


def _learned(training: Any) -> Any:
    """A configuration without the settings that only say how a machine shares out the work.

    A run may go on with others of these, on another machine.
    """
    return replace(training, run=replace(training.run, devices=1, accumulate=1, compile=False))


def check_unchanged(folder: Path, stage: StageName, training: Any, data: Sequence[Source]) -> None:
    """A run goes on with the settings and the data that it began with.

    Raises:
        UserError: with others, or without a checkpoint.
    """
    content = _read_run_of(folder, stage)
    before: Any = from_dict(_CONFIGURATIONS[stage], content["training"])
    if _learned(before) != _learned(training):
        raise UserError(
            f"{folder} was trained with other settings than those given; resume with the same "
            "ones, or start a new run"
        )
    if content["data"] != _data_facts(data):
        used = [f"{each['name']} (share {each['share']:g})" for each in content["data"]]
        raise UserError(
            f"{folder} was trained on {', '.join(used)}; give the same folders in the same order, "
            "or start a new run"
        )
    if not (folder / checkpoint.LAST).is_file():
        raise UserError(
            f"{folder} has no checkpoint yet ({checkpoint.LAST}); start it again without --resume"
        )


def saved_training(folder: Path, stage: StageName) -> Any:
    """The configuration that a run was started with.

    Raises:
        UserError: the folder is no run, or one of the other stage.
    """
    return from_dict(_CONFIGURATIONS[stage], _read_run_of(folder, stage)["training"])


def _read_run_of(folder: Path, stage: StageName) -> dict[str, Any]:
    content = read_run(folder)
    if content["stage"] != stage:
        raise UserError(f"{folder} is a {content['stage']} run; it cannot be resumed as a {stage}")
    return content


def _check_codes(training: TransformerTraining, autoencoder: MotionAutoencoder) -> None:
    pairs = (
        ("codebook_size", autoencoder.config.codebook_size, training.model.codebook_size),
        ("row_codebooks", autoencoder.config.row_codebooks, training.model.row_codebooks),
        ("rows", autoencoder.rows, training.model.rows),
    )
    for name, theirs, ours in pairs:
        if theirs != ours:
            raise UserError(
                f"the tokenizer has {name} {theirs}, the transformer's configuration {ours}; "
                f"set model.{name}={theirs}"
            )


def best_or_last(folder: Path) -> Path:
    """The checkpoint whose weights a run is used with."""
    best = folder / checkpoint.BEST
    return best if best.is_file() else folder / checkpoint.LAST


def _save_normaliser(folder: Path, normaliser: Normaliser) -> None:
    with atomic_path(folder / "normaliser.safetensors") as temporary:
        save_file({k: v.cpu() for k, v in normaliser.state_dict().items()}, temporary)


def _load_normaliser(folder: Path) -> Normaliser:
    path = folder / "normaliser.safetensors"
    if not path.is_file():
        raise UserError(f"{path} is missing; the run is not complete")
    statistics_ = load_file(path)
    return Normaliser(statistics_["mean"], statistics_["std"])
