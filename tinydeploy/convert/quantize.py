"""Post-training quantisation of a float .tflite, by the TensorFlow Lite converter's own quantiser."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tinydeploy import worker
from tinydeploy.errors import BuildError, UsageError
from tinydeploy.samples.samples import Samples

Target = Literal["int8", "int16x8"]

_WORKER = Path(__file__).with_name("quantize_worker.py")
_WHO = "TensorFlow's quantiser"
_TIMEOUT_S = 1800.0


@dataclass(frozen=True, kw_only=True)
class QuantizationSettings:
    """How to quantise.

    ``target``: int8 weights with int8 activations, or with int16 ones (16x8), inputs and outputs included.
    ``per_channel``: a scale for each output channel of convolutions and fully connected layers, or one for each tensor.

    Raises:
        UsageError: Both are not to be had together.
    """

    target: Target = "int8"
    per_channel: bool = True

    def __post_init__(self) -> None:
        if self.target == "int16x8" and not self.per_channel:
            # It fails on depthwise convolutions, TensorFlow 2.21.
            raise UsageError(
                "int16x8 has one scale for each channel, TensorFlow quantises it in no other way",
                hint="leave out --weights per-tensor",
            )


def require_quantizer() -> None:
    """Nothing, where TensorFlow is installed; it is not loaded.

    Raises:
        BuildError: It is not.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise BuildError(
            "quantising needs TensorFlow, which is not installed", hint="pip install 'tinydeploy[convert]'"
        )


def quantize(
    float_tflite: bytes,
    calibration: Samples,
    settings: QuantizationSettings,
    *,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
    on_line: Callable[[str], None] | None = None,
) -> bytes:
    """The model with integer weights, activations, inputs and outputs, as a .tflite file.

    Ranges are the least and the greatest value of each tensor over the calibration samples (TensorFlow 2.21,
    tensorflow/lite/python/optimize/calibrator.py and the MLIR quantiser behind tf.lite.TFLiteConverter; 16x8 by its
    older quantiser, as the converter does). Ops that it does not know are left in float: see `audit`.

    Args:
        float_tflite: Float32, batch 1, fixed shapes.
        calibration: Float inputs, in the graph's order.
        settings: See there.
        on_step: Gets how many of the samples have been run.
        on_line: Gets what TensorFlow says.

    Raises:
        BuildError: TensorFlow is not installed.
        ModelError: It refuses the model, or crashes on it.
    """
    require_quantizer()
    request = {
        "model": np.frombuffer(float_tflite, np.uint8),
        "target": np.array(settings.target),
        "per_channel": np.array(settings.per_channel),
        **{f"input{position}": values for position, values in enumerate(calibration.inputs)},
    }

    def heard(line: str) -> None:
        if line.startswith("@sample "):
            on_step(int(line.removeprefix("@sample ")), calibration.count)
        elif on_line is not None:
            on_line(line)

    finished = worker.run(_WORKER, request, who=_WHO, timeout_s=_TIMEOUT_S, on_line=heard)
    if finished.exit_code != 0:
        raise worker.refusal(finished, _WHO, hint="replace the op that it names in the model")
    return worker.answer(finished, _WHO)["model"].tobytes()
