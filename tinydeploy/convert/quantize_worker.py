"""The program that `quantize` runs in a process of its own: TensorFlow's quantiser.

Standard input: .npz with ``model`` (bytes), ``target`` (``int8`` or ``int16x8``), ``per_channel`` and ``input0``,
``input1``... of shape (samples, *tensor shape). Standard output: .npz with ``model``. Standard error: a line
``@sample N`` after each sample; see `worker` for the others.
"""

import io
import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # whose sums depend on the CPU
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import numpy.typing as npt


def main() -> int:
    """Answers one request."""
    # What C++ code may print to standard output must not get into the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        model = request["model"].tobytes()
        target, per_channel = str(request["target"]), bool(request["per_channel"])
        inputs = [request[f"input{position}"] for position in range(len(request.files) - 3)]
    try:
        quantized = _quantize(model, inputs, target, per_channel=per_channel)
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    with answer:
        np.savez(answer, allow_pickle=False, model=np.frombuffer(quantized, np.uint8))
    return 0


def _quantize(model: bytes, inputs: list[npt.NDArray[Any]], target: str, *, per_channel: bool) -> bytes:
    """What tf.lite.TFLiteConverter does with a float model and a representative dataset (lite.py, `_quantize`)."""
    _stage("starting")
    from tensorflow import dtypes
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize import calibrator

    def representative() -> Iterator[list[npt.NDArray[Any]]]:
        for sample in range(len(inputs[0])):
            yield [values[sample] for values in inputs]
            sys.stderr.write(f"@sample {sample + 1}\n")
            sys.stderr.flush()

    _stage("reading the model")
    ranges = calibrator.Calibrator(calibrator.add_intermediate_tensors(model))
    _stage("calibrating")
    if target == "int16x8":
        quantized = ranges.calibrate_and_quantize(
            representative,
            dtypes.int16,
            dtypes.int16,
            False,  # float ops are not allowed
            dtypes.int16,
            dtypes.int64,
            disable_per_channel=not per_channel,
            disable_per_channel_quantization_for_dense_layers=not per_channel,
        )
        return bytes(quantized)
    calibrated = ranges.calibrate(representative)
    _stage("quantising")
    quantized = mlir_quantize(
        calibrated,
        disable_per_channel=not per_channel,
        input_data_type=dtypes.int8,
        output_data_type=dtypes.int8,
        disable_per_channel_for_dense_layers=not per_channel,
    )
    return bytes(quantized)


def _stage(name: str) -> None:
    sys.stderr.write(f"@stage {name}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
