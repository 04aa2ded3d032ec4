"""td_fully_connected_rows against TFLM's formula: its C on this machine, its assembler on an emulated Cortex-M4."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tinydeploy.engines.aot.dsp.fully_connected import has_common_factors, instructions_of_row, pack, scratch_bytes
from tinydeploy.engines.aot.requantization import Requantization, general_form, requantize
from tinydeploy.files import data_dir

_HERE = Path(__file__).resolve().parent
_KERNELS = data_dir("firmware") / "kernels" / "dsp"
_WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
_LINKER_SCRIPT = """
MEMORY
{
    CODE (rx) : ORIGIN = 0, LENGTH = 4M
    DATA (rwx) : ORIGIN = 0x20000000, LENGTH = 4M
}
SECTIONS
{
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(4); } > CODE
    .data : { *(.data*) } > DATA
    .bss (NOLOAD) : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(8); bss_end = .; } > DATA
    ASSERT(SIZEOF(.data) == 0, "nothing copies initialised data")
    stack_top = ORIGIN(DATA) + LENGTH(DATA);
}
"""


@dataclass(frozen=True)
class Trial:
    weights: np.ndarray
    bias: np.ndarray
    inputs: np.ndarray
    layer: Requantization

    @property
    def expected(self):
        sums = self.inputs.astype(np.int64) @ self.weights.T.astype(np.int64) + self.bias
        return requantize(self.layer, sums.T).T.astype(np.int8)


def trial(rng, depth, channels, *, rows=1, per_channel=True, reach=128, extreme=False):
    """A layer with noise, or with all weights and inputs at the ends of their ranges."""
    weights = rng.integers(-127, 127, (channels, depth), endpoint=True).astype(np.int8)
    inputs = rng.integers(-reach, reach, (rows, depth)).astype(np.int8)
    if extreme:
        weights = np.where(weights < 0, -127, 127).astype(np.int8)
        weights[1::2][weights[1::2] < 0] = -128  # in the second of a pair
        inputs = np.where(inputs < 0, -128, 127).astype(np.int8)
    bias = rng.integers(-30_000, 30_000, channels).astype(np.int32)
    mantissa = rng.integers(2**30, 2**31, channels)
    shift = -rng.integers(1, 12, channels)
    if extreme:
        mantissa = np.where(mantissa < 1.5 * 2**30, 2**30, 2**31 - 1)
    if not per_channel:
        mantissa[:], shift[:] = mantissa[0], shift[0]
    reach_of_sums = 128 * np.abs(weights.astype(np.int64)).sum(axis=1)
    layer = Requantization(
        mantissa=mantissa,
        shift=shift,
        lo=bias - reach_of_sums,
        hi=bias + reach_of_sums,
        zero_point=int(rng.choice([-128, 127, *range(-20, 20)])),
        low=-128,
        high=127,
    )
    return Trial(weights, bias, inputs, layer)


def all_trials():
    rng = np.random.default_rng(7)
    shapes = [
        (depth, channels) for depth in (1, 2, 3, 4, 5, 7, 8, 12, 13, 16, 20, 33) for channels in (1, 2, 3, 4, 5, 8)
    ]
    shapes += [(64, 12), (256, 2), (130, 7), (1, 17), (100, 31)]
    trials = [
        trial(rng, *shape, rows=1 + number % 3, per_channel=number % 2 > 0, extreme=number % 5 == 0)
        for number, shape in enumerate(shapes)
    ]
    return trials + [trial(rng, depth, channels, per_channel=per_channel) for depth, channels, per_channel in _MEASURED]


_MEASURED = [(128, 128, False), (640, 128, True), (128, 640, False), (8, 128, False), (256, 40, True)]
"""Depth, channels and whether each has factors of its own, of layers whose instructions are counted."""


@pytest.fixture(scope="module")
def trials():
    return all_trials()


@pytest.fixture(scope="module")
def source(trials, tmp_path_factory):
    """A folder with trials.h."""
    folder = tmp_path_factory.mktemp("trials")
    arrays, entries = [], []
    for number, each in enumerate(trials):
        general = general_form(each.layer)
        factors = (
            [general.multiplier[0], general.offset[0], general.shift[0]] if has_common_factors(general) else [0] * 3
        )
        stream = pack(each.weights, each.bias, general)
        values = [0, *each.inputs.reshape(-1).tolist()]  # the array is aligned, and the input stands behind its first
        arrays += [
            f"static const uint32_t stream_{number}[] = {{{','.join(f'{word}u' for word in stream.reshape(-1))}}};",
            f"static const int8_t input_{number}[] __attribute__((aligned(4))) = {{{','.join(map(str, values))}}};",
        ]
        sizes = (*each.inputs.shape, len(each.weights))
        struct = f"{{{', '.join(str(int(value)) for value in (*sizes, *factors))}, stream_{number}}}"
        entries.append(f"{{{struct}, input_{number} + 1, {each.expected.size}, {scratch_bytes(sizes[1])}}},")
    table = ["static const struct trial trials[] = {", *entries, "};"]
    (folder / "trials.h").write_text("\n".join([*arrays, *table]) + "\n")
    return folder


@pytest.fixture(scope="module")
def on_host(source):
    command = ["gcc", *_WARNINGS, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *_files(source)]
    _succeed([*command, "-o", source / "host"])
    return _succeed([source / "host"]).splitlines()


@pytest.fixture(scope="module")
def on_cortex_m4(source):
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    script, program = source / "program.ld", source / "program.elf"
    script.write_text(_LINKER_SCRIPT)
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", *_WARNINGS, "-O2", *_files(source)]
    assembler = _KERNELS / "fully_connected_groups.S"
    _succeed([*command, assembler, "-nostartfiles", "-specs=nosys.specs", "-T", script, "-o", program])
    machine = ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-serial", "null", "-monitor", "none"]
    semihosting = ["-semihosting-config", "enable=on,target=native", "-icount", "shift=7"]
    return _succeed([*machine, *semihosting, "-kernel", program]).splitlines()


def _files(folder):
    return [f"-I{_KERNELS}", f"-I{folder}", _HERE / "fully_connected_rows_trial.c", _KERNELS / "fully_connected_rows.c"]


def _succeed(command):
    """What a program writes; QEMU's semihosting writes to standard error."""
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout + finished.stderr


def assert_as_expected(trials, lines):
    assert len(lines) == len(trials)
    for each, line in zip(trials, lines, strict=True):
        what = f"{each.weights.shape}, {len(each.inputs)} rows"
        _, state, outputs = line.split()
        assert state == "intact", what
        np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(outputs), np.int8), each.expected.reshape(-1), what)


def test_the_kernel_in_c_gives_what_tflm_gives(trials, on_host):
    assert_as_expected(trials, on_host)


def test_the_kernel_in_assembler_gives_what_tflm_gives(trials, on_cortex_m4):
    assert_as_expected(trials, on_cortex_m4)


def test_trials_have_outputs_of_all_sizes(trials):
    values = np.concatenate([each.expected.reshape(-1) for each in trials])
    assert len(np.unique(values)) > 150


def test_the_instructions_of_a_row_are_as_the_plan_counts_them(on_cortex_m4):
    measured = [int(line.split()[0]) for line in on_cortex_m4[-len(_MEASURED) :]]
    for (depth, channels, per_channel), instructions in zip(_MEASURED, measured, strict=True):
        planned = instructions_of_row(channels, depth, per_channel=per_channel)
        assert planned == pytest.approx(instructions, rel=0.03), (depth, channels, instructions)
        assert channels * depth < 10_000 or instructions <= 1.02 * channels * depth
