"""dsp kernels on planes, for pools and for sums: kernels_dsp_planes.c on this machine and on an emulated Cortex-M4."""

import functools
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tinydeploy.engines.aot.dsp import depthwise, elementwise, pooling
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.files import data_dir

_PROGRAM = Path(__file__).resolve().parent / "kernels_dsp_planes.c"
_KERNELS = data_dir("firmware") / "kernels"
_SOURCES = [
    _KERNELS / "dsp" / f"{name}.c"
    for name in (
        *("add_affine", "average_planes", "average_pool_2d", "depthwise_planes", "max_pool_2d"),
        *("plane_border", "to_planes"),
    )
]
_FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", f"-I{_KERNELS}", f"-I{_KERNELS}/dsp"]
_TO_ADDRESSES = (
    "-Wl,--entry=reset,--undefined=vectors,--gc-sections,--section-start=.vectors=0,-Ttext=0x100,-Tdata=0x20000000"
)


def build(compiler, folder, *arguments):
    """The program, with instances of the depthwise kernel for two shifts."""
    (folder / "td_shifts.h").write_text("#define TD_DEPTHWISE_SHIFTS(X) X(8) X(11)\n")
    program = folder / "program"
    command = [compiler, *_FLAGS, f"-I{folder}", _PROGRAM, *_SOURCES, *arguments, "-o", program]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return program


@pytest.fixture(scope="module")
def on_cortex_m4(tmp_path_factory):
    """What the program says on QEMU's Cortex-M4, and its exit code."""
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    program = build(
        "arm-none-eabi-gcc",
        tmp_path_factory.mktemp("planes"),
        _KERNELS / "dsp" / "depthwise_strips.S",
        *("-O2", "-mcpu=cortex-m4", "-mthumb", "-ffunction-sections", "--specs=nano.specs", "-nostartfiles"),
        _TO_ADDRESSES,
    )
    command = [
        "qemu-system-arm",
        "-machine",
        "mps2-an386",
        "-icount",
        "shift=7",
        "-display",
        "none",
        "-monitor",
        "none",
    ]
    command += ["-serial", "null", "-semihosting-config", "enable=on,target=native", "-kernel", str(program)]
    # What a program writes by semihosting comes on standard error.
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
    )


@functools.cache
def counts(said):
    """The instructions of counted calls: by kernel, pairs of the facts about the call and the count."""
    found = defaultdict(list)
    for kernel, numbers in re.findall(r"^count (\w+)((?: -?\d+)+)$", said, re.MULTILINE):
        *facts, instructions = map(int, numbers.split())
        found[kernel].append((facts, instructions))
    return found


def planes_of(channels, height, width, before, behind):
    pitch, rows = before + width + behind, before + height + behind
    return Planes(
        channels=channels,
        height=height,
        width=width,
        pitch=pitch,
        plane_bytes=rows * pitch,
        origin=before * pitch + before,
    )


def depthwise_instructions(stride, shift, _in_place, channels, rows, columns):
    return depthwise.instructions_of(Planes.compact(channels, rows, columns), stride, fitted=shift > 0)


def test_kernels_compute_what_plain_c_does_and_touch_nothing_else(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = build("gcc", tmp_path, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

    finished = subprocess.run([program], capture_output=True, text=True, check=False, timeout=120)

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_kernels_compute_what_plain_c_does_on_a_cortex_m4(on_cortex_m4):
    failures = [line for line in on_cortex_m4.stdout.splitlines() if not line.startswith("count ")]

    assert (on_cortex_m4.returncode, failures) == (0, [])


@pytest.mark.parametrize(
    ("kernel", "instructions", "tolerance", "least"),
    [
        ("depthwise_planes", depthwise_instructions, 0.03, 5000),
        ("add_affine", lambda count, bounded: elementwise.instructions_of(count, bounded=bool(bounded)), 0.03, 0),
        ("average_planes", lambda *shape: pooling.instructions_of(planes_of(*shape)), 0.06, 0),
        ("plane_border", lambda *shape: depthwise.border_instructions(planes_of(*shape)), 0.12, 0),
        ("to_planes", lambda *shape: depthwise.turning_instructions(planes_of(*shape)), 0.1, 1000),
    ],
)
def test_the_cost_model_is_near_what_is_counted(on_cortex_m4, kernel, instructions, tolerance, least):
    """Out of place, stride 1 copies first: the cost model is of calls in place."""
    found = [
        (facts, counted)
        for facts, counted in counts(on_cortex_m4.stdout)[kernel]
        if counted > least and not (kernel == "depthwise_planes" and (facts[0], facts[2]) == (1, 0))
    ]

    assert len(found) > 10
    for facts, counted in found:
        assert instructions(*facts) == pytest.approx(counted, rel=tolerance), facts


@pytest.mark.parametrize(
    ("stride", "rows", "columns", "most"),
    [
        (1, 48, 48, 12.7),
        (1, 24, 24, 12.9),
        (1, 12, 12, 13.4),
        (1, 6, 6, 14.5),
        (1, 3, 3, 20.8),
        (1, 25, 5, 13.9),
        (2, 24, 24, 19.1),
        (2, 12, 12, 19.3),
        (2, 6, 6, 20.8),
    ],
)
def test_a_depthwise_output_takes_so_many_instructions(on_cortex_m4, stride, rows, columns, most):
    ((channels, instructions),) = [
        (facts[3], counted)
        for facts, counted in counts(on_cortex_m4.stdout)["depthwise_planes"]
        if facts[:3] == [stride, 8, 1] and facts[4:] == [rows, columns]
    ]

    assert instructions / (channels * rows * columns) <= most


def test_pools_and_sums_take_few_instructions(on_cortex_m4):
    found = counts(on_cortex_m4.stdout)

    def per_value(kernel, facts, values):
        (counted,) = [counted for known, counted in found[kernel] if known == facts]
        return counted / values

    assert per_value("average_pool_2d", [64, 8, 8], 64 * 8 * 8) < 2.1
    assert per_value("average_pool_2d", [64, 24, 24], 64 * 24 * 24) < 1.8
    assert per_value("max_pool_2d", [64, 24, 24], 64 * 24 * 24) < 1.9
    assert per_value("add_affine", [4096, 0], 4096) < 6.6
    assert per_value("add_affine", [4096, 1], 4096) < 7.8
