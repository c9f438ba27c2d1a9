"""Reading the evaluators that the authors measured with, so that figures can be compared.

```
DIR/checkpoints/eval_model/{interclip.ckpt, eval_model.yaml}   InterHuman
DIR/checkpoints/.../text_mot_match/model/finest.tar            Inter-X
```

Sizes come from the weights and must agree with the yaml; nothing in a file can run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intermask.config import DataSet
from intermask.errors import MissingExtra, UserError
from intermask.evaluation.evaluators.evaluator import InterClipEvaluator, InterXPairEvaluator
from intermask.evaluation.evaluators.interclip import InterClip, InterClipConfig
from intermask.evaluation.evaluators.interx import InterXEvaluator, InterXEvaluatorConfig
from intermask.evaluation.evaluators.words import WordVectors
from intermask.models.transformer import PEOPLE, sinusoids
from intermask.official.configuration import default_text_heads
from intermask.official.evaluator_names import (
    INTERX_ENTRIES,
    MOTION_LAYERS,
    POSITIONS,
    TEXT_LAYERS,
    interclip_renaming,
    interx_evaluator_renaming,
)
from intermask.official.importer import load_weights
from intermask.official.tree import (
    Options,
    Run,
    check_nothing_is_left,
    check_weights,
    read_checkpoint,
)
from intermask.representation import DECODED
from intermask.text.clip_files import find_vocabulary
from intermask.text.clip_tokenizer import ClipTokenizer

INTERCLIP = "interclip.ckpt"
INTERCLIP_OPTIONS = "eval_model.yaml"
INTERX = Path("text_mot_match") / "model" / "finest.tar"


def import_interclip(
    folder: str | Path,
    *,
    tokenizer: ClipTokenizer | None = None,
    text_heads: int | None = None,
) -> InterClip:
    """InterHuman's evaluator, on the CPU in float32 and in evaluation mode.

    Args:
        folder: of the release (with ``checkpoints/``), or the one of both files.
        tokenizer: CLIP's, to read captions (its files: `intermask.text.clip_files`); without it
            only token ids can be embedded.
        text_heads: attention heads of the text transformer, which no file states; see
            `default_text_heads`.

    Raises:
        FileNotFoundError: a file is missing; it is named.
        UserError: something does not fit; the file and the weight or option are named.
        MissingExtra: PyYAML is not installed.
    """
    run = _read_interclip(Path(folder))
    network = InterClip(_interclip_config(run, text_heads), tokenizer)
    if tokenizer is not None and tokenizer.vocabulary_size > network.config.vocabulary:
        raise UserError(
            f"the tokenizer has {tokenizer.vocabulary_size} ids, {run.checkpoint} only "
            f"{network.config.vocabulary}; give CLIP's vocabulary"
        )
    _check_positions(run, network.config.width)
    load_weights(network, run, interclip_renaming())
    return network.eval()


def import_interx_evaluator(folder: str | Path) -> InterXEvaluator:
    """Inter-X's evaluator, on the CPU in float32 and in evaluation mode.

    Args:
        folder: of the release, any folder above ``text_mot_match/`` in it, or the file itself.

    Raises:
        FileNotFoundError: the file is missing.
        UserError: something does not fit; the file and the weight are named.
    """
    run = _read_interx(_find_interx(Path(folder)))
    network = InterXEvaluator(_interx_config(run))
    load_weights(network, run, interx_evaluator_renaming())
    return network.eval()


@dataclass(frozen=True)
class ImportedEvaluator:
    """An evaluator of the authors, ready to be used and saved."""

    evaluator: InterClipEvaluator | InterXPairEvaluator
    provenance: dict[str, Any]
    vocabulary: tuple[Path, ...]
    """Files of CLIP's vocabulary to keep beside InterCLIP."""
    captions: str
    """Whether it can read captions, in words."""


def import_evaluator(
    path: str | Path,
    *,
    dataset: DataSet | None = None,
    text_source: Path | None = None,
    text_heads: int | None = None,
    glove: Path | None = None,
) -> ImportedEvaluator:
    """Either evaluator of a release, with what it needs to read captions where that is at hand.

    Args:
        path: as for `import_interclip` or `import_interx_evaluator`.
        dataset: whose evaluator, where the folder holds both.
        text_source: folder with CLIP's ``vocab.json`` and ``merges.txt``. Default: the Hugging
            Face cache; without them InterCLIP reads motions only.
        text_heads: see `import_interclip`.
        glove: folder with Inter-X's word vectors. Default: ``glove`` in ``path``; without them
            its evaluator reads motions only.

    Raises:
        FileNotFoundError: a file is missing, or neither evaluator is there.
        UserError: something does not fit, or both are there and none was chosen.
    """
    path = Path(path)
    if (dataset or _only_dataset(path)) == "interx":
        return _interx_with_words(path, glove)
    return _interclip_with_vocabulary(path, text_source, text_heads)


def _only_dataset(path: Path) -> DataSet:
    """Whose evaluator a folder holds.

    Raises:
        FileNotFoundError: none.
        UserError: both.
    """
    folders = (path, path / "checkpoints" / "eval_model")
    names = (INTERCLIP, INTERCLIP_OPTIONS)
    interclip = any((folder / name).is_file() for folder in folders for name in names)
    interx = path.is_file() or bool(_interx_files(path))
    if interclip and interx:
        raise UserError(
            f"{path} holds both evaluators; say which one with --dataset interhuman or --dataset "
            "interx"
        )
    if not interclip and not interx:
        raise FileNotFoundError(
            f"{path} holds no evaluator: neither {INTERCLIP} with {INTERCLIP_OPTIONS} (there or in "
            f"checkpoints/eval_model), nor {INTERX} up to two folders below"
        )
    return "interhuman" if interclip else "interx"


def _interclip_with_vocabulary(
    path: Path, text_source: Path | None, text_heads: int | None
) -> ImportedEvaluator:
    vocabulary: tuple[Path, ...] = ()
    captions = (
        "not yet: CLIP's vocab.json and merges.txt are not at hand; give their folder as "
        "--text-source, now or whenever it is used"
    )
    try:
        vocabulary = find_vocabulary(text_source)
        captions = "read with CLIP's vocabulary, which is kept in the folder"
    except (FileNotFoundError, MissingExtra):
        if text_source is not None:
            raise
    tokenizer = ClipTokenizer.load(*vocabulary) if vocabulary else None
    network = import_interclip(path, tokenizer=tokenizer, text_heads=text_heads)
    return ImportedEvaluator(
        InterClipEvaluator(network=network, device=torch.device("cpu")),
        {"imported_from": f"{path.resolve().name}/{INTERCLIP}", "dataset": "InterHuman"},
        vocabulary,
        captions,
    )


def _interx_with_words(path: Path, glove: Path | None) -> ImportedEvaluator:
    network = import_interx_evaluator(path)
    vectors, captions = None, "not yet: the word vectors are not at hand; import it with --glove"
    if glove is not None or (path / "glove").is_dir():
        folder = glove or path / "glove"
        vectors = WordVectors.load(folder)
        if vectors.size != network.config.word:
            raise UserError(
                f"the word vectors in {folder} have {vectors.size} numbers, the evaluator reads "
                f"{network.config.word}; give the files of the same release"
            )
        captions = f"read with {len(vectors.vectors)} word vectors, which are kept in the folder"
    return ImportedEvaluator(
        InterXPairEvaluator(network=network, device=torch.device("cpu"), vectors=vectors),
        {"imported_from": f"{path.resolve().name}/{INTERX.name}", "dataset": "Inter-X"},
        (),
        captions,
    )


# --- InterHuman ----------------------------------------------------------------------------------


def _read_interclip(folder: Path) -> Run:
    inside = folder / "checkpoints" / "eval_model"
    folder = inside if inside.is_dir() else folder
    for name in (INTERCLIP, INTERCLIP_OPTIONS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing; InterHuman's evaluator is {INTERCLIP} and "
                f"{INTERCLIP_OPTIONS}, which the release has in checkpoints/eval_model"
            )
    path = folder / INTERCLIP
    content = read_checkpoint(path)
    if "state_dict" not in content:
        raise UserError(f"{path} holds {', '.join(map(str, content))}, but not 'state_dict'")
    weights = content.pop("state_dict")
    check_weights(weights, "state_dict", path)
    check_nothing_is_left(content, "state_dict", path)
    return Run(
        folder=folder,
        checkpoint=path,
        options=_read_yaml(folder / INTERCLIP_OPTIONS),
        weights=dict(weights),
        frozen=(),
        training_state={},
    )


def _read_yaml(path: Path) -> Options:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtra("clip", "yaml") from error
    try:
        values: Any = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML; expected lines of 'KEY: value'") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} states no option; expected lines of 'KEY: value'")
    return Options(path, {str(key): value for key, value in values.items()})


def _interclip_config(run: Run, text_heads: int | None) -> InterClipConfig:
    width, columns = run.sizes("model.motion_encoder.embed_motion.weight")
    feedforward, _ = run.sizes(f"{MOTION_LAYERS}0.linear1.weight")
    layers = run.count(MOTION_LAYERS)
    vocabulary, text_width = run.sizes("model.token_embedding.weight")
    context, _ = run.sizes("model.positional_embedding")
    embedding, _ = run.sizes("model.out.weight")
    one_person = DECODED.stop - DECODED.start
    if columns != PEOPLE * one_person:
        raise UserError(
            f"{run.checkpoint} reads {columns} numbers a frame; expected {PEOPLE} people of "
            f"{one_person}"
        )
    stated: dict[str, object] = {
        "NAME": "InterCLIP",
        "INPUT_DIM": one_person,
        "LATENT_DIM": width,
        "FF_SIZE": feedforward,
        "NUM_LAYERS": layers,
        "ACTIVATION": "gelu",
    }
    for key, found in stated.items():
        run.options.expect(key, found, f"{run.checkpoint} needs")
    try:
        return InterClipConfig(
            width=width,
            layers=layers,
            heads=run.options.require("NUM_HEADS", int),
            feedforward=feedforward,
            text_width=text_width,
            text_layers=run.count(TEXT_LAYERS),
            text_heads=default_text_heads(text_width) if text_heads is None else text_heads,
            text_feedforward=run.sizes(f"{TEXT_LAYERS}0.linear1.weight")[0],
            vocabulary=vocabulary,
            context=context,
            embedding=embedding,
            dropout=run.options.get("DROPOUT", InterClipConfig.dropout),
        )
    except UserError:
        raise
    except ValueError as error:  # sizes that no network can have
        raise UserError(
            f"{run.checkpoint} and {run.options.path} do not make an evaluator: {error}"
        ) from error


def _check_positions(run: Run, width: int) -> None:
    """The release stores the waves of its positions; ours are computed for the motion at hand."""
    stored = run.weights.get(POSITIONS)
    if stored is None:
        return
    length = stored.shape[0]
    expected = sinusoids(length, width, torch.device("cpu"))
    if stored.shape != expected.shape or not torch.allclose(stored.float(), expected, atol=1e-3):
        raise UserError(
            f"{POSITIONS!r} in {run.checkpoint} has shape {tuple(stored.shape)} and does not hold "
            f"the released position encoding of width {width}"
        )


# --- Inter-X -------------------------------------------------------------------------------------


def _find_interx(folder: Path) -> Path:
    if folder.is_file():
        return folder
    found = _interx_files(folder)
    if not found:
        raise FileNotFoundError(
            f"{folder / INTERX} is missing, and no folder below {folder} has it; give the folder "
            "with Inter-X's evaluator"
        )
    if len(found) > 1:
        raise UserError(f"several evaluators: {', '.join(map(str, found))}; give one of the files")
    return found[0]


def _interx_files(folder: Path) -> list[Path]:
    return sorted(
        path for start in ("", "*/", "*/*/") for path in folder.glob(f"{start}{INTERX.as_posix()}")
    )


def _read_interx(path: Path) -> Run:
    content = read_checkpoint(path)
    weights: dict[str, Tensor] = {}
    for entry in INTERX_ENTRIES:
        if entry not in content:
            raise UserError(f"{path} holds {', '.join(map(str, content))}, but not {entry!r}")
        part = content.pop(entry)
        check_weights(part, entry, path)
        weights |= {f"{entry}.{name}": value for name, value in part.items()}
    check_nothing_is_left(content, INTERX_ENTRIES[0], path)
    return Run(
        folder=path.parent.parent,
        checkpoint=path,
        options=Options(path, {}),
        weights=weights,
        frozen=(),
        training_state={},
    )


def _interx_config(run: Run) -> InterXEvaluatorConfig:
    default = InterXEvaluatorConfig()
    movement, _ = run.sizes("movement_encoder.out_net.weight")
    word, word_classes = run.sizes("text_encoder.pos_emb.weight")
    hidden, columns, _ = _convolution(run)
    if columns != default.columns:
        raise UserError(
            f"{run.checkpoint} reads {columns} numbers a frame; expected the "
            f"{default.columns} of two people"
        )
    return InterXEvaluatorConfig(
        columns=columns,
        movement_hidden=hidden,
        movement=movement,
        motion_hidden=run.sizes("motion_encoder.input_emb.weight")[0],
        word=word,
        word_classes=word_classes,
        text_hidden=run.sizes("text_encoder.input_emb.weight")[0],
        embedding=run.sizes("motion_encoder.output_net.3.weight")[0],
    )


def _convolution(run: Run) -> tuple[int, ...]:
    name = "movement_encoder.main.0.weight"
    if name not in run.weights:
        raise UserError(f"{run.checkpoint} lacks {name!r}")
    shape = tuple(run.weights[name].shape)
    if len(shape) != 3:
        raise UserError(f"{name!r} in {run.checkpoint} has shape {shape}; expected three axes")
    return shape
