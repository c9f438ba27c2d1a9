"""bundle, import-official, export and info."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from intermask import __version__
from intermask.cli import models


def test_info_of_this_installation(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.EXTRAS, "train", ("no_such_module",))
    result = run("info")
    assert result.exit_code == 0, result.output
    for word in (__version__, "torch", "device", "built-in model", '"intermask[train]"'):
        assert word in result.stdout


def test_info_of_a_motion(run: Any, walk: Path) -> None:
    result = run("info", walk)
    assert "1.50 s, 45 frames" in result.stdout
    assert "Two people walk towards each other." in result.stdout


def test_info_of_a_bundle(run: Any, bundle: Path) -> None:
    result = run("info", bundle)
    assert "tiny" in result.stdout
    assert "minilm" in result.stdout


def test_info_of_something_else(fails: Any, tmp_path: Path) -> None:
    assert "not a training run" in fails("info", tmp_path)
    assert "no motion file" in fails("info", tmp_path / "absent.npz")


def test_export_to_bvh(run: Any, walk: Path, tmp_path: Path) -> None:
    result = run("export", walk, "--to", "bvh,npz", "-o", tmp_path / "copy")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["copy.npz", "copy_1.bvh", "copy_2.bvh"]


def test_export_to_something_else(fails: Any, walk: Path) -> None:
    assert "'fbx'; choose from" in fails("export", walk, "--to", "fbx")


def test_a_bundle_of_a_bundle_in_half_the_size(run: Any, bundle: Path, tmp_path: Path) -> None:
    result = run("bundle", bundle, "-o", tmp_path / "half", "--half", "--name", "lighter")
    assert result.exit_code == 0, result.output

    def size(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.glob("*.safetensors"))

    assert size(tmp_path / "half") < 0.7 * size(bundle)
    assert "lighter" in run("info", tmp_path / "half").stdout


def test_a_bundle_is_not_written_over(fails: Any, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "exists already" in fails("bundle", bundle, "-o", tmp_path)


def test_import_official_names_what_is_missing(fails: Any, tmp_path: Path) -> None:
    assert "checkpoints" in fails("import-official", tmp_path, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "-o BUNDLE" in fails("import-official", tmp_path)


def test_import_official(run: Any, tmp_path: Path) -> None:
    release = Path(__file__).parent.parent / "golden" / "official_layout"
    result = run("import-official", release, "--check")
    assert result.exit_code == 0, result.output
    assert "tokenizer sha256" in result.stdout
    assert not list(tmp_path.iterdir())
    result = run("import-official", release, "-o", tmp_path / "official")
    assert result.exit_code == 0, result.output
    assert "sha256" not in result.stdout
    assert "clip" in run("info", tmp_path / "official").stdout


def test_help_needs_no_networks() -> None:
    """Start-up is what every command pays: nothing heavy before a command asks for it."""
    code = """
import sys
from intermask.cli import main
for arguments in (["--help"], ["generate", "--help"], ["train", "tokenizer", "--help"]):
    sys.argv = ["intermask", *arguments]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
assert not {"torch", "numpy", "scipy", "transformers", "vtkmodules"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)


def test_commands_have_help_with_examples(run: Any) -> None:
    commands = (
        ["generate"], ["react"], ["complete"], ["export"], ["info"], ["bundle"],
        ["import-official"], ["train", "tokenizer"], ["train", "transformer"], ["data", "check"],
        *(["data", "import", kind] for kind in ("interhuman", "bvh", "grapplemap", "single")),
    )  # fmt: skip
    for command in commands:
        result = run(*command, "--help")
        assert result.exit_code == 0, result.output
        assert f"intermask {' '.join(command)}" in result.stdout


def test_version(run: Any) -> None:
    assert run("--version").stdout.strip() == f"intermask {__version__}"


def test_a_bundle_with_an_evaluator(run: Any, bundle: Path, tmp_path: Path) -> None:
    from intermask.loading import EVALUATOR, builtin_model

    judge = builtin_model() / EVALUATOR
    run("bundle", bundle, "-o", tmp_path / "judged", "--half", "--evaluator", judge)
    written = json.loads((tmp_path / "judged" / EVALUATOR / "config.json").read_text("utf-8"))
    shipped = json.loads((judge / "config.json").read_text("utf-8"))
    assert written["fingerprint"] == shipped["fingerprint"]
    assert written["provenance"] == shipped["provenance"]


def test_an_evaluator_that_is_none_leaves_no_bundle(
    fails: Any, bundle: Path, tmp_path: Path
) -> None:
    assert "is a bundle" in fails("bundle", bundle, "-o", tmp_path / "new", "--evaluator", bundle)
    assert not (tmp_path / "new").exists()
