"""Models compiled by the `aot` engine and run on this machine under sanitizers, and what TFLM computes for them.

    outputs, = run_on_host([Case(model, inputs)])
    expected, = run_on_tflm([Case(model, inputs)])
    check_on_host(models)                             both, compared bit for bit, for many models at once

One call builds one program for all its models: that is faster by far than a program each. `core_engine` does the same
on emulated cores.
"""

import functools
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from tinydeploy.engines.aot.engine import plan_aot
from tinydeploy.engines.aot.kernel_sets import KernelSet
from tinydeploy.engines.aot.requantization import MAX_SHIFT
from tinydeploy.engines.interface import EnginePlan, Objective
from tinydeploy.files import data_dir
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.reader import parse_model

HERE = Path(__file__).resolve().parent
KERNELS = data_dir("firmware") / "kernels"
_COMPILE = (
    *("gcc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fno-omit-frame-pointer"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    *(f"-I{data_dir('firmware') / folder}" for folder in ("include", "kernels")),
)
_ALIGN = 16


@dataclass(frozen=True)
class Case:
    """A model, inputs for it, each an array with one row a sample, and what it is compiled for."""

    model: bytes
    inputs: Sequence[np.ndarray]
    objective: Objective | None = field(default=None, kw_only=True)
    _plans: dict[KernelSet, EnginePlan] = field(default_factory=dict, kw_only=True, repr=False)

    @functools.cached_property
    def graph(self) -> Graph:
        return parse_model(self.model, name="model.tflite")

    def plan(self, kernels: KernelSet) -> EnginePlan:
        """The graph compiled for a kernel set, once."""
        if kernels not in self._plans:
            self._plans[kernels] = plan_aot(self.graph, kernels, objective=self.objective)
        return self._plans[kernels]


def random_case(model: bytes, *, samples: int = 6, seed: int = 0, objective: Objective | None = None) -> Case:
    """Noise over the full range of every input, and as the first samples both its extremes."""
    rng = np.random.default_rng(seed)
    graph = Case(model, []).graph
    inputs = [_noise(rng, graph.tensors[index], samples) for index in graph.inputs]
    return Case(model, inputs, objective=objective)


def _noise(rng: np.random.Generator, tensor: Tensor, samples: int) -> np.ndarray:
    shape = (samples, *tensor.shape)
    if tensor.dtype.numpy.kind == "f":
        return rng.normal(0, 3, shape).astype(np.float32)
    info = np.iinfo(tensor.dtype.numpy)
    values = rng.integers(info.min, info.max, shape, endpoint=True).astype(tensor.dtype.numpy)
    values[0], values[1] = info.min, info.max
    return values


def check_on_host(
    models: Sequence[bytes],
    *,
    samples: int = 6,
    kernels: KernelSet = "reference",
    objective: Objective | None = None,
) -> None:
    """Asserts that the engine computes for every model, on random inputs, bit for bit what TFLM does."""
    cases = [random_case(model, samples=samples, seed=seed, objective=objective) for seed, model in enumerate(models)]
    assert_same(cases, run_on_host(cases, kernels), run_on_tflm(cases))


def assert_same(cases: Sequence[Case], got: Sequence[list[np.ndarray]], expected: Sequence[list[np.ndarray]]) -> None:
    """Asserts that two ways to run the cases gave the same outputs, bit for bit."""
    for number, (case, ours, theirs) in enumerate(zip(cases, got, expected, strict=True)):
        kinds = ", ".join(op.kind for op in case.graph.ops)
        for output, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            what = f"model {number} ({kinds}), for {case.objective}, output {output}"
            assert mine.dtype == other.dtype, what
            np.testing.assert_array_equal(_bits(mine), _bits(other), err_msg=what)


def _bits(values: np.ndarray) -> np.ndarray:
    """Floats as integers, so that zeros of either sign differ."""
    return values.view(np.int32) if values.dtype == np.float32 else values


def run_on_host(cases: Sequence[Case], kernels: KernelSet = "reference") -> list[list[np.ndarray]]:
    """The outputs that the compiled models give, one list a case, each array with one row a sample.

    The dsp kernels run on their model of the instructions in C.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = _build(Path(folder), [case.plan(kernels) for case in cases])
        finished = subprocess.run([program], input=requests_of(cases), capture_output=True, check=False, timeout=600)
    assert finished.returncode == 0, finished.stderr.decode()
    return results_of(finished.stdout, cases)


def run_on_tflm(cases: Sequence[Case]) -> list[list[np.ndarray]]:
    """The same from TFLM's interpreter, which must accept all the models."""
    request = pickle.dumps([(case.model, list(case.inputs)) for case in cases])
    command = [sys.executable, "-P", HERE / "tflm_worker.py"]
    finished = subprocess.run(command, input=request, capture_output=True, check=False, timeout=600)
    assert finished.returncode == 0, finished.stderr.decode()[-2000:]
    return pickle.loads(finished.stdout)


def _build(folder: Path, plans: Sequence[EnginePlan]) -> Path:
    """One program for all models."""
    models, wanted = write_models(folder, plans)
    kernels = {_IN_C.get(kernel, kernel) for kernel in wanted}
    compiler, objects = [*_COMPILE, f"-I{_objects()}"], _objects()
    given = {objects / object_name(kernel): KERNELS / kernel for kernel in kernels if kernel.endswith(".c")}
    given[objects / "host_runner.o"] = HERE / "host_runner.c"
    compile_all(compiler, models | given)
    run_compiler([*compiler, *models, *given, "-o", folder / "program"])
    return folder / "program"


def write_models(folder: Path, plans: Sequence[EnginePlan]) -> tuple[dict[Path, Path], set[str]]:
    """Writes C files of all models, by the object files to make of them, with the table that host_runner.c takes.

    Each model's ``td_model`` gets a name of its own. Also returns the kernels' files that they need.
    """
    codes = [plan.generate() for plan in plans]
    names = [f"td_model_{number}" for number in range(len(codes))]
    for name, code in zip(names, codes, strict=True):
        text = code.files[PurePosixPath("src/model.c")].decode()
        (folder / f"{name}.c").write_text(f"#define td_model {name}\n{text}")
    table = [f"extern const struct td_model {name};" for name in names]
    table.append(f"const struct td_model *const models[] = {{{', '.join(f'&{name}' for name in names)}}};")
    header = '#include "td_model.h"\nextern const struct td_model *const models[];\n'
    (folder / "models.c").write_text(header + "\n".join(table) + "\n")
    sources = {folder / f"{name}.o": folder / f"{name}.c" for name in ("models", *names)}
    return sources, {kernel for code in codes for kernel in code.kernels}


def object_name(kernel: str) -> str:
    """Of a file below firmware/kernels (``dsp/pointwise.c``), a name that no other has."""
    return f"{kernel.replace('/', '_').replace('.', '_')}.o"


_IN_C = {"dsp/gemm_tile.S": "dsp/gemm_in_c.c", "dsp/winograd_tile.S": "dsp/winograd_in_c.c"}
"""What stands in for a file of assembler on a host; the others have it within their C files."""


@functools.cache
def _objects() -> Path:
    """A folder for the object files of the kernels that models have called, and of the runner."""
    folder = Path(tempfile.mkdtemp(prefix="tinydeploy-kernels-"))
    write_all_shifts(folder)
    return folder


def write_all_shifts(folder: Path) -> None:
    """A td_shifts.h for all models: kernels that are instantiated for output shifts are so for all of them."""
    every = " ".join(f"X({shift})" for shift in range(1, MAX_SHIFT + 1))
    names = ("GEMM", "GEMM_WIDE", "DEPTHWISE", "WINOGRAD")
    (folder / "td_shifts.h").write_text("".join(f"#define TD_{name}_SHIFTS(X) {every}\n" for name in names))


def compile_all(compiler: Sequence[str | Path], sources: Mapping[Path, Path]) -> None:
    """Makes object files that are not there yet, each the key of its source, several at a time."""
    commands = ([*compiler, "-c", sources[target], "-o", target] for target in sources if not target.exists())
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(run_compiler, commands))


def run_compiler(command: Sequence[str | Path]) -> None:
    finished = subprocess.run(command, capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr.decode()


def requests_of(cases: Sequence[Case]) -> bytes:
    """What host_runner.c reads to run all cases."""
    return b"".join(_request(number, case) for number, case in enumerate(cases))


def results_of(data: bytes, cases: Sequence[Case]) -> list[list[np.ndarray]]:
    """The outputs of all cases from what host_runner.c wrote."""
    results = []
    for case in cases:
        outputs, data = _unpack(data, case)
        results.append(outputs)
    assert not data
    return results


def _request(number: int, case: Case) -> bytes:
    count = len(case.inputs[0])
    header = np.array([number, count], np.uint32).tobytes()
    tensors = [case.graph.tensors[index] for index in case.graph.inputs]
    return header + b"".join(
        _row([values[sample].tobytes() for values in case.inputs]) for sample in range(count) if tensors
    )


def _row(parts: Sequence[bytes]) -> bytes:
    """Tensors one after the other, each at a multiple of 16."""
    padded = b"".join(part + bytes(-len(part) % _ALIGN) for part in parts[:-1])
    return padded + parts[-1]


def _unpack(data: bytes, case: Case) -> tuple[list[np.ndarray], bytes]:
    """The outputs of one case, and the bytes behind them."""
    tensors = [case.graph.tensors[index] for index in case.graph.outputs]
    rows: list[list[np.ndarray]] = []
    for _ in case.inputs[0]:
        rows.append([])
        for position, tensor in enumerate(tensors):
            values = np.frombuffer(data[: tensor.nbytes], tensor.dtype.numpy).reshape(tensor.shape)
            rows[-1].append(values)
            last = position == len(tensors) - 1
            data = data[tensor.nbytes if last else tensor.nbytes + -tensor.nbytes % _ALIGN :]
    return [np.stack(values) for values in zip(*rows, strict=True)], data
