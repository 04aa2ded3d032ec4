"""The dsp kernels that compute matrix products, on this machine and on an emulated Cortex-M4, against numpy."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tinydeploy.engines.aot.dsp.pointwise import pointwise_instructions, pointwise_parameters
from tinydeploy.engines.aot.dsp.product import Grid, Product, can_be_packed, dense_grid, planes_grid
from tinydeploy.engines.aot.dsp.window import (
    Window,
    convolution_instructions,
    convolution_order,
    convolution_parameters,
    smallest_lag,
)
from tinydeploy.engines.aot.program import Array
from tinydeploy.engines.aot.requantization import (
    Fit,
    General,
    Requantization,
    feasible_shifts,
    fit_layer,
    general_form,
    requantize,
)
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.files import data_dir

HERE = Path(__file__).resolve().parent
KERNELS = data_dir("firmware") / "kernels"
SOURCES = [
    HERE / "gemm_cases.c",
    *(KERNELS / "dsp" / f"{name}.c" for name in ("pointwise", "conv_2d_gemm", "gemm_in_c")),
]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", f"-I{KERNELS}", f"-I{KERNELS / 'dsp'}"]
SHIFTS = range(1, 24)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call of a kernel: the words of its header and streams, its memory before and what it must be afterwards."""

    what: str
    header: np.ndarray
    streams: np.ndarray
    before: np.ndarray
    after: np.ndarray
    instructions: float = 0.0
    macs: int = 1


Runner = Callable[[Sequence[Case]], tuple[list[np.ndarray], list[int]]]


@pytest.fixture(scope="module", params=["this machine", "Cortex-M4"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Runs cases; gives the memory after each, and its instructions (on this machine 0)."""
    folder = tmp_path_factory.mktemp("gemm")
    on_host = request.param == "this machine"
    command = build_for_host(folder) if on_host else build_for_cortex_m4(folder)

    def run_cases(cases: Sequence[Case]) -> tuple[list[np.ndarray], list[int]]:
        (folder / "cases.bin").write_bytes(
            np.int32(len(cases)).tobytes()
            + b"".join(c.header.tobytes() + c.streams.tobytes() + c.before.tobytes() for c in cases)
        )
        finished = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
        assert finished.returncode == 0, finished.stderr.decode()
        results, after, counts = (folder / "results.bin").read_bytes(), [], []
        for case in cases:
            instructions, is_intact = np.frombuffer(results[:8], np.int32)
            assert is_intact, f"{case.what}: wrote behind its scratch memory"
            after.append(np.frombuffer(results[8 : 8 + case.before.size], np.int8))
            counts.append(int(instructions))
            results = results[8 + case.before.size :]
        return after, counts

    return run_cases


def build_for_host(folder: Path) -> list[str | Path]:
    write_shifts(folder)
    sanitizers = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", *STRICT, f"-I{folder}", *sanitizers, *SOURCES, "-o", folder / "cases"], check=True)
    return [folder / "cases"]


def build_for_cortex_m4(folder: Path) -> list[str | Path]:
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on the PATH")
    write_shifts(folder)
    target = ["-mcpu=cortex-m4", "-mthumb", "-O2", "-nostartfiles", "--specs=nano.specs", "-T", HERE / "kernels_m4.ld"]
    tile = KERNELS / "dsp" / "gemm_tile.S"
    program = folder / "cases.elf"
    subprocess.run(["arm-none-eabi-gcc", *STRICT, f"-I{folder}", *target, *SOURCES, tile, "-o", program], check=True)
    quiet = ["-display", "none", "-serial", "null", "-monitor", "none"]
    counting = ["-semihosting-config", "enable=on,target=native", "-icount", "shift=7"]
    return ["qemu-system-arm", "-M", "mps2-an386", *quiet, *counting, "-kernel", program]


def write_shifts(folder: Path) -> None:
    instances = " ".join(f"X({shift})" for shift in SHIFTS)
    text = f"#define TD_GEMM_SHIFTS(X) {instances}\n#define TD_GEMM_WIDE_SHIFTS(X) TD_GEMM_SHIFTS(X)\n"
    (folder / "td_shifts.h").write_text(text)


def random_layer(rng: np.random.Generator, weights: np.ndarray, bias: np.ndarray, *, relu: bool) -> Requantization:
    """Factors that spread the outputs over about the range of int8, with a few channels that are constant."""
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=1, dtype=np.int64)
    lo, hi = bias - 128 * positive + 127 * negative, bias + 127 * positive - 128 * negative
    reach = np.maximum(np.maximum(abs(lo), abs(hi)).max(), 2000)
    shift = int(np.floor(np.log2(rng.choice([100, 400, 1500]) / reach)))
    channels = len(weights)
    shifts = np.minimum(shift + rng.integers(-1, 2, channels), -2)
    mantissa = rng.integers(2**30, 2**31, channels)
    mantissa[rng.random(channels) < 0.05] = 0
    return Requantization(
        mantissa=mantissa,
        shift=np.where(mantissa == 0, 0, shifts),
        lo=lo,
        hi=hi,
        zero_point=-128 if relu else int(rng.integers(-128, 128)),
        low=-128,
        high=127,
    )


def random_product(
    rng: np.random.Generator, channels: int, depth: int, *, relu: bool = True, wide: bool = False
) -> tuple[Product, Requantization]:
    largest = int(rng.choice([127, 127, 40]))
    weights = rng.integers(-largest, largest + 1, (channels, depth)).astype(np.int8)
    if rng.random() < 0.15:
        weights = (rng.choice([-127, 127], (channels, 1)) * np.ones((1, depth))).astype(np.int8)
    bias = rng.integers(-20000, 20000, channels)
    layer = random_layer(rng, weights, bias, relu=relu)
    form = form_of(layer, fitted=relu)
    is_wide = wide or not can_be_packed(weights, form, layer)
    return Product(weights=weights, bias=bias, form=form, is_wide=is_wide), layer


def form_of(layer: Requantization, *, fitted: bool) -> Fit | General:
    fit = fit_layer(layer, feasible_shifts(layer)) if fitted else None
    form = fit or general_form(layer)
    assert form is not None
    return form


def random_planes(rng: np.random.Generator, channels: int, height: int, width: int) -> Planes:
    if rng.random() < 0.3:
        return Planes.compact(channels, height, width)
    return Planes.bordered(channels, height, width, tuple(int(n) for n in rng.integers(0, 3, 4)))


def addresses(grid: Grid, channels: int) -> np.ndarray:
    """Of every value, [rows, columns, channels]."""
    rows, columns, every = np.ogrid[: grid.rows, : grid.columns, :channels]
    return grid.origin + rows * grid.row_step + columns * grid.pixel_step + every * grid.channel_step


def header_of(kind: int, parameters: dict, places: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The words of a case's header, and its streams."""
    gemm = parameters["gemm"]
    pairs, last = gemm["pairs"], gemm["last"]
    tile = 0 if gemm["tile"].endswith("general") else 2 * int(gemm["tile"].rpartition("_")[2])
    last_words = last.get("words", 0)
    own = [value for name, value in parameters.items() if name != "gemm"]
    header = np.zeros(32, np.int32)
    header[:12] = [
        *(kind, tile + ("wide" in gemm["tile"]), pairs["channel_step"], pairs["words"], pairs["depth"], last_words),
        *(gemm["last_offset"], *(gemm[name] for name in ("rows", "columns", "row_step", "pixel_step", "origin"))),
    ]
    header[12 : 12 + len(own)] = own
    header[24:28] = places
    streams = [part["stream"].values.reshape(-1) for part in (pairs, last) if isinstance(part["stream"], Array)]
    return header, np.concatenate(streams)


def inputs_of(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if rng.random() < 0.1:
        return np.full(shape, rng.choice([-128, 127]), np.int8)
    return rng.integers(-128, 128, shape).astype(np.int8)


def outputs_of(product: Product, layer: Requantization, windows: np.ndarray) -> np.ndarray:
    """[pixels, channels] for windows [pixels, depth]."""
    sums = windows.astype(np.int64) @ product.weights.T.astype(np.int64) + product.bias
    return requantize(layer, sums.T).T.astype(np.int8)


def memory_with(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.integers(-128, 128, -(-size // 4) * 4).astype(np.int8)


def pointwise_case(
    rng: np.random.Generator,
    product: Product,
    layer: Requantization,
    source: Grid,
    target: Grid,
    *,
    backwards: bool = False,
    in_place: bool = False,
) -> Case:
    depth, channels = product.weights.shape[1], product.channels
    reads, writes = addresses(source, depth), addresses(target, channels)
    input_at = 8
    output_at = input_at if in_place else input_at + int(reads.max()) + 5
    size = max(input_at + int(reads.max()), output_at + int(writes.max())) + 9
    before = memory_with(rng, size)
    values = inputs_of(rng, reads.shape)
    before[input_at + reads] = values
    after = before.copy()
    after[output_at + writes] = outputs_of(product, layer, values.reshape(-1, depth)).reshape(writes.shape)
    parameters = pointwise_parameters(product, source, target, backwards=backwards)
    header, streams = header_of(0, parameters, (input_at, output_at, before.size, product.buffer_bytes))
    return Case(
        what=f"{product.form.__class__.__name__} {source} {target} {product.weights.shape} {backwards=} {in_place=}",
        header=header,
        streams=streams,
        before=before,
        after=after,
        instructions=pointwise_instructions(product, source, target),
        macs=source.rows * source.columns * product.weights.size,
    )


def random_pointwise(rng: np.random.Generator, number: int) -> Case:
    depth = int(rng.choice([rng.integers(1, 40), rng.integers(4, 601)]))
    product, layer = random_product(
        rng, int(rng.integers(1, 41)), depth, relu=number % 3 > 0, wide=bool(rng.random() < 0.25)
    )
    height, width = int(rng.integers(1, 7)), int(rng.integers(1, 10))
    source, target = (
        dense_grid(height, width, values)
        if rng.random() < 0.5
        else planes_grid(random_planes(rng, values, height, width))
        for values in (depth, product.channels)
    )
    return pointwise_case(rng, product, layer, source, target, backwards=bool(rng.random() < 0.3))


def random_pointwise_in_place(rng: np.random.Generator, number: int) -> Case:
    """On planes from a corner to within a border, or from one pixel's channels to another number of them."""
    height, width, depth = (int(n) for n in rng.integers(1, 9, 3))
    if number % 2:
        product, layer = random_product(rng, int(rng.integers(1, depth + 1)), depth)
        planes = random_planes(rng, depth, height, width)
        corner = planes_grid(planes.at_corner(height, width))
        return pointwise_case(rng, product, layer, corner, planes_grid(planes), backwards=True, in_place=True)
    product, layer = random_product(rng, int(rng.integers(1, 17)), depth)
    source, target = (dense_grid(height, width, values) for values in (depth, product.channels))
    return pointwise_case(rng, product, layer, source, target, backwards=product.channels > depth, in_place=True)


def random_window(rng: np.random.Generator) -> Window:
    kernel = tuple(int(n) for n in rng.integers(1, 6, 2))
    dilation = tuple(int(n) for n in rng.choice([1, 1, 1, 2, 3], 2))
    stride = tuple(int(n) for n in rng.integers(1, 4, 2))
    padding = tuple(int(rng.integers(0, taps * step)) for taps, step in zip(kernel, dilation, strict=True))
    size = tuple(int(n) for n in rng.integers(1, 12, 2))
    outputs = tuple(
        max((n + 2 * pad - (taps - 1) * step - 1) // by + 1, 1)
        for n, pad, taps, step, by in zip(size, padding, kernel, dilation, stride, strict=True)
    )
    channels = int(rng.choice([1, 2, 3, 4, 5, 8, 16]))
    return Window(
        input_size=size,
        channels=channels,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        output_size=outputs,
    )


def windows_of(window: Window, values: np.ndarray, zero_point: int) -> np.ndarray:
    """What every output sees, [pixels, taps]."""
    around = 64
    padded = np.full(
        (window.input_size[0] + 2 * around, window.input_size[1] + 2 * around, window.channels), zero_point
    )
    padded[around:-around, around:-around] = values
    seen = []
    for row in range(window.output_size[0]):
        for column in range(window.output_size[1]):
            y = around + row * window.stride[0] - window.padding[0] + np.arange(window.kernel[0]) * window.dilation[0]
            x = (
                around
                + column * window.stride[1]
                - window.padding[1]
                + np.arange(window.kernel[1]) * window.dilation[1]
            )
            seen.append(padded[np.ix_(y, x)].reshape(-1))
    return np.array(seen)


def convolution_case(
    rng: np.random.Generator,
    window: Window,
    channels: int,
    *,
    relu: bool = True,
    overlap: bool = False,
    planar: bool = False,
) -> Case:
    depth = window.kernel[0] * window.row_values
    product, layer = random_product(rng, channels, depth, relu=relu)
    order = convolution_order(window.kernel[0], window.row_values)
    target = dense_grid(*window.output_size, channels)
    if planar:
        target = planes_grid(random_planes(rng, channels, *window.output_size))
    values = inputs_of(rng, (*window.input_size, window.channels))
    zero_point = int(rng.integers(-128, 128))
    writes = addresses(target, channels)
    output_at = 8
    input_at = output_at + (smallest_lag(window, channels) if overlap else int(writes.max()) + 5)
    before = memory_with(rng, max(input_at + values.size, output_at + int(writes.max()) + 1) + 8)
    before[input_at : input_at + values.size] = values.reshape(-1)
    after = before.copy()
    after[output_at + writes] = outputs_of(product, layer, windows_of(window, values, zero_point)).reshape(writes.shape)
    ordered = Product(weights=product.weights[:, order], bias=product.bias, form=product.form, is_wide=product.is_wide)
    parameters = convolution_parameters(ordered, window, target, zero_point)
    scratch = ordered.buffer_bytes + window.copy_bytes
    header, streams = header_of(1, parameters, (input_at, output_at, before.size, scratch))
    return Case(
        what=f"{window} to {channels} {overlap=}",
        header=header,
        streams=streams,
        before=before,
        after=after,
        instructions=convolution_instructions(ordered, window),
        macs=len(windows_of(window, values, 0)) * product.weights.size,
    )


def random_convolution(rng: np.random.Generator, number: int) -> Case:
    channels = int(rng.integers(1, 20))
    how = {"overlap": True} if number % 3 == 0 else {"planar": bool(rng.random() < 0.5)}
    return convolution_case(rng, random_window(rng), channels, relu=bool(rng.random() < 0.7), **how)


def check(run: Runner, cases: Sequence[Case]) -> None:
    for case, after in zip(cases, run(cases)[0], strict=True):
        np.testing.assert_array_equal(after, case.after, err_msg=case.what)


def test_pointwise_layers_of_any_shape_are_exact_and_write_nothing_else(run: Runner) -> None:
    rng = np.random.default_rng(1)
    check(run, [random_pointwise(rng, number) for number in range(250)])


def test_pointwise_layers_may_overwrite_their_input_in_the_right_order(run: Runner) -> None:
    rng = np.random.default_rng(2)
    check(run, [random_pointwise_in_place(rng, number) for number in range(120)])


def test_convolutions_of_any_geometry_are_exact_also_where_they_overlap_their_input(run: Runner) -> None:
    rng = np.random.default_rng(3)
    check(run, [random_convolution(rng, number) for number in range(250)])


def test_both_forms_and_both_sizes_of_weights_are_among_the_cases() -> None:
    rng = np.random.default_rng(1)
    tiles = [int(random_pointwise(rng, number).header[1]) for number in range(250)]

    assert (
        min(
            tiles.count(0),
            tiles.count(1),
            sum(t > 1 and t % 2 == 0 for t in tiles),
            sum(t > 1 and t % 2 for t in tiles),
        )
        > 15
    )


def test_instructions_in_c_compute_what_the_core_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    count = 2_000
    words = rng.integers(-(2**31), 2**31, (count, 3)).astype(np.int32)
    words[:27] = np.array(np.meshgrid(*3 * [[-(2**31), 0x7FFF8000, -1]])).reshape(3, -1).T
    image = np.concatenate([words.reshape(-1), np.zeros(16 * count, np.int32)])
    header = np.zeros(32, np.int32)
    header[[0, 7, 25, 26]] = 2, count, words.nbytes, image.nbytes
    results = []
    for name, build in (("host", build_for_host), ("core", build_for_cortex_m4)):
        folder = tmp_path / name
        folder.mkdir()
        command = build(folder)
        (folder / "cases.bin").write_bytes(np.int32(1).tobytes() + header.tobytes() + image.tobytes())
        subprocess.run(command, cwd=folder, check=True, timeout=120)
        results.append(
            np.frombuffer((folder / "results.bin").read_bytes()[8 + words.nbytes :], np.int32).reshape(-1, 16)
        )

    np.testing.assert_array_equal(*results)


def layer_of_a_network(name: str, depth: int, channels: int, size: int) -> Case:
    """A convolution with one byte a weight and fitted outputs: 1x1 on an NHWC image, or a window's kernel in front."""
    rng = np.random.default_rng(6)
    if name == "1x1":
        product, layer = next(
            (product, layer)
            for product, layer in (random_product(rng, channels, depth) for _ in range(100))
            if not product.is_wide and isinstance(product.form, Fit)
        )
        return pointwise_case(rng, product, layer, dense_grid(size, size, depth), dense_grid(size, size, channels))
    kernel, stride, padding = {"3x3": (3, 1, 1), "3x3, stride 2": (3, 2, 0)}[name]
    window = Window(
        input_size=(size, size),
        channels=depth,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        dilation=(1, 1),
        padding=(padding, padding),
        output_size=(size // stride, size // stride),
    )
    cases = (convolution_case(rng, window, channels) for _ in range(100))
    return next(case for case in cases if case.header[1] > 1 and case.header[1] % 2 == 0)


NETWORK_LAYERS = [
    (("1x1", 8, 16, 24), 1.65),
    (("1x1", 16, 32, 24), 1.16),
    (("1x1", 32, 32, 24), 0.97),
    (("1x1", 64, 64, 12), 0.86),
    (("1x1", 128, 128, 6), 0.81),
    (("3x3", 16, 16, 32), 0.89),
    (("3x3", 32, 32, 16), 0.83),
    (("3x3", 64, 64, 8), 0.80),
    (("3x3, stride 2", 3, 8, 48), 1.54),
    (("3x3", 3, 16, 32), 1.29),
]
"""Layers, and how many instructions a multiply-accumulate takes at most."""


def test_layers_take_as_many_instructions_as_the_cost_model_says_and_no_more_than_before(run: Runner) -> None:
    cases = [layer_of_a_network(*layer) for layer, _ in NETWORK_LAYERS]
    counts = run(cases)[1]
    if not any(counts):
        pytest.skip("this machine counts no instructions")
    for (layer, limit), case, count in zip(NETWORK_LAYERS, cases, counts, strict=True):
        assert case.instructions == pytest.approx(count, rel=0.03), layer
        assert count / case.macs <= limit, layer
