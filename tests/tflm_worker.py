"""Runs many models through TensorFlow Lite Micro's interpreter in one process, which starts slowly.

Standard input: a pickled list of (model, inputs), each input an array with one row a sample. Standard output: a pickled
list of outputs, likewise. Ends with an exception where TFLM refuses a model; standard error says why.
"""

import os
import pickle
import sys

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_micro.python.tflite_micro import runtime


def outputs_of(model: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    count = schema.Model.GetRootAs(model, 0).Subgraphs(0).OutputsLength()
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
    rows = []
    for sample in range(len(inputs[0])):
        for position, values in enumerate(inputs):
            interpreter.set_input(values[sample], position)
        interpreter.invoke()
        rows.append([np.array(interpreter.get_output(position)) for position in range(count)])
    return [np.stack(values) for values in zip(*rows, strict=True)]


def main() -> None:
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what C++ code prints must not get into the answer
    results = []
    for number, (model, inputs) in enumerate(pickle.load(sys.stdin.buffer)):
        sys.stderr.write(f"model {number}\n")
        sys.stderr.flush()
        results.append(outputs_of(model, inputs))
    with answer:
        pickle.dump(results, answer)


if __name__ == "__main__":
    main()
