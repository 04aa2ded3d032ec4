"""Tries which models TensorFlow Lite Micro's interpreter runs. It may crash on those that it does not.

Standard input: a pickled list of (model, shapes and numpy types of its inputs). Standard output: a pickled list
of bool.
"""

import os
import pickle
import sys

import numpy as np
from tflite_micro.python.tflite_micro import runtime

Case = tuple[bytes, list[tuple[tuple[int, ...], str]]]


def runs(model: bytes, inputs: list[tuple[tuple[int, ...], str]]) -> bool:
    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 18)
        for position, (shape, dtype) in enumerate(inputs):
            interpreter.set_input(np.ones(shape, dtype), position)
        interpreter.invoke()
    except (RuntimeError, ValueError):
        return False
    return True


def results_of(cases: list[Case]) -> list[bool]:
    """What a child process found of the cases, in their order; the last of them is False if it crashed on that one."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        for case in cases:
            os.write(writer, bytes([runs(*case)]))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        found = [answer == 1 for answer in answers.read()]
    os.wait()
    return found if len(found) == len(cases) else [*found, False]


def main() -> None:
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what C++ code prints must not get into the answer
    cases, results = pickle.load(sys.stdin.buffer), []
    while len(results) < len(cases):
        results += results_of(cases[len(results) :])
    with answer:
        pickle.dump(results, answer)


if __name__ == "__main__":
    main()
