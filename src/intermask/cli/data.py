"""``data import`` and ``data check``: datasets in InterHuman's layout; and ``data cache``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from intermask.cli.cache import cache
from intermask.cli.console import print_table, progress_bar
from intermask.cli.humanness import humanness
from intermask.cli.making import make_app
from intermask.cli.options import TextSourceOption, examples
from intermask.cli.sheets import sheets
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.data.bvh import BvhPair
    from intermask.data.captions import CaptionStyle
    from intermask.data.check import CheckReport, Finding

PROBLEMS_FOUND = 1

data_app = typer.Typer(
    no_args_is_help=True,
    help="Import datasets, look through them, and see what trainings keep of them.",
)
import_app = typer.Typer(
    no_args_is_help=True,
    help="Turn motion of several kinds into one folder in InterHuman's layout.",
)
data_app.add_typer(import_app, name="import")
data_app.add_typer(make_app, name="make")
data_app.command(
    epilog=examples("intermask data cache", "intermask data cache --clean --unused 7")
)(cache)
data_app.command(
    epilog=examples("intermask data humanness data/open --real data/single --real data/salsa")
)(humanness)
data_app.command(
    epilog=examples(
        "intermask data sheets data/open -o families.html",
        "intermask data sheets data/open -o hugs.html --families hug,handshake --clips 6",
    )
)(sheets)

OutOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="OUT", help="The new dataset folder.")
]
SourceOption = Annotated[
    str, typer.Option("--source", help="Where the data came from; kept in provenance.json.")
]
LicenceOption = Annotated[
    str, typer.Option("--licence", help="The data's licence; kept in provenance.json.")
]


@import_app.command(
    "interhuman", epilog=examples("intermask data import interhuman InterHuman/ -o data/interhuman")
)
def import_interhuman(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Holds motions_processed/, annots/ and split/."),
    ],
    output: OutOption,
    link: Annotated[
        bool, typer.Option("--link", help="Hard links in place of copies, to save space.")
    ] = False,
) -> None:
    """Check a release of InterHuman and copy what can be used."""
    from intermask.data.interhuman import import_interhuman as read_release
    from intermask.files import check_new_folder

    check_new_folder(output)
    with progress_bar("checking and copying clips") as update:
        report = read_release(folder, output, link=link, progress=update)
    typer.echo(report.describe())


@import_app.command(
    "bvh",
    epilog=examples(
        "intermask data import bvh lead.bvh follow.bvh -o data/dance --fps 60",
        "intermask data import bvh takes/ -o data/salsa --fps 60 --scale 1.28 --drop-first 8",
        'intermask data import bvh --pairs pairs.csv -o data/boxing --activity "box"',
        "intermask data import bvh lead.bvh --write-mapping mapping.json",
    ),
)
def import_bvh(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[A.bvh B.bvh | DIR]",
            help="The two people of one take, or a folder with TAKE_1.bvh and TAKE_2.bvh, or "
            "A_TAKE.bvh and B_TAKE.bvh, of each take.",
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", metavar="CSV", help="In place of files: name,file_a,file_b,caption,split."
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option("--fps", help="The true frame rate. Default: the files', often wrong."),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale", help="Metres of one unit of the files. Default: by the people's size."
        ),
    ] = None,
    drop_first: Annotated[
        int, typer.Option("--drop-first", help="Frames to drop, such as a T-pose.", min=0)
    ] = 0,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--mapping",
            help="A file that maps joints to SMPL's 22, or the name of a built-in one.  "
            "Default: by the joints' names.",
        ),
    ] = None,
    write_mapping: Annotated[
        Path | None,
        typer.Option(
            "--write-mapping",
            metavar="FILE",
            help="Only write a mapping of the first file's joints, with what is recognised.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="The new dataset folder."),
    ] = None,
    validation: Annotated[
        list[str] | None,
        typer.Option("--val", metavar="TAKE", help="A take of DIR to validate with; repeatable."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option("--test", metavar="TAKE", help="A take of DIR to test with; repeatable."),
    ] = None,
    activity: Annotated[
        str, typer.Option("--activity", help='What people do, for captions: "dance salsa".')
    ] = "move together",
    style: Annotated[
        Literal["plain", "salsa"],
        typer.Option("--style", help="Words for captions; salsa names lead and follow."),
    ] = "plain",
    source: SourceOption = "",
    licence: LicenceOption = "",
) -> None:
    """Import takes of two people, a pair of BVH files each, that share one world.

    Joints named as by Mixamo, MotionBuilder, VRM, Unreal, LAFAN1, Rokoko, Xsens, Perception Neuron,
    DAZ, 3ds Max, SMPL or CMU's conversions are recognised, whatever the rest pose; others need a
    mapping. Faults of the capture are found, bridged and counted. The motion is moved onto one
    mean-adult body with hands and feet kept where they were in relation to the partner.
    """
    from intermask.data.bvh import import_bvh as read_takes
    from intermask.files import check_new_folder

    if write_mapping is not None:
        _write_mapping(inputs or [], pairs, write_mapping)
        return
    if output is None:
        raise UserError("say where the dataset is to be made: -o data/NAME")
    check_new_folder(output)
    takes = _takes(inputs or [], pairs, validation or (), test or ())
    with progress_bar("importing takes") as update:
        report = read_takes(
            takes,
            output,
            fps=fps,
            unit_scale=scale,
            drop_first=drop_first,
            mapping=mapping,
            style=_style(style, activity),
            source=source,
            licence=licence,
            progress=update,
        )
    typer.echo(report.describe())


@import_app.command(
    "cmu",
    epilog=examples(
        "intermask data import cmu subjects/ -o data/cmu",
        "intermask data import cmu bvh/ -o data/cmu --val 18_19_02 --test 20_21_05",
    ),
)
def import_cmu(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Holds, at any depth, SS.asf and SS_TT.amc, or SS_TT.bvh."
        ),
    ],
    output: OutOption,
    trials: Annotated[
        Path | None,
        typer.Option(
            "--trials",
            metavar="TOML",
            help="A list of trials and captions. Default: all 70 of the database.",
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="The true frame rate. Default: the list's.")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", help="Metres of one unit. Default: by the skeleton."),
    ] = None,
    drop_first: Annotated[
        int | None,
        typer.Option(
            "--drop-first", min=0, help="Frames to drop. Default: 8 of BVH files, which begin so."
        ),
    ] = None,
    validation: Annotated[
        list[str] | None,
        typer.Option("--val", metavar="TRIAL", help="A trial to validate with; repeatable."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option("--test", metavar="TRIAL", help="A trial to test with; repeatable."),
    ] = None,
) -> None:
    """Import two-person trials of CMU's motion capture database (subjects 18-23, 33-34, 60-61).

    Rates and captions come from a list of the trials, in which some are held out. Trials that lack
    a file, or whose files are damaged, are left out and named.
    """
    from intermask.data.cmu import import_cmu as read_trials
    from intermask.files import check_new_folder

    check_new_folder(output)
    with progress_bar("importing trials") as update:
        report = read_trials(
            folder,
            output,
            trials=trials,
            fps=fps,
            unit_scale=scale,
            drop_first=drop_first,
            validation=validation or (),
            test=test or (),
            progress=update,
        )
    typer.echo(report.describe())


@import_app.command(
    "grapplemap",
    epilog=examples("intermask data import grapplemap GrappleMap.txt -o data/grapplemap"),
)
def import_grapplemap(
    file: Annotated[Path, typer.Argument(metavar="GrappleMap.txt", help="The text file.")],
    output: OutOption,
    clips: Annotated[int, typer.Option("--clips", help="Clips to make, over all splits.")] = 900,
    seed: Annotated[int, typer.Option("--seed", help="Of the chains of transitions.")] = 0,
) -> None:
    """Import GrappleMap: grappling drawn by hand, its transitions chained into longer clips."""
    from intermask.data.grapplemap import import_grapplemap as read_map
    from intermask.files import check_new_folder

    check_new_folder(output)
    with progress_bar("importing clips") as update:
        report = read_map(file, output, seed=seed, clips=clips, progress=update)
    print_table(
        [
            ("read", f"{report.positions} positions, {report.transitions} transitions"),
            *(
                (split, f"{count} clips, {report.seconds[split] / 60:.1f} minutes")
                for split, count in report.clips.items()
            ),
            ("largest step at a seam", f"{report.worst_seam_mm:.1f} mm"),
            (
                "contact error",
                f"{report.contact_error_before_mm:.1f} -> {report.contact_error_after_mm:.1f} mm",
            ),
            (
                "of hands and feet",
                f"{report.limb_error_before_mm:.1f} -> {report.limb_error_after_mm:.1f} mm",
            ),
            ("written to", str(output)),
        ]
    )


@import_app.command("single", epilog=examples("intermask data import single clips/ -o data/single"))
def import_single(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="NAME.npz with joints22 (t, 22, 3) in metres, y up."),
    ],
    output: OutOption,
    source: SourceOption = "",
    licence: LicenceOption = "",
) -> None:
    """Import motion of single people, which helps the tokenizer (it sees one person at a time)."""
    from intermask.data.single import import_single as read_folder
    from intermask.files import check_new_folder

    check_new_folder(output)
    with progress_bar("importing files") as update:
        report = read_folder(folder, output, source=source, licence=licence, progress=update)
    typer.echo(report.describe())


@data_app.command(
    epilog=examples("intermask data check data/salsa", "intermask data check data/salsa --limit 0")
)
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder.")],
    encoder: Annotated[
        Literal["minilm", "clip"] | None,
        typer.Option("--encoder", help="Count caption tokens with it. Default: count words."),
    ] = None,
    text_source: TextSourceOption = None,
    limit: Annotated[
        int, typer.Option("--limit", help="Clips named for each kind of finding; 0: all.", min=0)
    ] = 10,
) -> None:
    """Look through a dataset: counts, lengths, damage, captions, stretching bones, by clip name.

    Problems are what training would skip or refuse; the exit code is then 1. Notes are fine, but
    worth knowing.
    """
    from intermask.data.check import check_dataset

    with progress_bar("reading clips") as update:
        report = check_dataset(folder, is_too_long=_too_long(encoder, text_source), progress=update)
    _print_splits(report)
    _print_bones(report)
    _print_findings("note", report.notes, limit)
    _print_findings("problem", report.problems, limit)
    if report.problems:
        typer.echo(f"{len(report.problems)} problems")
        raise typer.Exit(PROBLEMS_FOUND)
    typer.echo("no problems")


def _write_mapping(inputs: Sequence[Path], pairs: Path | None, output: Path) -> None:
    from intermask.data.bvh_file import parse_bvh
    from intermask.data.bvh_mapping import draft_of_mapping, match_joints
    from intermask.files import atomic_path

    one_file = len(inputs) == 1 and inputs[0].is_file()
    first = inputs[0] if one_file else _takes(inputs, pairs, (), ())[0].file_a
    file = parse_bvh(first)
    with atomic_path(output) as temporary:
        temporary.write_text(draft_of_mapping(file), encoding="utf-8")
    missing = match_joints(file).missing
    if missing:
        typer.echo(f"{output}: fill in {', '.join(missing)}, and give it with --mapping {output}")
    else:
        typer.echo(f"{output}: all 22 joints of {first} were recognised; give it with --mapping")


def _takes(
    inputs: Sequence[Path], pairs: Path | None, validation: Sequence[str], test: Sequence[str]
) -> list[BvhPair]:
    from intermask.data.bvh import BvhPair, pairs_from_table
    from intermask.data.bvh_pairs import pairs_in_folder

    if bool(inputs) == (pairs is not None):
        raise UserError("give BVH files or a folder of them, or a table with --pairs, not both")
    if pairs is not None:
        return pairs_from_table(pairs)
    if len(inputs) == 1 and not inputs[0].is_file():
        return pairs_in_folder(inputs[0], validation, test)
    if len(inputs) != 2:
        raise UserError(
            f"{len(inputs)} inputs were given; expected the BVH files of two people, or one folder"
        )
    first, second = inputs
    return [BvhPair(first.stem.partition(".")[0], first, second)]


def _style(name: str, activity: str) -> CaptionStyle:
    from intermask.data.captions import CaptionStyle, salsa_style

    return salsa_style() if name == "salsa" else CaptionStyle(activity=activity)


def _too_long(encoder: str | None, text_source: Path | None) -> Callable[[str], bool] | None:
    if encoder is None:
        return None
    from intermask.text import load_text_encoder

    loaded = load_text_encoder(encoder, text_source)
    return lambda caption: loaded.count_tokens(caption) > loaded.max_tokens


def _print_splits(report: CheckReport) -> None:
    people = "two people" if report.people == 2 else "one person"
    typer.echo(f"{report.root}: {report.layout}, {people} a clip")
    typer.echo(
        f"  {'split':<6}{'clips':>7}{'usable':>8}{'minutes':>9}{'captions':>10}"
        "   shortest, median, longest"
    )
    for split in report.splits:
        low, middle, high = split.lengths
        typer.echo(
            f"  {split.name:<6}{split.listed:>7}{split.usable:>8}{split.seconds / 60:>9.1f}"
            f"{split.captions:>10}   {low:.1f}, {middle:.1f}, {high:.1f} s"
        )


def _print_bones(report: CheckReport) -> None:
    if not report.bones:
        return
    typer.echo("bone lengths, deviation over mean within a clip (the three that vary most)")
    for bone in report.bones[:3]:
        typer.echo(
            f"  {bone.bone}: {100 * bone.mean:.2f} % on average, {100 * bone.worst:.2f} % in "
            f"{bone.worst_clip or 'none'}"
        )


def _print_findings(title: str, findings: Sequence[Finding], limit: int) -> None:
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for each in findings:
        kinds[each.kind].append(each)
    for kind, members in kinds.items():
        typer.echo(f"{title}: {kind} ({len(members)})")
        shown = members if limit == 0 else members[:limit]
        for each in shown:
            typer.echo(f"  {each.clip}: {each.detail}")
        if len(shown) < len(members):
            typer.echo(f"  and {len(members) - len(shown)} more (--limit 0 names all)")
