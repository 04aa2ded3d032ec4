"""td_conv_2d_winograd against TFLM's formula: its C on this machine, its assembler on an emulated Cortex-M4."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tinydeploy.engines.aot.dsp.winograd import (
    Shape,
    instructions_of,
    may_be_quadrupled,
    pack,
    parameters_of,
    smallest_lag,
)
from tinydeploy.engines.aot.requantization import (
    MAX_SHIFT,
    Fit,
    General,
    Requantization,
    feasible_shifts,
    fit_layer,
    general_form,
    requantize,
)
from tinydeploy.files import data_dir

HERE = Path(__file__).resolve().parent
KERNELS = data_dir("firmware") / "kernels"
SOURCES = [
    HERE / "winograd_cases.c",
    *(KERNELS / "dsp" / f"{name}.c" for name in ("conv_2d_winograd", "winograd_in_c")),
]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", f"-I{KERNELS}", f"-I{KERNELS / 'dsp'}"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call of the kernel: its header and stream, its memory before and what it must be afterwards."""

    shape: Shape
    form: Fit | General
    header: np.ndarray
    stream: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @property
    def what(self) -> str:
        return f"{self.shape}, {type(self.form).__name__}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The memory after a call, and the instructions that it took, 0 on this machine."""

    memory: np.ndarray
    instructions: int


Runner = Callable[[Sequence[Case]], list[Result]]


@pytest.fixture(scope="module")
def on_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    folder = folder_with_shifts(tmp_path_factory)
    return runner(folder, build_for_host(folder))


@pytest.fixture(scope="module")
def on_cortex_m4(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    folder = folder_with_shifts(tmp_path_factory)
    return runner(folder, build_for_cortex_m4(folder))


@pytest.fixture(params=["on_this_machine", "on_cortex_m4"])
def run(request: pytest.FixtureRequest) -> Runner:
    chosen: Runner = request.getfixturevalue(request.param)
    return chosen


def folder_with_shifts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("winograd")
    instances = " ".join(f"X({shift})" for shift in range(1, MAX_SHIFT + 1))
    (folder / "td_shifts.h").write_text(f"#define TD_WINOGRAD_SHIFTS(X) {instances}\n")
    return folder


def runner(folder: Path, command: Sequence[str | Path]) -> Runner:
    def run_cases(cases: Sequence[Case]) -> list[Result]:
        parts = (part.tobytes() for case in cases for part in (case.header, case.stream, case.before))
        (folder / "cases.bin").write_bytes(np.int32(len(cases)).tobytes() + b"".join(parts))
        finished = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
        assert finished.returncode == 0, finished.stderr.decode()
        rest, results = (folder / "results.bin").read_bytes(), []
        for case in cases:
            instructions, is_intact = np.frombuffer(rest[:8], np.int32)
            assert is_intact, f"{case.what}: wrote behind its scratch memory"
            memory = np.frombuffer(rest[8 : 8 + case.before.size], np.int8)
            results.append(Result(memory=memory, instructions=int(instructions)))
            rest = rest[8 + case.before.size :]
        return results

    return run_cases


def build_for_host(folder: Path) -> list[str | Path]:
    sanitizers = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", *STRICT, f"-I{folder}", *sanitizers, *SOURCES, "-o", folder / "cases"], check=True)
    return [folder / "cases"]


def build_for_cortex_m4(folder: Path) -> list[str | Path]:
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on the PATH")
    target = ["-mcpu=cortex-m4", "-mthumb", "-O2", "-nostartfiles", "--specs=nano.specs", "-T", HERE / "kernels_m4.ld"]
    program = folder / "cases.elf"
    assembler = KERNELS / "dsp" / "winograd_tile.S"
    subprocess.run(
        ["arm-none-eabi-gcc", *STRICT, f"-I{folder}", *target, *SOURCES, assembler, "-o", program], check=True
    )
    quiet = ["-display", "none", "-serial", "null", "-monitor", "none"]
    counting = ["-semihosting-config", "enable=on,target=native", "-icount", "shift=7"]
    return ["qemu-system-arm", "-M", "mps2-an386", *quiet, *counting, "-kernel", program]


def random_layer(rng: np.random.Generator, weights: np.ndarray, bias: np.ndarray, *, relu: bool) -> Requantization:
    """Factors that spread the outputs over about the range of int8, or less or more; a few channels are constant."""
    positive = np.maximum(weights, 0).sum(axis=(1, 2, 3), dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=(1, 2, 3), dtype=np.int64)
    lo, hi = bias - 128 * positive + 127 * negative, bias + 127 * positive - 128 * negative
    reach = max(int(np.max(np.abs([lo, hi]))), 2000)
    shift = int(np.floor(np.log2(rng.choice([100, 400, 1500]) / reach)))
    channels = len(weights)
    mantissa = rng.integers(2**30, 2**31, channels)
    mantissa[rng.random(channels) < 0.05] = 0
    return Requantization(
        mantissa=mantissa,
        shift=np.where(mantissa == 0, 0, np.minimum(shift + rng.integers(-1, 2, channels), -2)),
        lo=lo,
        hi=hi,
        zero_point=-128 if relu else int(rng.integers(-128, 128)),
        low=-128,
        high=127,
    )


def form_of(layer: Requantization, *, fitted: bool) -> Fit | General:
    form = (fit_layer(layer, feasible_shifts(layer)) if fitted else None) or general_form(layer)
    assert form is not None
    assert may_be_quadrupled(form, layer)
    return form


def random_shape(rng: np.random.Generator) -> Shape:
    padding = tuple(int(n) for n in rng.choice([0, 1, 1, 2], 2))
    behind = tuple(int(n) for n in rng.choice([0, 1, 1, 2], 2))
    size = tuple(int(rng.integers(max(3 - a - b, 1), 12)) for a, b in zip(padding, behind, strict=True))
    outputs = tuple(n + a + b - 2 for n, a, b in zip(size, padding, behind, strict=True))
    return Shape(
        input_size=size,
        input_channels=4 * int(rng.choice([1, 2, 3, 4, 5, 7, 8, 9, 16, 17])),
        output_size=outputs,
        output_channels=int(rng.integers(2, 12)),
        padding=padding,
    )


def values_of(rng: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, bias and inputs: noise, or all at the ends of their ranges."""
    weights = rng.integers(-128, 128, (shape.output_channels, 3, 3, shape.input_channels)).astype(np.int8)
    values = rng.integers(-128, 128, (*shape.input_size, shape.input_channels)).astype(np.int8)
    bias = rng.integers(-20000, 20000, shape.output_channels)
    match rng.integers(6):
        case 0:
            weights = np.where(weights < 0, -128, 127).astype(np.int8)
            values = np.where(values < 0, -128, 127).astype(np.int8)
        case 1:
            weights[:], values[:] = rng.choice([-128, 127], 2)
        case 2:  # the largest transformed values
            signs = np.array([1, -1, 1])
            weights[:] = np.where(signs[:, None, None] * signs[:, None] < 0, -128, 127)
            at = np.indices(shape.input_size).sum(axis=0)[..., None]
            values[:] = np.where(at % 4 < 2, -128, 127)
    return weights, bias, values


def accumulators_of(
    shape: Shape, weights: np.ndarray, bias: np.ndarray, values: np.ndarray, outside: int
) -> np.ndarray:
    """[rows, columns, channels] by definition."""
    (height, width), (top, left) = shape.output_size, shape.padding
    padded = np.full((height + 2, width + 2, shape.input_channels), outside, np.int64)
    source = values[: height + 2 - top, : width + 2 - left]
    padded[top : top + source.shape[0], left : left + source.shape[1]] = source
    sums = np.zeros((height, width, shape.output_channels), np.int64) + bias
    for row in range(3):
        for column in range(3):
            sums += padded[row : row + height, column : column + width] @ weights[:, row, column].T.astype(np.int64)
    return sums


def case(rng: np.random.Generator, shape: Shape, *, fitted: bool, overlap: bool = False) -> Case:
    """With a neighbourhood of noise that must stay; in place the output starts as late as it may."""
    weights, bias, values = values_of(rng, shape)
    outside = int(rng.integers(-128, 128))
    layer = random_layer(rng, weights, bias, relu=fitted)
    form = form_of(layer, fitted=fitted)
    sums = accumulators_of(shape, weights, bias, values, outside)
    expected = requantize(layer, sums.reshape(-1, shape.output_channels).T).T.astype(np.int8).reshape(-1)
    output_at = 9
    input_at = output_at + (smallest_lag(shape) if overlap else expected.size + 5)
    size = -(-(max(input_at + values.size, output_at + expected.size) + 9) // 4) * 4
    before = rng.integers(-128, 128, size).astype(np.int8)
    before[input_at : input_at + values.size] = values.reshape(-1)
    after = before.copy()
    after[output_at : output_at + expected.size] = expected
    parameters = parameters_of(shape, pack(weights, bias, form), form, outside)
    channels = parameters.pop("channels")
    stream = channels.pop("stream").values
    shift = form.shift if isinstance(form, Fit) else 0
    geometry = [value for name, value in parameters.items() if name != "tile"]
    places = [input_at, output_at, before.size, shape.scratch_bytes]
    header = np.array([shift, *channels.values(), *geometry, *places], np.int32)
    return Case(shape=shape, form=form, header=header, stream=stream, before=before, after=after)


def check(run: Runner, cases: Sequence[Case]) -> None:
    for each, result in zip(cases, run(cases), strict=True):
        np.testing.assert_array_equal(result.memory, each.after, err_msg=each.what)


def test_convolutions_of_any_shape_are_exact_and_write_nothing_else(run: Runner) -> None:
    rng = np.random.default_rng(1)
    cases = [case(rng, random_shape(rng), fitted=number % 2 > 0) for number in range(300)]

    assert sum(isinstance(each.form, Fit) for each in cases) > 100
    check(run, cases)


def test_the_output_may_start_in_the_input_where_the_lag_says(run: Runner) -> None:
    rng = np.random.default_rng(2)
    check(run, [case(rng, random_shape(rng), fitted=number % 2 > 0, overlap=True) for number in range(150)])


def square(size: int, inputs: int, outputs: int, *, valid: bool = False) -> Shape:
    return Shape(
        input_size=(size, size),
        input_channels=inputs,
        output_size=(size - 2, size - 2) if valid else (size, size),
        output_channels=outputs,
        padding=(0, 0) if valid else (1, 1),
    )


MEASURED = [
    (square(32, 16, 16), 0.51),
    (square(16, 32, 32), 0.41),
    (square(8, 64, 64), 0.36),
    (square(13, 16, 31, valid=True), 0.58),
    (square(5, 4, 8), 2.1),
    (square(9, 128, 6), 0.74),
]
"""Shapes, and at most how many instructions fitted forms take a multiplication of the plain convolution."""


@pytest.mark.parametrize("fitted", [True, False])
def test_the_plan_knows_how_many_instructions_a_layer_takes(on_cortex_m4: Runner, *, fitted: bool) -> None:
    rng = np.random.default_rng(3)
    cases = [case(rng, shape, fitted=fitted) for shape, _ in MEASURED]
    for each, result, (shape, at_most) in zip(cases, on_cortex_m4(cases), MEASURED, strict=True):
        planned = instructions_of(shape, fitted=isinstance(each.form, Fit))
        macs = shape.output_size[0] * shape.output_size[1] * shape.output_channels * 9 * shape.input_channels
        assert planned == pytest.approx(result.instructions, rel=0.03), each.what
        assert result.instructions <= (1 if fitted else 1.1) * at_most * macs, each.what


def test_trials_have_outputs_of_all_sizes() -> None:
    rng = np.random.default_rng(1)
    cases = [case(rng, random_shape(rng), fitted=number % 2 > 0) for number in range(20)]
    changed = np.concatenate([each.after[each.after != each.before] for each in cases])

    assert len(np.unique(changed)) > 240
