"""A small InterHuman in the exact layout of its release, with the usual dirt.

```
motions_processed/person{1,2}/NAME.npy   (t, 492) float32, z up: 62 positions, 51 rotations
annots/NAME.txt                          three captions, one a line
split/{train,val,test,ignore_list}.txt   names, one a line
motions/NAME.pkl                         the raw SMPL fit, which nothing here reads
```
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from intermask.data.layout import encode_raw
from intermask.geometry import axis_angle_to_matrix
from intermask.representation import JOINTS, RAW_POSITIONS, RAW_ROTATIONS, ROTATED
from walking import walking_pair

CLEAN = ("1", "2", "3", "10", "11", "100")
SHORT, NOT_A_NUMBER, SILENT, ODD, WINDOWS, TRUNCATED, ABSENT, LONG = map(str, range(20, 28))
IGNORED, IGNORED_AND_ABSENT = "30", "31"
USABLE = (*CLEAN, ODD, WINDOWS, LONG)

TRAIN = (
    *CLEAN[:3], SHORT, NOT_A_NUMBER, SILENT, ODD, WINDOWS, TRUNCATED, ABSENT, LONG, IGNORED,
    IGNORED_AND_ABSENT,
)  # fmt: skip
VAL, TEST = CLEAN[3:5], CLEAN[5:]

CAPTIONS = (
    "two people walk towards each other.",
    "the first one raises the left hand, then turns clockwise.",
    "one waits on the right while the other comes closer.",
)


def write_release(root: Path, *, dirty: bool = True) -> Path:
    """Write the clean clips and, if asked for, the others."""
    for folder in ("motions_processed/person1", "motions_processed/person2", "annots", "split"):
        (root / folder).mkdir(parents=True)
    (root / "motions").mkdir()
    names = CLEAN if not dirty else (*CLEAN, *(set(TRAIN) - set(CLEAN)))
    for name in sorted(names, key=int):
        _write_clip(root, name)
    if dirty:
        _spoil(root)
    train = TRAIN if dirty else CLEAN[:3]
    for split, members in (("train", train), ("val", VAL), ("test", TEST)):
        _write_list(root, split, members)
    _write_list(root, "ignore_list", (IGNORED, IGNORED_AND_ABSENT) if dirty else ())
    if dirty:
        (root / "split" / "val.txt").write_bytes("".join(f"{each}\r\n" for each in VAL).encode())
    return root


def _write_clip(root: Path, name: str) -> None:
    frames = {SHORT: 10, LONG: 330}.get(name, 70 + int(name) % 7)
    motion = walking_pair(frames, seed=int(name))
    generator = torch.Generator().manual_seed(int(name))
    for person in range(2):
        raw = encode_raw(motion.positions[person], motion.rotations[person])
        _fill_hands(raw, generator)
        np.save(root / "motions_processed" / f"person{person + 1}" / f"{name}.npy", raw)
    (root / "motions" / f"{name}.pkl").write_bytes(b"not read")
    (root / "annots" / f"{name}.txt").write_bytes("".join(f"{c}\n" for c in CAPTIONS).encode())


def _fill_hands(raw: np.ndarray, generator: torch.Generator) -> None:
    """The release has hands, too; importers of ours leave them at zero and identity."""
    hands = RAW_POSITIONS - JOINTS
    places = torch.randn(len(raw), hands * 3, generator=generator)
    raw[:, JOINTS * 3 : RAW_POSITIONS * 3] = places.numpy()
    turns = torch.randn(len(raw), RAW_ROTATIONS - ROTATED, 3, generator=generator)
    columns = axis_angle_to_matrix(turns)[..., :2].flatten(1)
    raw[:, RAW_POSITIONS * 3 + ROTATED * 6 :] = columns.numpy()


def _spoil(root: Path) -> None:
    motions, annots = root / "motions_processed", root / "annots"
    spoilt = motions / "person2" / f"{NOT_A_NUMBER}.npy"
    raw = np.load(spoilt)
    raw[33] = np.nan
    np.save(spoilt, raw)
    (annots / f"{SILENT}.txt").unlink()
    odd = "one says “hello”，the other – naïvely – waits.\n"
    (annots / f"{ODD}.txt").write_bytes((odd + "\n".join(CAPTIONS[1:])).encode())
    windows = "\ufeff" + "".join(f"{caption}\r\n" for caption in CAPTIONS)
    (annots / f"{WINDOWS}.txt").write_bytes(windows.encode())
    cut = motions / "person1" / f"{TRUNCATED}.npy"
    cut.write_bytes(cut.read_bytes()[:-1000])
    for name in (ABSENT, IGNORED_AND_ABSENT):
        for person in (1, 2):
            (motions / f"person{person}" / f"{name}.npy").unlink()


def _write_list(root: Path, name: str, members: tuple[str, ...]) -> None:
    lines = "".join(f"{each}\n" for each in members)
    (root / "split" / f"{name}.txt").write_bytes(lines.encode())
