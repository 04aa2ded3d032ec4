"""The program that `static_shapes` runs in a process of its own: LiteRT with batch 1.

Standard input: .npz with ``model`` (bytes), ``shapeI`` for each input I, and ``wanted``, the indices of tensors whose
values depend on no input.
Standard output: .npz with ``shapeI`` of every tensor I that has one and ``valueI`` of the wanted ones. See `worker`.
"""

import io
import os
import sys

import numpy as np


def main() -> int:
    """Answers one request."""
    # What C++ code may print to standard output must not get into the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        model, wanted = request["model"].tobytes(), request["wanted"].tolist()
        names = [name for name in request.files if name.startswith("shape")]
        shapes = {int(name.removeprefix("shape")): request[name].tolist() for name in names}
    try:
        _stage("reading the model")
        interpreter = Interpreter(
            model_content=model,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        _stage("setting the batch to 1")
        for detail in interpreter.get_input_details():
            interpreter.resize_tensor_input(detail["index"], shapes[detail["index"]])
        interpreter.allocate_tensors()
        if wanted:
            _stage("running it once")
            for detail in interpreter.get_input_details():
                interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
            interpreter.invoke()
        found = {f"shape{detail['index']}": detail["shape"] for detail in interpreter.get_tensor_details()}
        values = {f"value{index}": interpreter.get_tensor(index) for index in wanted}
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    with answer:
        np.savez(answer, allow_pickle=False, **found, **values)
    return 0


def _stage(name: str) -> None:
    sys.stderr.write(f"@stage {name}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
