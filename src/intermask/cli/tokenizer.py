"""``evaluate-tokenizer``: what is lost by putting motion into tokens and taking it out again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intermask.cli.console import print_columns, print_table, progress_bar, working
from intermask.cli.options import DeviceOption, SmplxOption, TextSourceOption
from intermask.errors import MissingExtra, UserError

if TYPE_CHECKING:
    from intermask.evaluation.clips import EvaluationClip
    from intermask.evaluation.evaluators.evaluator import Evaluator
    from intermask.evaluation.tokenizer_quality import TokenizerReport
    from intermask.training.runs import FrozenTokenizer

MAX_FRAMES = 300
"""Longer clips are cut, as in training."""


def evaluate_tokenizer(
    data: Annotated[
        list[Path], typer.Option("--data", metavar="DIR", help="A dataset; repeatable.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="New folder of the report.")
    ],
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A tokenizer run, a transformer run or a bundle. Default: built-in.",
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which clips of --data.")] = "test",
    evaluator: Annotated[
        Path | None,
        typer.Option(
            "--evaluator", metavar="RUN|DIR", help="For the reconstruction FID; else there is none."
        ),
    ] = None,
    device: DeviceOption = "auto",
    text_source: TextSourceOption = None,
    smplx: SmplxOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all digits.")] = False,
) -> None:
    """Measure a tokenizer: how well real clips survive being tokens.

    A model cannot move better than its tokenizer lets it. Errors are means
    over joints, frames and people:

    MPJPE: distance of joints from where they were, in the world and after
    both pelvises are put on one another

    Acceleration error: what jitters, or was smoothed away

    Codes used, perplexity: how much of the codebook is in use, and how much
    each row of the token map takes of it

    FOLDER gets tokenizer.json with every joint and clip, tokenizer.md, and
    joints.png, a picture of where on the body the errors are.
    """
    from intermask.files import check_new_folder

    check_new_folder(output)
    with working("loading the tokenizer"):
        from intermask.loading import builtin_model
        from intermask.training.runs import load_tokenizer

        folder = builtin_model() if model is None else model
        tokenizer = load_tokenizer(folder)
        judge = _evaluator(evaluator, device, text_source, data)
    name = "built-in" if model is None else folder.resolve().name
    report = _measured(tokenizer, judge, data, split, device, smplx)
    facts: dict[str, Any] = {
        "model": name,
        "data": ", ".join(each.resolve().name for each in data),
        "split": split,
    }
    if judge is not None:
        facts |= {"evaluator": judge.name, "evaluator_hash": judge.fingerprint}
    _write(report, facts, output)
    if as_json:
        typer.echo(json.dumps({**facts, **report.as_json()}, indent=2))
    else:
        _print_result(report, name)
        typer.echo(str(output))


def _evaluator(
    folder: Path | None, device: str, text_source: Path | None, data: list[Path]
) -> Evaluator | None:
    if folder is None:
        return None
    from intermask.evaluation.evaluators.folder import load_evaluator

    return load_evaluator(folder, device, text_source=text_source, data=data)


def _measured(
    tokenizer: FrozenTokenizer,
    judge: Evaluator | None,
    data: list[Path],
    split: str,
    device: str,
    smplx: Path | None,
) -> TokenizerReport:
    from intermask.devices import select_device
    from intermask.evaluation.tokenizer_quality import representation_with_joints, tokenizer_quality
    from intermask.generation.coding import FeatureCoder
    from intermask.skeleton import SMPL22, SMPLX55

    config = tokenizer.autoencoder.config
    representation = representation_with_joints(config, tokenizer.floor, data, smplx)
    with progress_bar("reading clips") as update:
        longest = MAX_FRAMES if judge is None else min(MAX_FRAMES, judge.max_frames)
        clips = [
            clip
            for folder in data
            for clip in _clips(folder, split, tokenizer, longest, len(data) > 1, update)
        ]
    where = select_device(device)
    coder = FeatureCoder(tokenizer.autoencoder.to(where), tokenizer.normaliser.to(where))
    names = SMPL22.names if config.dataset == "interhuman" else SMPLX55.names
    with progress_bar("tokenizing") as update:
        return tokenizer_quality(coder, representation, names, clips, judge, update)


def _clips(
    folder: Path,
    split: str,
    tokenizer: FrozenTokenizer,
    longest: int,
    several: bool,
    update: Any,
) -> list[EvaluationClip]:
    """Clips of a folder; of several folders ``FOLDER/NAME``."""
    from dataclasses import replace

    from intermask.data.interx import is_interx
    from intermask.evaluation.clips import read_clips

    dataset = tokenizer.autoencoder.config.dataset
    if is_interx(folder) != (dataset == "interx"):
        raise UserError(
            f"{folder} has not the layout that this tokenizer reads ({dataset}); give another "
            "folder"
        )
    clips = read_clips(folder, split, tokenizer.floor, longest, update)
    if not several:
        return clips
    return [replace(clip, name=f"{folder.resolve().name}/{clip.name}") for clip in clips]


def _write(report: TokenizerReport, facts: dict[str, Any], output: Path) -> None:
    from intermask.evaluation.tokenizer_files import write_tokenizer_report

    try:
        write_tokenizer_report(report, facts, output)
    except MissingExtra as error:
        typer.echo(f"no picture is drawn: {error}", err=True)
        write_tokenizer_report(report, facts, output, picture=False)


def _print_result(report: TokenizerReport, name: str) -> None:
    from intermask.evaluation.report_tables import tokenizer_facts

    print_table(tokenizer_facts(report.numbers()), f"{name}, {len(report.clips)} clips")
    joints = sorted(
        zip(report.joint_names, report.world_mm.tolist(), report.local_mm.tolist(), strict=True),
        key=lambda joint: -joint[2],
    )
    typer.echo("joints with the largest error")
    rows = [(joint, f"{world:.1f}", f"{local:.1f}") for joint, world, local in joints[:5]]
    print_columns(("", "world, mm", "relative to the pelvis, mm"), rows)
