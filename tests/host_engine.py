"""Models compiled by the `aot` engine and run on this machine under sanitizers, and what TFLM computes for them.

    outputs, = run_on_host([Case(model, inputs)])
    expected, = run_on_tflm([Case(model, inputs)])
    check_on_host(models)                             both, compared bit for bit, for many models at once

One call builds one program for all its models: that is faster by far than a program each.
"""

import functools
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from tinydeploy.engines.aot.engine import plan_aot
from tinydeploy.engines.aot.kernel_sets import KernelSet
from tinydeploy.engines.aot.requantization import MAX_SHIFT
from tinydeploy.engines.interface import ModelCode
from tinydeploy.files import data_dir
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.model.reader import parse_model

_HERE = Path(__file__).resolve().parent
_COMPILE = (
    *("gcc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fno-omit-frame-pointer"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    *(f"-I{data_dir('firmware') / folder}" for folder in ("include", "kernels")),
)
_ALIGN = 16


@dataclass(frozen=True)
class Case:
    """A model and inputs for it, each an array with one row a sample."""

    model: bytes
    inputs: Sequence[np.ndarray]

    @functools.cached_property
    def graph(self) -> Graph:
        return parse_model(self.model, name="model.tflite")


def random_case(model: bytes, *, samples: int = 6, seed: int = 0) -> Case:
    """Noise over the full range of every input, and as the first samples both its extremes."""
    rng = np.random.default_rng(seed)
    graph = Case(model, []).graph
    return Case(model, [_noise(rng, graph.tensors[index], samples) for index in graph.inputs])


def _noise(rng: np.random.Generator, tensor: Tensor, samples: int) -> np.ndarray:
    shape = (samples, *tensor.shape)
    if tensor.dtype.numpy.kind == "f":
        return rng.normal(0, 3, shape).astype(np.float32)
    info = np.iinfo(tensor.dtype.numpy)
    values = rng.integers(info.min, info.max, shape, endpoint=True).astype(tensor.dtype.numpy)
    values[0], values[1] = info.min, info.max
    return values


def check_on_host(models: Sequence[bytes], *, samples: int = 6, kernels: KernelSet = "reference") -> None:
    """Asserts that the engine computes for every model, on random inputs, bit for bit what TFLM does."""
    cases = [random_case(model, samples=samples, seed=seed) for seed, model in enumerate(models)]
    for number, (got, expected) in enumerate(zip(run_on_host(cases, kernels), run_on_tflm(cases), strict=True)):
        for output, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
            what = f"model {number} ({', '.join(op.kind for op in cases[number].graph.ops)}), output {output}"
            assert ours.dtype == theirs.dtype, what
            np.testing.assert_array_equal(_bits(ours), _bits(theirs), err_msg=what)


def _bits(values: np.ndarray) -> np.ndarray:
    """Floats as integers, so that zeros of either sign differ."""
    return values.view(np.int32) if values.dtype == np.float32 else values


def run_on_host(cases: Sequence[Case], kernels: KernelSet = "reference") -> list[list[np.ndarray]]:
    """The outputs that the compiled models give, one list a case, each array with one row a sample.

    The dsp kernels run on their model of the instructions in C.
    """
    codes = [plan_aot(case.graph, kernels).generate() for case in cases]
    with tempfile.TemporaryDirectory() as folder:
        program = _build(Path(folder), codes)
        requests = b"".join(_request(number, case) for number, case in enumerate(cases))
        finished = subprocess.run([program], input=requests, capture_output=True, check=False, timeout=120)
    assert finished.returncode == 0, finished.stderr.decode()
    rest, results = finished.stdout, []
    for case in cases:
        outputs, rest = _unpack(rest, case)
        results.append(outputs)
    assert not rest
    return results


def run_on_tflm(cases: Sequence[Case]) -> list[list[np.ndarray]]:
    """The same from TFLM's interpreter, which must accept all the models."""
    request = pickle.dumps([(case.model, list(case.inputs)) for case in cases])
    command = [sys.executable, "-P", _HERE / "tflm_worker.py"]
    finished = subprocess.run(command, input=request, capture_output=True, check=False, timeout=120)
    assert finished.returncode == 0, finished.stderr.decode()[-2000:]
    return pickle.loads(finished.stdout)


def _build(folder: Path, codes: Sequence[ModelCode]) -> Path:
    """One program for all models; each model's ``td_model`` gets a name of its own."""
    names = [f"td_model_{number}" for number in range(len(codes))]
    for name, code in zip(names, codes, strict=True):
        text = code.files[PurePosixPath("src/model.c")].decode()
        (folder / f"{name}.c").write_text(f"#define td_model {name}\n{text}")
    table = [f"extern const struct td_model {name};" for name in names]
    table.append(f"const struct td_model *const models[] = {{{', '.join(f'&{name}' for name in names)}}};")
    header = '#include "td_model.h"\nextern const struct td_model *const models[];\n'
    (folder / "models.c").write_text(header + "\n".join(table) + "\n")
    wanted = {kernel for code in codes for kernel in code.kernels}
    wanted |= {_IN_C[kernel] for kernel in wanted if kernel in _IN_C}
    objects = [_kernels() / kernel.replace("/", "_").replace(".c", ".o") for kernel in wanted if kernel.endswith(".c")]
    sources = [*sorted(folder.glob("*.c")), *sorted(objects), _kernels() / "host_runner.o"]
    _run_compiler([*_COMPILE, f"-I{_kernels()}", *sources, "-o", folder / "program"])
    return folder / "program"


_IN_C = {"dsp/gemm_tile.S": "dsp/gemm_in_c.c"}
"""What stands in for a file of assembler on a host; the others have it within their C files."""


@functools.cache
def _kernels() -> Path:
    """A folder with the object files of all kernels but those with vector instructions, and of the runner.

    Kernels that are instantiated for output shifts are so for all of them.
    """
    folder = Path(tempfile.mkdtemp(prefix="tinydeploy-kernels-"))
    every = " ".join(f"X({shift})" for shift in range(1, MAX_SHIFT + 1))
    names = ("GEMM", "GEMM_WIDE", "DEPTHWISE")
    (folder / "td_shifts.h").write_text("".join(f"#define TD_{name}_SHIFTS(X) {every}\n" for name in names))
    sources = [*(data_dir("firmware") / "kernels").glob("*/*.c"), _HERE / "host_runner.c"]
    for source in sources:
        if source.parent.name != "mve":
            name = source.stem if source.parent == _HERE else f"{source.parent.name}_{source.stem}"
            _run_compiler([*_COMPILE, f"-I{folder}", "-c", source, "-o", folder / f"{name}.o"])
    return folder


def _run_compiler(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    finished = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr.decode()


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
