"""Where the files of CLIP ViT-L/14@336 lie: in a given folder, or in the Hugging Face cache."""

from __future__ import annotations

from pathlib import Path

from intermask.errors import MissingExtra

REPOSITORY = "openai/clip-vit-large-patch14-336"
VOCABULARY = ("vocab.json", "merges.txt")
FILES = ("config.json", *VOCABULARY)
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Either file will do; the first one found is read."""


def find_files(
    source: Path | str | None = None, *, allow_download: bool = False
) -> dict[str, Path]:
    """Paths of ``config.json``, ``vocab.json``, ``merges.txt`` and, as ``weights``, the weights.

    Raises:
        FileNotFoundError: naming every file that is missing and where it belongs.
    """
    if source is not None and not Path(source).is_dir():
        raise FileNotFoundError(
            f"there is no CLIP folder {source}; give a folder with {what_to_bring()}"
        )
    if source is None and allow_download:
        _download()
    found = {name: _locate(source, name) for name in FILES}
    weights = [path for path in (_locate(source, name) for name in WEIGHTS) if path is not None]
    found["weights"] = weights[0] if weights else None
    files = {name: path for name, path in found.items() if path is not None}
    missing = [WEIGHTS[0] if name == "weights" else name for name in found if name not in files]
    if missing:
        place = f"the CLIP folder {source}" if source is not None else "the Hugging Face cache"
        raise FileNotFoundError(
            f"{place} lacks {', '.join(missing)} of {REPOSITORY}; nothing is downloaded by itself: "
            f"bring a folder with {what_to_bring()} and give its path, or fill the cache on a "
            f'connected machine with "hf download {REPOSITORY}"'
        )
    return files


def find_vocabulary(source: Path | str | None = None) -> tuple[Path, Path]:
    """Paths of ``vocab.json`` and ``merges.txt``, which need no weights beside them.

    Raises:
        FileNotFoundError: naming what is missing and where it belongs.
    """
    found = {name: _locate(source, name) for name in VOCABULARY}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        place = f"the CLIP folder {source}" if source is not None else "the Hugging Face cache"
        raise FileNotFoundError(
            f"{place} lacks {', '.join(missing)} of {REPOSITORY}; bring a folder with "
            f"{' and '.join(VOCABULARY)} and give its path"
        )
    vocabulary, merges = (path for path in found.values() if path is not None)
    return vocabulary, merges


def what_to_bring() -> str:
    """The files of the released repository, for a sentence that asks for them."""
    return f"config.json, {WEIGHTS[0]} (or {WEIGHTS[1]}), vocab.json and merges.txt of {REPOSITORY}"


def _locate(source: Path | str | None, name: str) -> Path | None:
    """Where a file lies in the given folder, or in the cache, if it is there at all."""
    if source is not None:
        path = Path(source) / name
        return path if path.is_file() else None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise MissingExtra("clip", "huggingface_hub") from error
    cached = try_to_load_from_cache(REPOSITORY, name)
    return Path(cached) if isinstance(cached, str) else None


def _download() -> None:
    """Fill the user's cache with the files that it lacks."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtra("clip", "huggingface_hub") from error
    try:
        for name in FILES:
            hf_hub_download(REPOSITORY, name)
        if not any(_locate(None, name) for name in WEIGHTS):
            try:
                hf_hub_download(REPOSITORY, WEIGHTS[0])
            except LocalEntryNotFoundError:
                raise
            except EntryNotFoundError:  # the repository offers only the older format
                hf_hub_download(REPOSITORY, WEIGHTS[1])
    except OSError as error:
        raise FileNotFoundError(
            f"{REPOSITORY} could not be downloaded ({type(error).__name__}); check the connection, "
            f"or bring a folder with {what_to_bring()} and give its path"
        ) from error
