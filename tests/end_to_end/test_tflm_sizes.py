"""The table of TensorFlow Lite Micro's sizes against what is linked now."""

import pytest
from command_line import DIGITS

from tinydeploy.benchmark.code_parts import base_of
from tinydeploy.benchmark.code_sizes import is_common
from tinydeploy.benchmark.tflm_probe import tflm_links
from tinydeploy.boards import find_board
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.engines.size_table import read_size_table
from tinydeploy.engines.tflm.library import resolve_library
from tinydeploy.model.reader import read_model

KINDS = ("FULLY_CONNECTED", "RESHAPE")
COLUMNS = {"reference": "cortex-m4 reference", "optimized": "cortex-m4 cmsis_nn"}


@pytest.mark.usefixtures("use_cache")
@pytest.mark.parametrize("kernels", COLUMNS)
def test_the_interpreter_and_a_kernel_take_what_the_table_says(kernels, tflm_library, tmp_path):
    board, column, table = find_board("qemu-cortex-m4"), COLUMNS[kernels], read_size_table("tflm")
    library = resolve_library(board, EngineSettings(kernels=kernels, tflm_library=str(tflm_library)))
    links = tflm_links(read_model(DIGITS), board, library, tmp_path, KINDS)
    again = "measure it anew: python -m tinydeploy.benchmark.code_sizes tflm"
    assert table.base[column] == pytest.approx(base_of({column: links}, is_common)[column], rel=0.005), again
    for name in set(links) - {""}:
        linked = sum(size for piece, size in links[name].items() if is_common(piece))
        assert table.base[column] + table.parts_bytes(column, {name}) == pytest.approx(linked, rel=0.005), again
