"""The command line: parses, calls, prints; what it calls can be called from Python as well.

Nothing heavy is imported before a command needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from intermask import __version__
from intermask.cli.bench import bench_app
from intermask.cli.clean import clean
from intermask.cli.compare import compare
from intermask.cli.contacts import evaluate_contacts
from intermask.cli.data import data_app
from intermask.cli.editing import complete, edit, extend, mirror, react, swap, vary
from intermask.cli.evaluate import evaluate
from intermask.cli.evaluators import import_evaluator
from intermask.cli.export import export
from intermask.cli.failures import SentenceGroup
from intermask.cli.gallery import gallery
from intermask.cli.generate import generate
from intermask.cli.measure import measure
from intermask.cli.models import bundle, import_official, info
from intermask.cli.nearest import nearest
from intermask.cli.option_groups import grouped
from intermask.cli.options import examples
from intermask.cli.runs import runs_app
from intermask.cli.story import story
from intermask.cli.tokenizer import evaluate_tokenizer
from intermask.cli.train import train_app

app = typer.Typer(
    name="intermask",
    cls=SentenceGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="3D motion of two interacting people from text (InterMask, ICLR 2025).",
    epilog=examples(
        'intermask generate "Two people dance salsa." --seconds 4 --seed 0 -o dance',
        "intermask info",
    ),
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"intermask {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Options of the whole program."""


app.command(
    epilog=examples(
        'intermask generate "Two people dance salsa." --seconds 4 --seed 0 -o dance',
        'intermask generate "One person throws the other." --formats npz,bvh',
        "intermask generate --prompts prompts.txt -o out/",
        'intermask generate "They dance salsa." --variants 3 -o dance',
        'intermask generate "Two people bow." --model runs/transformer -o bow',
    )
)(grouped(generate))
app.command(
    epilog=examples(
        'intermask react dance.npz "Two people dance salsa." --person 1 -o reply',
        'intermask react leader.bvh "Two people dance salsa." --variants 3 -o partner',
    )
)(grouped(react))
app.command(
    epilog=examples(
        'intermask complete dance.npz "They turn." --keep 0:1.0 --keep 3.0:4.0 -o filled',
        'intermask complete dance.npz "They turn." --keep 0:1.0 --person 2 -o filled',
    )
)(grouped(complete))
app.command(
    epilog=examples(
        'intermask edit dance.npz "They turn." --range 1.0:2.5 -o turned',
        "intermask edit dance.npz --range 1.0:2.5 --person 2 --variants 3",
    )
)(grouped(edit))
app.command(
    epilog=examples(
        'intermask extend dance.npz "They bow." --after 3 -o longer',
        "intermask extend dance.npz --before 2 --after 2",
    )
)(grouped(extend))
app.command(
    epilog=examples(
        "intermask vary dance.npz --variants 4 -o other",
        'intermask vary dance.npz "They turn quickly." --keep-ends 0.5 --person 1',
    )
)(grouped(vary))
app.command(epilog=examples("intermask swap dance.npz -o swapped"))(swap)
app.command(epilog=examples("intermask mirror dance.npz -o mirrored --formats npz,mp4"))(mirror)
app.command(
    epilog=examples(
        "intermask story --example > story.yaml",
        "intermask story story.yaml --check",
        "intermask story story.yaml -o out/story",
    )
)(grouped(story))
app.add_typer(train_app, name="train")
app.add_typer(runs_app, name="runs")
app.add_typer(bench_app, name="bench")
app.add_typer(data_app, name="data")
app.command(
    epilog=examples(
        "intermask export dance.npz --to glb,html",
        "intermask export dance.npz --to bvh --names mixamo -o for-mixamo",
        "intermask export dance.npz --to mp4,gif,sheet -o film",
    )
)(export)
app.command(
    epilog=examples(
        "intermask gallery gallery/prompts.txt -o gallery.html --motions out/",
        "intermask gallery prompts.txt --model runs/transformer -o mine.html",
        "intermask gallery out/ -o out.html",
    )
)(grouped(gallery))
app.command(
    epilog=examples(
        "intermask clean dance.npz -o cleaned",
        "intermask clean dance.npz --only feet,floor --strength 0.5 -o planted",
        "intermask clean out/ -o cleaned/",
    )
)(clean)
app.command(
    epilog=examples(
        "intermask measure dance.npz",
        "intermask measure out/ --data data/salsa",
        "intermask measure out/ --json > physics.json",
    )
)(measure)
app.command(
    epilog=examples(
        "intermask nearest out/ --data data/salsa --data data/grapplemap",
        "intermask nearest dance.npz --data data/salsa --held-out val",
    )
)(nearest)
app.command(
    epilog=examples(
        "intermask compare reports/before reports/after",
        "intermask compare reports/before reports/after --row 'tokenizer reconstruction'",
    )
)(compare)
app.command(
    "evaluate-tokenizer",
    epilog=examples(
        "intermask evaluate-tokenizer --data data/salsa -o tokenizer",
        "intermask evaluate-tokenizer runs/tokenizer --data data/salsa --evaluator interclip "
        "-o tokenizer",
    ),
)(evaluate_tokenizer)
app.command(
    "evaluate-contacts",
    epilog=examples(
        "intermask evaluate-contacts --data data/open -o contacts",
        "intermask evaluate-contacts runs/transformer --data data/open -o contacts --prompts 50",
    ),
)(evaluate_contacts)
app.command(
    epilog=examples("intermask info", "intermask info dance.npz", "intermask info runs/transformer")
)(info)
app.command(epilog=examples("intermask bundle runs/transformer -o mybundle --half"))(bundle)
app.command(
    "import-official", epilog=examples("intermask import-official InterMask/ -o official --check")
)(import_official)

app.command(
    epilog=examples(
        "intermask evaluate runs/transformer --data data/salsa --evaluator runs/evaluator "
        "-o report --quick",
        "intermask evaluate --data InterHuman --evaluator interclip -o report --shard 1/4",
        "intermask evaluate --data data/salsa --evaluator runs/evaluator -o report "
        "--rival mine=out/ --audit",
    )
)(evaluate)
app.command(
    "import-evaluator",
    epilog=examples(
        "intermask import-evaluator InterMask/ -o interclip",
        "intermask import-evaluator InterMask/ --dataset interx --glove Inter-X/glove -o interx",
    ),
)(import_evaluator)


def main() -> None:
    """Entry point of ``intermask``."""
    app()
