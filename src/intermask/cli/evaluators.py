"""``import-evaluator``: the networks that the authors measured with, as folders of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from intermask.cli.console import print_table, working
from intermask.cli.options import TextSourceOption


def import_evaluator(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="The authors' release, or the folder with interclip.ckpt and eval_model.yaml, or "
            "one above text_mot_match/model/finest.tar.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="The new folder.")
    ],
    dataset: Annotated[
        Literal["interhuman", "interx"] | None,
        typer.Option("--dataset", help="Which one, where PATH holds both evaluators."),
    ] = None,
    text_source: TextSourceOption = None,
    text_heads: Annotated[
        int | None,
        typer.Option(
            "--text-heads", help="Attention heads of InterCLIP's text transformer. Default: 8."
        ),
    ] = None,
    glove: Annotated[
        Path | None,
        typer.Option(
            "--glove",
            metavar="DIR",
            help="Folder of Inter-X with hhi_vab_data.npy. Default: glove/ in PATH.",
        ),
    ] = None,
) -> None:
    """Turn an evaluator that the authors released into a folder for --evaluator."""
    from intermask.files import check_new_folder

    check_new_folder(output)
    with working("reading the release"):
        from intermask.evaluation.evaluators.folder import save_evaluator
        from intermask.official.evaluators import import_evaluator as read_release

        imported = read_release(
            path, dataset=dataset, text_source=text_source, text_heads=text_heads, glove=glove
        )
    with working("writing the evaluator"):
        save_evaluator(
            imported.evaluator,
            output,
            provenance=imported.provenance,
            vocabulary=imported.vocabulary,
        )
    protocol = imported.evaluator.protocol
    parameters = sum(weight.numel() for weight in imported.evaluator.network.parameters())
    print_table(
        [
            ("evaluator", str(output)),
            ("reads", f"{imported.evaluator.dataset}, {parameters / 1e6:.1f} M parameters"),
            ("pool", f"{protocol.pool} clips"),
            ("captions", imported.captions),
            ("next", f"intermask evaluate MODEL --data DIR --evaluator {output} -o REPORT"),
        ]
    )
