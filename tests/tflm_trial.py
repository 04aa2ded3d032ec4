"""Tries which models TensorFlow Lite Micro's interpreter runs, each in a process of its own, as it may crash.

Standard input: a pickled list of (model, shapes and numpy types of its inputs). Standard output: a pickled list
of bool.
"""

import os
import pickle
import sys

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def runs(model: bytes, inputs: list[tuple[tuple[int, ...], str]]) -> bool:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 18)
        for position, (shape, dtype) in enumerate(inputs):
            interpreter.set_input(np.ones(shape, dtype), position)
        interpreter.invoke()
    except BaseException:  # whatever it is, the parent has to hear of it
        os._exit(1)
    os._exit(0)


def main() -> None:
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what C++ code prints must not get into the answer
    results = [runs(model, inputs) for model, inputs in pickle.load(sys.stdin.buffer)]
    with answer:
        pickle.dump(results, answer)


if __name__ == "__main__":
    main()
