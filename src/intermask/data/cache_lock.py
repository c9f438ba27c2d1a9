"""One process computes an entry of the cache while others wait for it.

The operating system ends a lock with the process that held it, however that ended, so that nobody
waits for the dead. Where a file system knows no locks, everybody computes: entries appear whole,
and the first one to appear is everybody's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)


def lock_of(target: Path) -> Path:
    """The file that is locked while an entry is made; it is gone afterwards."""
    return target.with_name(f".{target.name}.lock")


@contextmanager
def one_at_a_time(target: Path) -> Iterator[None]:
    """Wait until no other process is at work on an entry; then others wait.

    Args:
        target: the entry, made or not.
    """
    from filelock import FileLock

    path = lock_of(target)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    held = _acquire(lock, target)
    try:
        yield
    finally:
        if held:
            # Who waits for the removed file finds the entry, or begins anew with another file.
            with suppress(OSError):
                path.unlink()
            lock.release()


def is_being_made(target: Path) -> bool:
    """Whether a process holds the lock of an entry now."""
    from filelock import FileLock, Timeout

    path = lock_of(target)
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False


def _acquire(lock: BaseFileLock, target: Path) -> bool:
    """Whether there is a lock to hold."""
    from filelock import Timeout

    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            logger.warning("another process is computing %s; waiting for it", target)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        logger.debug("%s cannot be locked: %s", target, error)
        return False
    return True
