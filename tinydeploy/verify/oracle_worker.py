"""The program that the oracle runs in a process of its own: a model and samples in, outputs out.

Both interpreters crash on some inputs, hence the process. It is started by its path and stands alone, so that it
starts fast and does not depend on what a working directory holds. See `oracle.reference_outputs` for the other side.

Standard input: .npz with ``model`` (bytes), ``input0``, ``input1``... of shape (samples, *tensor shape),
``arena_bytes`` and ``interpreter`` (``tflm`` or ``litert``). Standard output: .npz with ``output0``, ``output1``...
Standard error: what the interpreters say, and a line ``@stage`` before each step. Exit code 3: the model was refused.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Invoke = Callable[[Sequence[Array]], list[Array]]


def main() -> int:
    """Answers one request."""
    # What C++ code may print to standard output must not get into the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        model = request["model"].tobytes()
        inputs = [request[f"input{position}"] for position in range(len(request.files) - 3)]
        interpreter, arena_bytes = str(request["interpreter"]), int(request["arena_bytes"])
    try:
        _verify(model)
        invoke = _tflm(model, arena_bytes) if interpreter == "tflm" else _litert(model)
        _stage("running it")
        rows = [invoke([values[sample] for values in inputs]) for sample in range(len(inputs[0]))]
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    with answer:
        outputs = {f"output{i}": np.stack(values) for i, values in enumerate(zip(*rows, strict=True))}
        np.savez(answer, allow_pickle=False, **outputs)
    return 0


def _stage(name: str) -> None:
    sys.stderr.write(f"@stage {name}\n")
    sys.stderr.flush()


def _verify(model: bytes) -> None:
    """Lets LiteRT's loader verify the flatbuffer, which TFLM does not.

    Only that is of interest: LiteRT lacks some ops that TFLM has, and the other way round.
    """
    from ai_edge_litert.interpreter import Interpreter

    _stage("checking the file with LiteRT")
    try:
        Interpreter(model_content=model)
    except ValueError as error:
        if "valid Flatbuffer" in str(error):
            raise
    except RuntimeError:
        pass


def _tflm(model: bytes, arena_bytes: int) -> Invoke:
    from tflite_micro.python.tflite_micro import runtime

    _stage("preparing it")
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
    outputs = _output_count(model)

    def invoke(inputs: Sequence[Array]) -> list[Array]:
        for position, values in enumerate(inputs):
            interpreter.set_input(values, position)
        interpreter.invoke()
        return [np.array(interpreter.get_output(position)) for position in range(outputs)]

    return invoke


def _output_count(model: bytes) -> int:
    """TFLM's wrapper does not tell how many outputs there are."""
    from ai_edge_litert import schema_py_generated as schema

    return int(schema.Model.GetRootAs(model, 0).Subgraphs(0).OutputsLength())


def _litert(model: bytes) -> Invoke:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    _stage("preparing it")
    # Without XNNPACK, whose results differ from the reference kernels by tens of LSB.
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    inputs_at = [detail["index"] for detail in interpreter.get_input_details()]
    outputs_at = [detail["index"] for detail in interpreter.get_output_details()]

    def invoke(inputs: Sequence[Array]) -> list[Array]:
        for index, values in zip(inputs_at, inputs, strict=True):
            interpreter.set_tensor(index, values)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs_at]

    return invoke


if __name__ == "__main__":
    sys.exit(main())
