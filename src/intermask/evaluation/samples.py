"""Single motions of an evaluation, kept so that a person can look at them.

``NAME.safetensors`` holds ``generated`` and, if there is one, ``real``: either joint positions
(2, t, j, 3) in metres, y up, or features (2, t, 262), which begin with them; any float type.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from intermask.errors import UserError
from intermask.representation import FEATURES, decode_positions
from intermask.skeleton import SMPL22


@dataclass(frozen=True)
class SamplePair:
    """A generated motion and the real one of the same caption."""

    generated: Tensor
    """(2, t, 22, 3) metres, y up."""
    real: Tensor | None

    @property
    def frames(self) -> int:
        """Of the generated motion."""
        return self.generated.shape[1]

    def motions(self) -> dict[str, Tensor]:
        """Those that are there, by name."""
        both = {"generated": self.generated, "real": self.real}
        return {name: motion for name, motion in both.items() if motion is not None}


def write_sample(path: Path, generated: Tensor, real: Tensor | None = None) -> None:
    """Write a sample as float16: millimetres within a few metres of the origin.

    Args:
        path: the file; it is whole or absent.
        generated: positions (2, t, j, 3), or features (2, t, 262) of which the positions are kept.
        real: the same of the real clip.
    """
    from safetensors.torch import save_file

    from intermask.files import atomic_path

    pair = SamplePair(generated, real).motions()
    kept = {name: _positions(motion, path).half().contiguous() for name, motion in pair.items()}
    with atomic_path(path) as temporary:
        save_file(kept, temporary)
        temporary.chmod(0o644)  # safetensors makes private files; a report is to be shared


def read_sample(path: Path) -> SamplePair:
    """Read a sample.

    Raises:
        FileNotFoundError: no such file.
        UserError: a file of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} is no sample of an evaluation: {error}") from error
    if "generated" not in tensors:
        raise UserError(f"{path} holds {sorted(tensors)}; expected generated, and perhaps real")
    motions = {name: _positions(tensors[name], path) for name in ("generated", "real")
               if name in tensors}  # fmt: skip
    return SamplePair(motions["generated"], motions.get("real"))


def _positions(motion: Tensor, path: Path) -> Tensor:
    """Body joints (2, t, 22, 3) of positions or features."""
    if motion.ndim == 3 and motion.shape[-1] == FEATURES:
        motion = decode_positions(motion)
    body = SMPL22.joint_count
    if motion.ndim != 4 or len(motion) != 2 or motion.shape[2] < body or motion.shape[3] != 3:
        raise UserError(
            f"{path} holds a motion of shape {tuple(motion.shape)}; expected (2, frames, 22, 3) or "
            f"(2, frames, {FEATURES})"
        )
    return motion[:, :, :body].float()
