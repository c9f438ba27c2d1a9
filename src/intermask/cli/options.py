"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.config import SamplingConfig

DeviceOption = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda|mps", help="Where networks run; auto takes a GPU."
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="RUN|BUNDLE", help="A training run or a bundle. Default: built-in."
    ),
]
TextSourceOption = Annotated[
    Path | None,
    typer.Option(
        "--text-source",
        metavar="DIR",
        help="Folder with the text encoder's files, such as CLIP's. Default: installed or cached.",
    ),
]
SmplxOption = Annotated[
    Path | None,
    typer.Option(
        "--smplx",
        metavar="FILE",
        help="SMPLX_NEUTRAL.npz, for models of Inter-X. Default: in the model's folder.",
    ),
]
DataSmplxOption = Annotated[
    Path | None,
    typer.Option(
        "--smplx",
        metavar="FILE",
        help="SMPLX_NEUTRAL.npz, for data of Inter-X. Default: in the folder of --data.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same motion.")]
GuidanceOption = Annotated[
    float | None,
    typer.Option(
        "--guidance",
        help="How closely the text is followed; 1 is none. Default: the model's; 2 in the paper "
        "and in the built-in model.",
    ),
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        help="Above 1 more variety, below 1 less. Default: the model's; 1 in the paper, 0.7 in the "
        "built-in model.",
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option("--steps", help="Rounds of filling in tokens. Default: the model's, 20."),
]
DraftsOption = Annotated[
    int | None,
    typer.Option(
        "--drafts",
        help="Motions made of a sentence, of which the best one is kept; fewer are quicker.  "
        "Default: the model's; the built-in model's, 4.",
        min=1,
    ),
]
EvaluatorOption = Annotated[
    Path | None,
    typer.Option(
        "--evaluator",
        metavar="DIR",
        help="Compares drafts with their sentence. Default: that in the model's folder, if any.",
    ),
]
FormatsOption = Annotated[
    str,
    typer.Option(
        "--formats",
        help="What to write, with commas: npz, bvh, glb, smplh, smplx, html (3D, in a browser), "
        "mp4, gif, sheet (a PNG).",
    ),
]
StemOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="STEM",
        help="Name of the files without ending; a folder takes names from the text.",
    ),
]

CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Where clips, text features and tokens are kept for later runs.  "
        "Default: the user's cache folder, or $INTERMASK_CACHE.",
    ),
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Keep nothing: compute everything in memory.")
]

DEFAULT_FORMATS = "npz,bvh,html,mp4"


def examples(*lines: str) -> str:
    """Commands to show below a command's help."""
    return "\n\n".join(("Examples:", *lines))


def cache_folder(asked: Path | None, off: bool) -> Path | None:
    """Where computed arrays are kept, if anywhere.

    Raises:
        UserError: a folder was asked for that cannot be written.
    """
    from intermask.data.cache import default_cache
    from intermask.files import check_can_write

    if off:
        return None
    folder = asked or default_cache()
    try:
        check_can_write(folder / "entry")
    except UserError as error:
        if asked is not None:
            raise
        typer.echo(f"nothing is kept for later runs: {error}", err=True)
        return None
    return folder


@dataclass(frozen=True)
class SamplingChanges:
    """What was asked for in place of a model's own sampling; None: nothing."""

    guidance: float | None
    temperature: float | None
    steps: int | None
    drafts: int | None = None

    def applied_to(self, sampling: SamplingConfig) -> SamplingConfig:
        """A model's sampling with these changes.

        Raises:
            ValueError: a value out of range.
        """
        wanted = {**asdict(self), "reaction_steps": self.steps}
        return replace(sampling, **{k: v for k, v in wanted.items() if v is not None})


def parse_ranges(texts: list[str], option: str = "--keep") -> list[tuple[float, float]]:
    """Ranges of seconds written ``start:end``, given to an option.

    Raises:
        UserError: another form.
    """
    ranges = []
    for text in texts:
        try:
            start, end = (float(part) for part in text.split(":"))
        except ValueError as error:
            raise UserError(
                f"{option} {text} is no range; write start:end in seconds, such as 0:1.5"
            ) from error
        ranges.append((start, end))
    return ranges


def read_prompts(path: Path) -> list[str]:
    """Sentences of a file, one a line; empty lines and lines that start with # are skipped.

    Raises:
        FileNotFoundError: no such file.
        UserError: not a text file, or without a sentence.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; give a text file, one prompt a line")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8; write one prompt a line") from error
    lines = [line.strip() for line in text.splitlines()]
    prompts = [line for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise UserError(f"{path} holds no prompt; write one a line")
    return prompts
