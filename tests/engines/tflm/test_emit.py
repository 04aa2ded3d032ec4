"""The sources that the tflm engine generates."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from golden_project import tiny_model
from pace import best_within, seconds

from tinydeploy.engines.tflm.emit import ADAPTER, emit_model, model_code
from tinydeploy.engines.tflm.library_folder import TflmFolder, read_folder
from tinydeploy.engines.tflm.resolver import ResolvedOp, resolve_ops
from tinydeploy.files import data_dir, write_tree
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model

MODEL = PurePosixPath("src/model.cc")
DATA = PurePosixPath("src/model_data.cc")
CONFIG = b"""\
#define TD_INPUT_BYTES 16
#define TD_OUTPUT_BYTES 16
#define TD_LAYERS 5
"""


@pytest.fixture(scope="module")
def graph() -> Graph:
    return parse_model(tiny_model(), name="tiny.tflite")


def emit(graph: Graph, **changed: object) -> dict[PurePosixPath, str]:
    facts = {"ops": resolve_ops(graph), "arena_bytes": 4096, "probe": False, **changed}
    return {path: data.decode() for path, data in emit_model(graph, **facts).items()}


def test_the_array_is_the_model_file_byte_for_byte(graph: Graph):
    source = emit(graph)[DATA]
    body = source[source.index("= {") :]
    assert bytes(int(byte, 16) for byte in re.findall(r"0x[0-9a-f]{2}\b", body)) == graph.source
    assert f"alignas(TD_ALIGN) const uint8_t model_data[{len(graph.source)}]" in source
    assert max(map(len, source.splitlines())) <= 120


def test_the_resolver_has_exactly_the_ops_of_the_model_and_each_is_checked(graph: Graph):
    source = emit(graph)[MODEL]
    assert re.findall(r"ops->(\w+)\(", source) == [
        "AddConv2D",
        "AddMaxPool2D",
        "AddReshape",
        "AddFullyConnected",
        "AddSoftmax",
    ]
    assert "constexpr unsigned op_count = 5;" in source


def test_what_an_ops_arguments_need_is_included_once(graph: Graph):
    header = "tensorflow/lite/micro/kernels/conv.h"
    ops = [ResolvedOp(kind=kind, call=f"Add{kind}()", header=header) for kind in ("A", "B")]
    assert emit(graph, ops=ops)[MODEL].count(f'#include "{header}"') == 1


def test_only_a_firmware_that_is_to_probe_looks_for_the_smallest_arena(graph: Graph):
    assert "td_tflm_probe" not in emit(graph)[MODEL]
    assert "td_tflm_probe(model, ops, &arena_size);" in emit(graph, probe=True)[MODEL]


@pytest.mark.parametrize("arena_bytes", [0, -16, 4100])
def test_an_arena_that_cannot_be_is_a_bug(graph: Graph, arena_bytes: int):
    with pytest.raises(ValueError, match=f"an arena of {arena_bytes} bytes"):
        emit(graph, arena_bytes=arena_bytes)


def test_names_in_the_model_file_cannot_break_out_of_strings_and_comments(graph: Graph):
    hostile = '*/ "; int x; /*'
    tensors = tuple(replace(tensor, name=hostile) for tensor in graph.tensors)
    for source in emit(replace(graph, tensors=tensors, name=hostile)).values():
        assert "int x" not in source
    assert '.name = "______int_x____",' in emit(replace(graph, tensors=tensors))[MODEL]


def test_the_sources_say_nothing_of_where_and_when_and_how_the_model_is_called(graph: Graph):
    assert emit(graph) == emit(replace(graph, name="/home/someone/other.tflite"))


@pytest.mark.realtime
def test_a_model_of_300_kb_is_written_within_a_moment(graph: Graph):
    large = replace(graph, source=os.urandom(300_000))
    assert best_within(0.15, lambda _: seconds(lambda: emit(large))) < 0.15


def test_the_code_tells_its_buffers_its_layers_and_the_adapter_that_goes_along(graph: Graph):
    code = model_code(graph, ops=resolve_ops(graph), arena_bytes=4096, probe=False, library=None)
    assert (code.input_bytes, code.output_bytes, code.layers) == (16, 16, 5)
    assert (code.kernels, code.sources) == ((), ADAPTER)
    assert all((data_dir("firmware") / source).is_file() for source in code.sources)


def test_adapter_and_model_compile_without_a_warning(graph: Graph, tflm_library: Path, tmp_path: Path):
    folder = read_folder(tflm_library, "a test")
    assert isinstance(folder, TflmFolder)
    searched = [folder.root, *(folder.third_party[name] for name in ("flatbuffers", "gemmlowp", "ruy"))]
    firmware = data_dir("firmware")
    own = [tmp_path, tmp_path / "src", firmware / "include", firmware / "tflm"]
    write_tree(tmp_path, emit_model(graph, ops=resolve_ops(graph), arena_bytes=4096, probe=True))
    (tmp_path / "td_config.h").write_bytes(CONFIG)
    subprocess.run(
        [
            *("arm-none-eabi-g++", "-std=gnu++17", "-fsyntax-only", "-mcpu=cortex-m4", "-mthumb"),
            *("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fno-exceptions", "-fno-rtti"),
            "-DTF_LITE_STATIC_MEMORY",
            *(f"-I{path}" for path in (*own, *searched)),
            *(tmp_path / path for path in (MODEL, DATA)),
            *(firmware / source for source in ADAPTER),
        ],
        check=True,
    )
