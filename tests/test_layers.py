"""The architecture as a table, and a check that the code keeps to it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "tinydeploy"

BELOW = "everything below"

# What each stage may import, besides itself. The order is the order of the layers: a row names only rows further down.
# An empty row is a stage that stands on nothing of this project.
MAY_IMPORT = {
    "pytest_plugin": BELOW,
    "cli": BELOW,
    "benchmark": BELOW,
    "pipeline": BELOW,
    "report": BELOW,
    "testing": "budget building running integer_model deployment progress bench verify samples link devices project "
    "plan engines boards model files errors",
    "verifying": "building running integer_model deployment progress localize bench verify samples link plan engines",
    "building": "running planning integer_model deployment progress link build image project plan engines boards files",
    "budget": "planning integer_model lock cost image plan engines boards memory model files errors",
    "planning": "lock plan engines boards model errors",
    "doctor": "verify build devices engines boards process files errors",
    "compress": "errors",
    "integer_model": "progress convert samples model errors",
    "running": "contact deployment link devices project plan progress errors",
    "monitor": "verify samples link boards model errors",
    "lock": "deployment engines model files errors",
    "cost": "bench plan engines model",
    "deployment": "convert localize bench verify link devices image project plan engines",
    "progress": "convert plan",
    "localize": "convert verify link samples engines memory model errors",
    "convert": "verify samples engines worker model process files errors",
    "contact": "link devices boards errors",
    "bench": "link boards errors",
    "verify": "link samples worker model process files errors",
    "samples": "model files errors",
    "link": "model errors",
    "devices": "boards build project platformio process files errors",
    "build": "project boards platformio image files process errors",
    "platformio": "boards files process errors",
    "image": "errors",
    "project": "engines boards templates files errors",
    "plan": "engines boards model errors",
    "engines": "boards config memory model templates files errors",
    "boards": "files errors",
    "config": "errors",
    "memory": "model errors",
    "worker": "model process errors",
    "model": "files errors",
    "templates": "files errors",
    "process": "errors",
    "files": "errors",
    "errors": "",
}

# The doors to the world: the module, and the only stage that goes through it.
ONLY_IN = {
    "subprocess": "process",
    "multiprocessing": "process",
    "serial": "devices",
}

WRITING_METHODS = {"write_text", "write_bytes", "mkdir", "touch", "unlink", "rmdir", "symlink_to", "hardlink_to"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] != "data":
            yield path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def stage_of(path: Path) -> str:
    """The name in the table: of a module at the top, or of the folder that a module is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, at the top or in a function."""
    here = ("tinydeploy", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*here[: len(here) - node.level + 1], *filter(None, [node.module])))
            source = base if node.level else node.module or ""
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def stages_imported(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imports_of(path, tree):
        parts = name.split(".")
        if parts[0] == "tinydeploy" and len(parts) > 1 and parts[1] != "__version__":
            yield line, parts[1]


def allowed(stage: str) -> set[str]:
    order = list(MAY_IMPORT)
    below = order[order.index(stage) + 1 :]
    return {stage, *(below if MAY_IMPORT[stage] == BELOW else MAY_IMPORT[stage].split())}


def test_the_table_itself_only_points_down():
    order = list(MAY_IMPORT)
    for stage in order:
        further_down = set(order[order.index(stage) :])
        assert allowed(stage) <= further_down, f"{stage} points up, or to a stage that is not in the table"


def test_every_module_belongs_to_a_stage_of_the_table():
    unknown = {stage_of(path) for path, _ in modules()} - set(MAY_IMPORT) - {"__init__", "__main__"}
    assert not unknown, f"give these a row in MAY_IMPORT: {sorted(unknown)}"


def test_imports_go_down_the_table_never_up_or_across():
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {stage_of(path)} may not import {imported}"
        for path, tree in modules()
        for line, imported in stages_imported(path, tree)
        if stage_of(path) in MAY_IMPORT and imported not in allowed(stage_of(path))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(("module", "stage"), ONLY_IN.items())
def test_a_door_to_the_world_is_used_by_one_stage_only(module, stage):
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: only {stage} may import {module}"
        for path, tree in modules()
        for line, name in imports_of(path, tree)
        if name.split(".")[0] == module and stage_of(path) != stage
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def open_mode(call: ast.Call) -> str:
    """The mode given to open(file, mode) or path.open(mode); empty where there is none, or it is not a literal."""
    position = 1 if isinstance(call.func, ast.Name) else 0
    modes = [*call.args[position : position + 1], *(word.value for word in call.keywords if word.arg == "mode")]
    return next((str(mode.value) for mode in modes if isinstance(mode, ast.Constant)), "")


def writes(node: ast.AST) -> bool:
    """Whether this is a call that changes files, as far as its text tells."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called in WRITING_METHODS or (called == "open" and not set("wax+").isdisjoint(open_mode(node)))


def test_only_files_py_writes_files():
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{node.lineno}: only files.py writes files"
        for path, tree in modules()
        if stage_of(path) != "files"
        for node in ast.walk(tree)
        if writes(node)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("open('x', 'w')", True),
        ("path.open(mode='ab')", True),
        ("path.write_text('x')", True),
        ("open('wax')", False),
        ("path.open('rb')", False),
        ("device.open()", False),
    ],
)
def test_a_call_that_writes_is_told_from_one_that_reads(source, expected):
    assert writes(ast.parse(source, mode="eval").body) is expected
