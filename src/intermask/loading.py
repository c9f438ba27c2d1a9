"""A generator with all its parts, out of folders: model, text encoder, body, evaluator."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from intermask.devices import select_device
from intermask.errors import UserError
from intermask.generation.drafts import Critic
from intermask.generation.generator import InteractionGenerator
from intermask.smplx import BODY_MODEL, load_rest_body
from intermask.text import TextEncoder

EVALUATOR = "evaluator"
"""Folder in a model's folder that holds an evaluator of its motion."""


def load_generator(
    model: str | Path | None = None,
    device: str = "auto",
    text_source: str | Path | None = None,
    smplx: str | Path | None = None,
    evaluator: str | Path | None = None,
) -> InteractionGenerator:
    """A generator, ready to be called.

    Args:
        model: a bundle or a transformer run; None: the built-in model.
        device: ``auto`` (a CUDA GPU if there is one, else Apple's, else the CPU) or a device of
            torch.
        text_source: folder with the files of the model's text encoder, if it is not installed.
            The encoder is loaded when the first text is read.
        smplx: ``SMPLX_NEUTRAL.npz``, which models of Inter-X need; by default the file of that
            name in the model's folder, if there is one.
        evaluator: compares drafts with their sentence; by default the folder ``evaluator`` in the
            model's folder, if there is one. It is loaded when the first drafts are compared.

    Raises:
        UserError: no such model or device.
    """
    from intermask.training.runs import load_model

    chosen = select_device(device)
    folder = builtin_model() if model is None else Path(model)
    loaded = load_model(folder)
    source = None if text_source is None else Path(text_source)
    beside = folder / BODY_MODEL
    body_model = Path(smplx) if smplx is not None else beside if beside.is_file() else None

    def load_encoder() -> TextEncoder:
        from intermask.text import load_text_encoder

        return load_text_encoder(loaded.config.text.encoder, text_source)

    judge = Path(evaluator) if evaluator is not None else folder / EVALUATOR
    if evaluator is not None and not judge.is_dir():
        raise UserError(f"there is no folder {str(evaluator)!r}; expected that of an evaluator")

    def load_critic() -> Critic:
        from intermask.evaluation.evaluators.folder import load_evaluator

        critic = load_evaluator(judge, chosen, text_source=source)
        if critic.dataset != loaded.config.dataset:
            raise UserError(
                f"the evaluator in {judge} reads motion of {critic.dataset}, but the model "
                f"{loaded.config.name} makes that of {loaded.config.dataset}"
            )
        return critic

    return InteractionGenerator(
        loaded,
        load_encoder,
        chosen,
        critic=load_critic if judge.is_dir() else None,
        body=None if body_model is None else lambda: load_rest_body(body_model),
    )


def builtin_model() -> Path:
    """The folder of the bundle that comes with the package.

    Raises:
        UserError: this installation has none.
    """
    folder = Path(str(resources.files("intermask") / "builtin"))
    if not folder.is_dir():
        raise UserError(
            "this installation has no built-in model; name one with --model RUN or BUNDLE "
            '(in Python: load_generator("BUNDLE"))'
        )
    return folder
