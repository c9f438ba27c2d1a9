"""Fine-tuning: what a run takes over from a finished model, and how gently it goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from intermask.bundle import Model, is_bundle, load_bundle
from intermask.config import TokenizerTraining, TransformerTraining, from_dict, to_dict
from intermask.errors import UserError
from intermask.training.runs import FrozenTokenizer, load_model, load_tokenizer, read_run

Training = TypeVar("Training", bound=TokenizerTraining | TransformerTraining)

RATE_SHARE = 0.25
"""Of the learning rate from scratch."""
STEPS_SHARE = 0.25
"""Of the steps from scratch, within the two limits below."""
FEWEST_STEPS, MOST_STEPS = 200, 2000
LARGEST_BATCH = 32
"""Twenty clips do not fill larger ones with anything new."""

_MAY_CHANGE = {"dropout", "head_dropout", "ema_decay", "assignment_temperature"}
"""Settings of a network that its weights do not depend on."""


@dataclass(frozen=True)
class Origin:
    """A finished model to start from: a bundle, or a run with its best weights."""

    name: str
    kind: str
    """``bundle``, ``tokenizer run`` or ``transformer run``."""
    tokenizer: FrozenTokenizer
    model: Model | None
    """The whole model; None if it is a tokenizer alone."""
    max_frames: int
    training: TokenizerTraining | TransformerTraining | None
    """The settings that it was trained with; a bundle does not know them."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a run remembers of it."""
        facts: dict[str, Any] = {"from": self.name, "kind": self.kind}
        if self.model is not None:
            facts["provenance"] = self.model.provenance
        return facts

    @property
    def whole(self) -> Model:
        """The model, where it is more than a tokenizer.

        Raises:
            UserError: it is a tokenizer alone.
        """
        if self.model is None:
            raise UserError(
                f"{self.name} is a tokenizer run and has no transformer to start from; give it "
                "as --tokenizer, and a bundle or a transformer run as --init"
            )
        return self.model

    def check_codes(self, tokenizer: FrozenTokenizer, where: str) -> None:
        """A transformer can only read token maps of the form that it was trained on.

        Raises:
            UserError: another number of codes or rows, or columns of another length.
        """
        theirs, given = self.tokenizer.autoencoder, tokenizer.autoencoder
        pairs = (
            ("codes", theirs.config.codebook_size, given.config.codebook_size),
            (
                "codebooks",
                theirs.rows if theirs.config.row_codebooks else 1,
                given.rows if given.config.row_codebooks else 1,
            ),
            ("rows", theirs.rows, given.rows),
            ("frames a column", theirs.stride, given.stride),
        )
        for name, expected, found in pairs:
            if expected != found:
                raise UserError(
                    f"the tokenizer {where} has {found} {name}, the transformer of {self.name} "
                    f"was trained on {expected}; give a tokenizer that was fine-tuned from "
                    f"{self.name} (intermask train tokenizer --init)"
                )


def read_origin(folder: Path) -> Origin:
    """A bundle or a run as something to start from.

    Raises:
        UserError: the folder is neither, or is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r} to start from; give a bundle or a run")
    name = folder.resolve().name
    if is_bundle(folder):
        model = load_bundle(folder)
        tokenizer = FrozenTokenizer(model.tokenizer, model.normaliser, model.config.floor)
        return Origin(name, "bundle", tokenizer, model, model.config.max_frames, None)
    content = read_run(folder)
    if content["stage"] == "tokenizer":
        alone = from_dict(TokenizerTraining, content["training"])
        return Origin(name, "tokenizer run", load_tokenizer(folder), None, alone.max_frames, alone)
    model = load_model(folder)
    training = from_dict(TransformerTraining, content["training"])
    tokenizer = FrozenTokenizer(model.tokenizer, model.normaliser, model.config.floor)
    return Origin(name, "transformer run", tokenizer, model, training.max_frames, training)


def fitting_preset(origin: Origin) -> str:
    """The preset whose losses and batches suit the kind of tokenizer that a model has."""
    if origin.model is not None and origin.model.config.dataset == "interx":
        return "paper-interx"
    own = origin.tokenizer.autoencoder.config.position_frame
    return "small" if own == "root" else "paper-interhuman"


def base_settings(
    stage: Literal["tokenizer", "transformer"], origin: Origin
) -> TokenizerTraining | TransformerTraining | None:
    """The settings that this stage of a model was trained with, where they are known."""
    kinds = {"tokenizer": TokenizerTraining, "transformer": TransformerTraining}
    return origin.training if isinstance(origin.training, kinds[stage]) else None


def settings_from(base: Training, origin: Origin) -> Training:
    """Settings for fine-tuning a model: its own network, and the rest of ``base`` made gentle.

    Raises:
        UserError: they do not fit each other, or there is no transformer in the model.
    """
    if isinstance(base, TokenizerTraining):
        return cast(Training, _tokenizer_settings(base, origin))
    return cast(Training, _transformer_settings(base, origin))


def gentle(training: Training) -> Training:
    """The same training with a lower learning rate, fewer steps and no larger batches than of use.

    Validation and checkpoints come often enough for ten of each.
    """
    optimiser, run = training.optimiser, training.run
    steps = round(min(max(STEPS_SHARE * optimiser.steps, FEWEST_STEPS), MOST_STEPS))
    steps = min(steps, optimiser.steps)
    tenth = max(1, steps // 10)
    return replace(
        training,
        optimiser=replace(
            optimiser,
            steps=steps,
            batch_size=min(optimiser.batch_size, LARGEST_BATCH),
            learning_rate=optimiser.learning_rate * RATE_SHARE,
            warmup_steps=min(optimiser.warmup_steps, tenth),
        ),
        run=replace(
            run,
            validate_every=min(run.validate_every, tenth),
            save_every=min(run.save_every, tenth),
            log_every=min(run.log_every, max(1, steps // 50)),
        ),
    )


def _tokenizer_settings(base: TokenizerTraining, origin: Origin) -> TokenizerTraining:
    model = origin.tokenizer.autoencoder.config
    if base.window > origin.max_frames:
        raise UserError(
            f"{origin.name} was made for {origin.max_frames} frames, and windows have "
            f"{base.window}; set window={origin.max_frames // 8 * 8}"
        )
    return replace(
        gentle(base),
        model=model,
        floor=origin.tokenizer.floor,
        max_frames=origin.max_frames,
        freeze_codes=base.freeze_codes and model.architecture == "patch",
        quantise_from=0,  # its codes mean something from the first step
    )


def _transformer_settings(base: TransformerTraining, origin: Origin) -> TransformerTraining:
    config = origin.whole.config
    return replace(
        gentle(base),
        model=config.transformer,
        text=config.text,
        sampling=config.sampling,
        max_frames=config.max_frames,
        start_from_codes=False,
        hearing_steps=0,  # its text head has learned
    )


def check_same_network(training: TokenizerTraining | TransformerTraining, origin: Origin) -> None:
    """Settings that weights depend on must stay as the weights are.

    Raises:
        UserError: one was changed; it is named with both values.
    """
    if isinstance(training, TokenizerTraining):
        frozen = origin.tokenizer
        ours = {"model": to_dict(training.model), "floor": training.floor}
        theirs = {"model": to_dict(frozen.autoencoder.config), "floor": frozen.floor}
    else:
        config = origin.whole.config
        ours = {"model": to_dict(training.model), "text": to_dict(training.text)}
        theirs = {"model": to_dict(config.transformer), "text": to_dict(config.text)}
    found = _flat(ours)
    for name, value in _flat(theirs).items():
        if found[name] != value and name.rsplit(".", 1)[-1] not in _MAY_CHANGE:
            raise UserError(
                f"{name} is {value!r} in {origin.name} and cannot become {found[name]!r} by "
                "fine-tuning; leave it out, or train without --init"
            )


def _flat(values: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Settings of nested tables by their dotted keys."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inside = _flat(value, f"{where}{name}.") if isinstance(value, dict) else None
        flat |= {f"{where}{name}": value} if inside is None else inside
    return flat
