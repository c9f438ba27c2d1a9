"""Who may import whom: downwards only, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import intermask

SOURCE = Path(intermask.__file__).parent

FOUNDATION = {"errors", "conventions", "files", "skeleton", "geometry", "kinematics", "config",
              "timeline", "joint_names"}  # fmt: skip

# A room is a module or a sub-package; every room of the package has a row here. Names with a dot
# let a room see one module of another.
MAY_IMPORT: dict[str, set[str]] = {
    # The floor: plain facts and maths.
    "errors": set(),
    "conventions": set(),
    "config": {"conventions"},
    "skeleton": set(),
    "timeline": set(),
    "joint_names": {"skeleton"},
    "files": {"errors"},
    "presets": {"config", "errors"},
    "devices": {"errors"},
    "geometry": {"skeleton"},
    "kinematics": {"geometry", "skeleton"},
    "smplx": {"errors", "geometry", "skeleton"},
    "solver": {"geometry", "skeleton"},  # two bodies and what they should meet
    # Motion in metres, as features, and as files.
    "motion": {"errors", "skeleton", "export.npz"},  # save and load, inside the methods
    "representation": {"conventions", "motion", "geometry", "skeleton"},
    "representation_smplx": {"representation", "geometry", "skeleton", "smplx"},
    "export": {"motion", *FOUNDATION},
    "data": {"representation", "representation_smplx", "motion", "smplx", *FOUNDATION},
    # Networks see tensors and sizes, never a dataset or a file.
    "masking": {"config"},
    "text": {"errors"},
    "models": {"config", "errors", "geometry", "masking", "skeleton", "text.features"},
    # A trained model, its files and its use.
    "bundle": {"models", "text", "representation", *FOUNDATION},
    "training": {
        "bundle", "data", "devices", "models", "masking", "motion", "representation",
        "representation_smplx", "smplx", "text", *FOUNDATION,
    },
    "generation": {
        "bundle", "data.augment", "devices", "models", "masking", "text", "representation",
        "representation_smplx", "motion", "smplx", "solver", *FOUNDATION,
    },
    "evaluation": {
        "bundle", "data", "devices", "generation", "masking", "models", "motion",
        "representation", "representation_smplx", "smplx", "text", "training", *FOUNDATION,
    },
    # Made data: people from a motion bank, who meet, judged by the metrics that models are measured
    # by. Nothing that learns from it sees how.
    "choreography": {
        "data", "evaluation.collision", "evaluation.physics", "motion", "representation", "solver",
        *FOUNDATION,
    },
    # What made data knows, asked of models: does motion do what its sentence says?
    "adherence": {
        "choreography", "data", "evaluation", "generation", "motion", "representation", "solver",
        *FOUNDATION,
    },
    # A generator with all its parts: a training run is a model, an evaluator compares drafts.
    "loading": {
        "devices", "evaluation.evaluators", "generation", "smplx", "text", "training.runs",
        *FOUNDATION,
    },
    # The authors' release, as networks of ours: models and evaluators.
    "official": {
        "bundle", "evaluation.evaluators", "models", "text", "representation", *FOUNDATION,
    },
    # The command line sees everything, and nobody sees it.
    "cli": {
        "adherence", "bundle", "choreography", "data", "devices", "evaluation", "export",
        "generation", "loading", "models", "motion",
        "official", "presets", "representation", "text", "training", *FOUNDATION,
    },
    "__main__": {"cli"},
}  # fmt: skip

# These cost seconds to import, or are not there in a base installation.
HEAVY = {
    "transformers", "tokenizers", "huggingface_hub", "sentence_transformers", "ftfy", "regex",
    "vtk", "vtkmodules", "imageio_ffmpeg", "PIL", "tensorboard", "scipy", "h5py", "matplotlib",
    "lightning_fabric", "yaml", "pygltflib",
}  # fmt: skip


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def module_of(path: Path) -> str:
    """``data.layout`` for ``data/layout.py``; a package's ``__init__`` is the package itself."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(tree: ast.AST) -> list[tuple[int, str]]:
    """(line, dotted module) of every import below a node; ``from a import b`` gives ``a.b``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write imports in full"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def own_imports(path: Path) -> list[tuple[int, str]]:
    """(line, module inside the package) of every import of ours in a file, wherever it stands."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = [(line, name) for line, name in imports(tree) if name.split(".")[0] == "intermask"]
    return [(line, name.removeprefix("intermask").strip(".")) for line, name in inside]


def runs_at_import(tree: ast.Module) -> list[ast.AST]:
    """Parts of a module that run when it is imported: not functions, not type-checking blocks."""
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        nodes.append(node)
        waiting += ast.iter_child_nodes(node)
    return nodes


def may_import(room: str, imported: str) -> bool:
    allowed = MAY_IMPORT[room] | {room}
    return any(imported == name or imported.startswith(f"{name}.") for name in allowed)


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_imports_go_downwards(path: Path) -> None:
    room = module_of(path).split(".")[0]
    if not room:
        return  # the package itself: public names, checked below
    assert room in MAY_IMPORT, f"{room} is a new room: say in MAY_IMPORT what it may see"
    wrong = [
        f"line {line} imports intermask.{name}"
        for line, name in own_imports(path)
        if name != "__version__" and not may_import(room, name)
    ]
    assert not wrong, f"{path.name} ({room} may see {sorted(MAY_IMPORT[room])}): {wrong}"


def test_the_rooms_stand_in_layers() -> None:
    """Every room sees only rooms above it in the table; the table itself has no circle."""
    seen: set[str] = set()
    for room, allowed in MAY_IMPORT.items():
        upwards = {name.split(".")[0] for name in allowed} - seen - {room}
        # Motion.save and Motion.load are the one door from a type to its file format.
        assert upwards <= ({"export"} if room == "motion" else set()), (room, upwards)
        seen.add(room)


def test_the_table_names_no_room_that_is_gone() -> None:
    rooms = {module_of(path).split(".")[0] for path in files()} - {""}
    assert set(MAY_IMPORT) - {"__main__"} <= rooms


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_nothing_heavy_is_imported_with_the_module(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    statements = [
        node for node in runs_at_import(tree) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    wrong = [
        f"line {line} imports {name}"
        for statement in statements
        for line, name in imports(statement)
        if name.split(".")[0] in HEAVY or name.startswith("torch.utils.tensorboard")
    ]
    assert not wrong, f"{path.name}: import these where they are used: {wrong}"


@pytest.mark.parametrize("path", files(), ids=module_of)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    if module_of(path).split(".")[0] in ("cli", "__main__"):
        return
    calls = [
        f"line {node.lineno}: {node.func.id}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "exit", "quit")
    ]
    assert not calls, f"{path.name}: {calls}"


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after running some code."""
    run = f"{code}\nimport sys; print(*sorted(m.split('.')[0] for m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", run], check=True, capture_output=True, text=True, timeout=120
    )
    return set(result.stdout.splitlines()[-1].split())


def test_importing_the_package_loads_nothing() -> None:
    assert not modules_after("import intermask") & (HEAVY | {"torch", "numpy"})


def test_help_loads_nothing_heavy() -> None:
    code = """
import sys
sys.argv = ["intermask", "--help"]
from intermask.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code
"""
    assert not modules_after(code) & HEAVY


def test_public_names_are_found_and_listed() -> None:
    for name in intermask.__all__:
        assert getattr(intermask, name) is not None
        assert name in dir(intermask)
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        _ = intermask.utils
