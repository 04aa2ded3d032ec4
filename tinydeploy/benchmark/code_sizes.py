"""``python -m tinydeploy.benchmark.code_sizes``: measures the tables in firmware/sizes anew.

For each core a firmware is built by PlatformIO, as all are, with all kernels in it and a model that needs none; then it
is linked again with each kernel by itself, and the linker's map says what that brings along.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tinydeploy.benchmark.aot_probe import aot_links, instance_bytes, is_parameter, parameter_bytes
from tinydeploy.benchmark.code_parts import Links, base_of, parts_of
from tinydeploy.benchmark.command import program_version
from tinydeploy.benchmark.linking import IN_FLASH, IN_RAM, Piece
from tinydeploy.benchmark.start import start
from tinydeploy.benchmark.tflm_probe import PROBE_ARENA_BYTES, tflm_links
from tinydeploy.boards import Board, find_board
from tinydeploy.build import COMPILER_PACKAGE
from tinydeploy.engines.c_source import offsets_in_a_row
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.engines.tflm.library import resolve_library
from tinydeploy.engines.tflm.op_table import KERNELS
from tinydeploy.files import data_dir, write_file
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import read_model

BOARDS = ("microbit", "qemu-cortex-m3", "qemu-cortex-m4", "qemu-cortex-m7", "qemu-cortex-m55")
"""A board for each core."""

FURTHER_PORTS = ("netduinoplus2",)
"""Boards with a core of those and a port of their own."""

USUAL_KINDS = (
    "ADD",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "RESHAPE",
    "SOFTMAX",
)
"""The op kinds of TensorFlow Lite Micro that are measured on every core."""

ALL_KINDS_ON = {("qemu-cortex-m4", "reference"), ("qemu-cortex-m4", "optimized"), ("qemu-cortex-m55", "optimized")}
"""Where all the others are too, by board and choice of kernels: compiling them takes minutes on each.

Elsewhere a kind takes what it does on a Cortex-M4 with the same kernels, and nothing of that counts as shared: a figure
that is rather too high."""

_STAND_IN = "cortex-m4"

_STAND_INS = (
    f"all kinds are measured on {_STAND_IN} and on cortex-m55 with cmsis_nn, elsewhere {', '.join(USUAL_KINDS)}"
)

_SAME_AS_STAND_IN = ("cortex-m7",)
"""Cores whose code is so near to it that TensorFlow Lite Micro is not compiled for them too."""

_MODEL = Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits_int8.tflite"

_COMMON_PORT = "firmware/ports/cortex_m/"

_NOTE = (
    "Bytes by core: what is linked as soon as one of the functions in `of` is. "
    "Made by: python -m tinydeploy.benchmark.code_sizes"
)

Table = dict[str, object]


def aot_table(
    boards: Iterable[Board], further: Iterable[Board], scratch: Path, on_line: Callable[[str], None]
) -> Table:
    """The sizes of the firmware and of the kernels that the `aot` engine calls."""
    columns: dict[str, Links] = {}
    ports: dict[str, dict[str, int]] = {}
    instances: dict[str, dict[str, int]] = {}
    parameters: dict[str, int] = {}
    for board in boards:
        on_line(f"aot on {board.id}")
        links = columns[board.core] = aot_links(board, scratch)
        parameters |= parameter_bytes(links)
        for name, size in instance_bytes(board, scratch).items():
            instances.setdefault(name, {})[board.core] = size
        _add_ports(ports, links[""], board.core)
    for board in further:
        _add_ports(ports, aot_links(board, scratch)[""], board.core)
    # Two inputs and two outputs of 16 bytes, an arena of 16, the time of one layer.
    return _table(columns, ports, around_bytes=4 * 16 + 16 + 4) | {
        "instances": instances,
        "parameters": dict(sorted(parameters.items())),
    }


def tflm_table(graph: Graph, boards: Iterable[Board], scratch: Path, on_line: Callable[[str], None]) -> Table:
    """The sizes of the firmware with TensorFlow Lite Micro's interpreter and of its kernels."""
    columns: dict[str, Links] = {}
    libraries = set()
    for board in boards:
        for kernels in ("reference", "optimized"):
            library = resolve_library(board, EngineSettings(kernels=kernels))
            on_line(f"{library.name} on {board.id}")
            kinds = KERNELS if (board.id, kernels) in ALL_KINDS_ON else USUAL_KINDS
            columns[f"{board.core} {library.kernel_set}"] = tflm_links(graph, board, library, scratch, kinds)
            libraries.add(library.name)
    sides = sum(offsets_in_a_row(graph, indices)[1] for indices in (graph.inputs, graph.outputs))
    around_bytes = PROBE_ARENA_BYTES + 2 * sides + 4 * len(graph.ops)
    table = _table(with_stand_ins(columns), {}, around_bytes=around_bytes)
    return {"libraries": ", ".join(sorted(libraries)), "stand_ins": _STAND_INS, **table}


def with_stand_ins(columns: Mapping[str, Links]) -> dict[str, Links]:
    """The columns, each with the functions that only its stand-in has; what those link is theirs alone."""
    return {column: {**_stand_ins(columns, column, links), **links} for column, links in columns.items()}


def _stand_ins(columns: Mapping[str, Links], column: str, links: Links) -> Links:
    known = columns[f"{_STAND_IN} {column.partition(' ')[2]}"]
    return {
        root: {
            replace(piece, origin=f"{root}: {piece.origin}"): size for piece, size in linked.items() - known[""].items()
        }
        for root, linked in known.items()
        if root not in links
    }


def _table(columns: Mapping[str, Links], ports: Mapping[str, Mapping[str, int]], *, around_bytes: int) -> Table:
    """``around_bytes`` are the variables of the probe's own model."""
    state = {column: size - around_bytes for column, size in base_of(columns, is_variable).items()}
    parts, variables = (_rows(parts_of(columns, is_counted)) for is_counted in (is_common, is_variable))
    return {"base": base_of(columns, is_common), "state": state, "ports": ports, "parts": parts, "variables": variables}


def _rows(parts: Mapping[tuple[str, ...], Mapping[str, int]]) -> list[dict[str, object]]:
    return [{"of": list(users), "bytes": sizes} for users, sizes in parts.items()]


def _add_ports(ports: dict[str, dict[str, int]], links: Mapping[Piece, int], core: str) -> None:
    """The code of the port's sources that not all boards have; of a source that two boards have, the larger counts."""
    found: dict[str, int] = {}
    for piece, size in links.items():
        if _is_of_port(piece) and piece.output in IN_FLASH:
            source = Path(piece.origin.removeprefix("firmware/ports/")).with_suffix(".c").as_posix()
            found[source] = found.get(source, 0) + size
    for source, size in found.items():
        ports.setdefault(source, {})[core] = size


def is_common(piece: Piece) -> bool:
    """Whether it is in flash for all boards with a core: no vectors, no port's own, no constants of a model."""
    is_models = piece.origin.startswith("src/model") and piece.output == ".td_model"
    is_kept = piece.output in IN_FLASH - {".vectors"} and not is_parameter(piece)
    return is_kept and not _is_of_port(piece) and not is_models


def is_variable(piece: Piece) -> bool:
    """Whether it takes RAM."""
    return piece.output in IN_RAM


def _is_of_port(piece: Piece) -> bool:
    return piece.origin.startswith("firmware/ports/") and not piece.origin.startswith(_COMMON_PORT)


def table_text(table: Table) -> str:
    """JSON with a line for each row, so that a size that changes is a line that changes."""
    head = {"note": _NOTE, **{name: value for name, value in table.items() if not isinstance(value, dict | list)}}
    blocks = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    for name, rows in ((name, rows) for name, rows in table.items() if rows):
        if isinstance(rows, list):
            blocks.append(f"{json.dumps(name)}: [\n{_lines(map(json.dumps, rows))}\n]")
        elif isinstance(rows, dict):
            lines = (f"{json.dumps(key)}: {json.dumps(row)}" for key, row in rows.items())
            blocks.append(f"{json.dumps(name)}: {{\n{_lines(lines)}\n}}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _lines(rows: Iterable[str]) -> str:
    return ",\n".join(f"  {row}" for row in rows)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("engines", nargs=-1, type=click.Choice(["aot", "tflm"]))
def measure(engines: tuple[str, ...]) -> None:
    """Measure the tables of ENGINES anew, by default of both; tflm needs its library, and half an hour."""
    compiler = f"GCC {program_version('arm-none-eabi-gcc', COMPILER_PACKAGE)}"
    boards = [find_board(board) for board in BOARDS]
    for engine in engines or ("aot", "tflm"):
        with TemporaryDirectory() as folder:
            if engine == "aot":
                table = aot_table(boards, map(find_board, FURTHER_PORTS), Path(folder), click.echo)
            else:
                others = [board for board in boards if board.core not in _SAME_AS_STAND_IN]
                table = tflm_table(read_model(_MODEL), others, Path(folder), click.echo)
        place = data_dir("firmware") / "sizes" / f"{engine}.json"
        write_file(place, table_text({"compiler": compiler, **table}).encode())
        click.echo(place)


if __name__ == "__main__":
    start(measure, "code_sizes")
