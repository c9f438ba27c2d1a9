"""Text files of motion capture (BVH, ASF, AMC): read whole, walked through line by line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from intermask.errors import UserError


def read_capture_text(path: str | Path, kind: str) -> str:
    """Text of a file that may be gzipped, whatever its ending.

    Args:
        path: the file.
        kind: format, for errors: "BVH".

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        ending = kind.lower()
        raise FileNotFoundError(
            f"There is no {kind} file {path}; give the path of a .{ending} or .{ending}.gz."
        )
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        return data.decode("utf-8", errors="replace")
    except (EOFError, OSError, gzip.BadGzipFile) as error:
        raise UserError(
            f"{path} cannot be read as {kind}: {error}. The file may be cut short; copy it again."
        ) from error


class LineReader:
    """Lines of a file with the number of the current one, for errors that name it.

    Args:
        text: of the file.
        source: its name, for errors.
        kind: its format, for errors: "BVH".
        comment: what starts a remark that lasts to the end of a line; "" if the format has none.
    """

    def __init__(self, text: str, source: str, kind: str, comment: str = "") -> None:
        self.lines = text.splitlines()
        self.source = source
        self.kind = kind
        self.comment = comment
        self.at = 0

    def next_or_none(self) -> list[str] | None:
        """Words of the next line that holds any, or None at the end."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            words = (line.partition(self.comment)[0] if self.comment else line).split()
            if words:
                return words
        return None

    def next(self) -> list[str]:
        """Words of the next line that holds any; a `UserError` at the end of the file."""
        words = self.next_or_none()
        if words is None:
            raise UserError(
                f"{self.source} ends at line {len(self.lines)} before its header is complete; "
                "the file is cut short, copy it again."
            )
        return words

    def fail(self, expected: str) -> UserError:
        """An error that names the line read last and what it should be."""
        line = self.lines[self.at - 1].strip() if self.at else ""
        return UserError(
            f"{self.source}, line {self.at}: expected {expected}, found {line[:60]!r}. "
            f"This is not a valid {self.kind} file."
        )

    def floats(self, words: list[str], count: int, expected: str) -> list[float]:
        """Exactly ``count`` finite numbers, or an error."""
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise self.fail(expected) from None
        if len(values) != count or not all(np.isfinite(values)):
            raise self.fail(expected)
        return values
