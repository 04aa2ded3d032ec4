from pathlib import Path

import pytest

from tinydeploy.benchmark.aot_probe import aot_links, instance_bytes, parameter_bytes
from tinydeploy.benchmark.code_parts import base_of, parts_of
from tinydeploy.benchmark.code_sizes import is_common
from tinydeploy.benchmark.command import program_version
from tinydeploy.boards import find_board, load_boards
from tinydeploy.build import COMPILER_PACKAGE
from tinydeploy.engines.aot.code_size import usual_code_bytes
from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.engine import AotEngine
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.engines.size_table import read_size_table
from tinydeploy.model.reader import read_model

ROOT = Path(__file__).resolve().parents[3]
KERNELS = ROOT / "firmware" / "kernels"
DIGITS = ROOT / "examples" / "digits" / "digits_int8.tflite"
TABLE = read_size_table("aot")

# One with a C library that has to stand in for instructions, and one with functions that are instantiated.
SAMPLE = ("microbit", "qemu-cortex-m4")

needs_the_tables_compiler = pytest.mark.skipif(
    not program_version("arm-none-eabi-gcc", COMPILER_PACKAGE).startswith("12.2"), reason="the table is of GCC 12.2"
)


@pytest.fixture(scope="module", params=SAMPLE)
def measured(request, tmp_path_factory):
    """A core, what its kernels link, and its instances, measured now."""
    board, scratch = find_board(request.param), tmp_path_factory.mktemp("links")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYDEPLOY_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return board.core, aot_links(board, scratch), instance_bytes(board, scratch)


def test_every_kernel_has_its_size_in_the_table():
    files = {path.relative_to(KERNELS).as_posix() for path in KERNELS.glob("*/*.c")}
    users = {user for part in TABLE.parts for user in part.users}
    assert users == {file for file in files if not file.endswith("_in_c.c")}
    assert set(TABLE.parameters) == {Path(user).stem for user in users}


@needs_the_tables_compiler
def test_the_firmware_and_each_kernel_take_what_the_table_says(measured):
    core, links, _ = measured
    again = "measure it anew: python -m tinydeploy.benchmark.code_sizes aot"
    assert TABLE.base[core] == base_of({core: links}, is_common)[core], again
    table = {part.users: part.bytes[core] for part in TABLE.parts if core in part.bytes}
    parts = {frozenset(users): sizes[core] for users, sizes in parts_of({core: links}, is_common).items()}
    assert table == parts, again


@needs_the_tables_compiler
def test_parameter_structs_and_instances_take_what_the_table_says(measured):
    core, links, instances = measured
    assert parameter_bytes(links).items() <= TABLE.parameters.items()
    assert instances == {name: sizes[core] for name, sizes in TABLE.instances.items() if core in sizes}


def test_code_is_estimated_for_every_board_and_is_that_of_its_core():
    graph = read_model(DIGITS)
    plan = AotEngine().planner(graph, EngineSettings())
    sizes = {board.id: plan(board).code_bytes for board in load_boards()}
    assert all(6_000 < size < 20_000 for size in sizes.values())
    assert sizes["microbit"] != sizes["qemu-cortex-m3"], "the same kernels, another instruction set"


def test_what_the_estimate_of_a_program_is_compared_by_grows_with_the_kernels_it_calls():
    graph = read_model(DIGITS)
    reference, optimized = (usual_code_bytes(compile_graph(graph, kernels, None)) for kernels in ("reference", "dsp"))
    assert reference < optimized
