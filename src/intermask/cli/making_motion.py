"""What commands that make motion share: options, a generator, progress, variants and files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import progress_bar, working
from intermask.cli.options import (
    DEFAULT_FORMATS,
    DeviceOption,
    DraftsOption,
    EvaluatorOption,
    FormatsOption,
    GuidanceOption,
    ModelOption,
    SamplingChanges,
    SeedOption,
    SmplxOption,
    StemOption,
    StepsOption,
    TemperatureOption,
    TextSourceOption,
)
from intermask.cli.output import save, usable_formats
from intermask.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from intermask.config import SamplingConfig
    from intermask.generation.drafts import Choice
    from intermask.generation.generator import InteractionGenerator
    from intermask.generation.requests import GenerationOptions
    from intermask.motion import Motion

VariantsOption = Annotated[
    int,
    typer.Option(
        "--variants",
        help="So many different motions, as STEM_v1, STEM_v2 ...; each is what its own seed, which "
        "is told, makes alone.",
        min=1,
    ),
]


@dataclass(frozen=True)
class GeneratorOptions:
    """Which model makes motion, and how it draws."""

    model: ModelOption = None
    guidance: GuidanceOption = None
    temperature: TemperatureOption = None
    steps: StepsOption = None
    drafts: DraftsOption = None
    device: DeviceOption = "auto"
    text_source: TextSourceOption = None
    smplx: SmplxOption = None
    evaluator: EvaluatorOption = None

    def load(self, default: Path | None = None) -> InteractionGenerator:
        """The generator that was asked for; if nobody asked, the default one. None: built in."""
        with working("loading the model"):
            from intermask.loading import load_generator

            return load_generator(
                self.model or default, self.device, self.text_source, self.smplx, self.evaluator
            )

    def sampling_of(self, generator: InteractionGenerator) -> SamplingConfig:
        """How a generator draws, with what was asked for in place of its own settings."""
        changes = SamplingChanges(self.guidance, self.temperature, self.steps, self.drafts)
        return changes.applied_to(generator.model.config.sampling)


@dataclass(frozen=True, kw_only=True)
class MakingOptions:
    """Options of every command that makes motions, one at a time or several alike."""

    seed: SeedOption = 0
    variants: VariantsOption = 1
    output: StemOption = None
    formats: FormatsOption = DEFAULT_FORMATS
    generator: GeneratorOptions

    def __post_init__(self) -> None:
        if self.variants > 1 and self.generator.temperature == 0:
            raise UserError(
                f"at --temperature 0 all {self.variants} variants would be the same motion; give a "
                "higher temperature or one variant"
            )

    @contextmanager
    def sampling(
        self, generator: InteractionGenerator, motions: int = 1, batch_size: int = 16
    ) -> Iterator[GenerationOptions]:
        """How motions are made, with progress over the rounds of all batches."""
        from intermask.generation.requests import GenerationOptions

        sampling = self.generator.sampling_of(generator)
        batches = math.ceil(motions * sampling.drafts / batch_size)
        choices: list[tuple[int, Choice]] = []
        with progress_bar("generating") as update:
            done = 0

            def on_step(number: int, rounds: int, tokens: Tensor) -> None:
                nonlocal done
                done += 1
                # a long motion takes several turns
                update(done, max(batches, math.ceil(done / rounds)) * rounds)

            yield GenerationOptions(
                sampling=sampling,
                on_step=on_step,
                on_choice=lambda seed, choice: choices.append((seed, choice)),
                batch_size=batch_size,
            )
        for seed, choice in choices:
            typer.echo(f"seed {seed}: {choice.describe()}", err=True)


def checked_output(stems: list[Path], formats: str) -> tuple[str, ...]:
    """Formats that can be written under all of the stems.

    Raises:
        UserError: an unknown format, or a file that cannot be written.
    """
    from intermask.export.writing import check_output

    wanted = usable_formats(formats)
    for stem in stems:
        check_output(stem, wanted)
    return wanted


def variant_stems(stem: Path, variants: int) -> list[Path]:
    """Where variants of a motion go: the stem itself, or with _v1, _v2 ... behind it."""
    from intermask.export.writing import plain_stem

    if variants == 1:
        return [stem]
    base = plain_stem(stem)
    return [base.with_name(f"{base.name}_v{number}") for number in range(1, variants + 1)]


def make_variants(
    making: MakingOptions,
    stem: Path,
    make: Callable[[InteractionGenerator, int, GenerationOptions], Motion],
) -> None:
    """Make variants of one motion, each from the seed after that of the one before, and write them.

    Args:
        making: what was asked for.
        stem: of the files.
        make: a motion out of a generator, a seed and how tokens are drawn.
    """
    stems = variant_stems(stem, making.variants)
    wanted = checked_output(stems, making.formats)
    generator = making.generator.load()
    for number, each in enumerate(stems):
        with making.sampling(generator) as options:
            motion = make(generator, making.seed + number, options)
        tell_seed(making, each, motion)
        save(motion, each, wanted)


def tell_seed(making: MakingOptions, stem: Path, motion: Motion) -> None:
    """Say which seed made a variant, where there are several."""
    if making.variants > 1:
        typer.echo(f"{stem.name}: --seed {motion.seed}", err=True)
