"""The dependency direction, as a test: a storey imports only the storeys below it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "vitrail"
STOREYS = (
    {
        "version", "errors", "registry", "events", "settings", "runs", "files",
        "tensors", "images", "image_files", "decoding", "devices", "process", "process_group", "distributed",
        "tables", "task", "preprocessing", "class_names", "interrupts", "formatting", "tars", "path_list",
    },
    {"datasets", "backbones", "plots"},
    {"image_ascent", "gan_training", "sharding"},
    {"attributions", "attacks", "visualisation", "transfer", "gan_architectures", "metrics"},
    {"tasks", "report"},
    {"studio"},
    {"cli"},
)  # fmt: skip
LEVEL = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}
MAY_BE_READ_BY_TASKS = {"report"}  # the storey's other room: a task writes the page


def rooms_imported(path: Path) -> set[str]:
    tree = list(ast.walk(ast.parse(path.read_text())))
    names = [f"{n.module}.{a.name}" for n in tree if isinstance(n, ast.ImportFrom) for a in n.names]
    names += [a.name for n in tree if isinstance(n, ast.Import) for a in n.names]
    rooms = {name.split(".")[1] for name in names if name.startswith("vitrail.")}
    return {room for room in rooms if (PACKAGE / room).exists() or (PACKAGE / f"{room}.py").exists()}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if home in ("__init__", "__main__"):
        return
    for room in rooms_imported(path) - {home}:
        below = LEVEL[room] < LEVEL[home] or LEVEL[home] == 0
        assert below or (home == "tasks" and room in MAY_BE_READ_BY_TASKS), f"{home} may not import {room}"
