"""Small models that remember: the same input gives another output the second time.

Their parameters are such that outputs stay within the range of int8, and that what they remember of the inference
before moves them by many steps.
"""

import numpy as np
from tflite_builder import ModelBuilder

LSTM_STEPS, LSTM_FEATURES, LSTM_UNITS = 2, 4, 8
SVDF_FEATURES, SVDF_UNITS, SVDF_RANK, SVDF_MEMORY = 6, 4, 2, 3

_INPUT_SCALE = 2.0**-6
_WEIGHT_SCALE = 0.5 / 127
_GATE_SCALE = 2.0**-12  # of what goes into a gate's activation, in Q3.12
_HIDDEN_SCALE = 2.0**-7


def lstm_model(seed: int = 0) -> bytes:
    """UNIDIRECTIONAL_SEQUENCE_LSTM with int8 activations and an int16 cell state, as converters write it.

    Its 24 inputs are those of tensorflow/lite/kernels/lstm_shared.h: data, four weights of the input, four of the state
    before, no peepholes, four biases (the forget gate's is 1), no projection, two states, no normalisation.
    """
    random = np.random.default_rng(seed)
    builder = ModelBuilder()
    x = builder.tensor((1, LSTM_STEPS, LSTM_FEATURES), scale=_INPUT_SCALE, zero_point=5, name="x")
    y = builder.tensor((1, LSTM_STEPS, LSTM_UNITS), scale=_HIDDEN_SCALE, zero_point=0, name="y")

    def weights(columns: int) -> int:
        values = random.integers(-127, 128, (LSTM_UNITS, columns)).astype(np.int8)
        return builder.constant(values, scale=_WEIGHT_SCALE)

    def bias(real: float) -> int:
        scale = _INPUT_SCALE * _WEIGHT_SCALE
        return builder.constant(np.full(LSTM_UNITS, round(real / scale), np.int32), scale=scale)

    inputs = [x, *(weights(LSTM_FEATURES) for _ in range(4)), *(weights(LSTM_UNITS) for _ in range(4)), -1, -1, -1]
    inputs += [*(bias(1.0 if gate == 1 else 0.0) for gate in range(4)), -1, -1]
    inputs.append(builder.tensor((1, LSTM_UNITS), scale=_HIDDEN_SCALE, zero_point=0, is_variable=True))
    inputs.append(builder.tensor((1, LSTM_UNITS), "INT16", scale=2.0**-11, is_variable=True))
    inputs += [-1] * 4
    # Quantisation parameters that only TFLite's own kernel reads; converters leave the first four float.
    gates = [builder.tensor((0,), "FLOAT32", scale=_GATE_SCALE) for _ in range(4)]
    hidden = builder.tensor((0,), scale=_HIDDEN_SCALE, zero_point=0)
    options = {"fusedActivationFunction": "TANH", "cellClip": 10.0, "timeMajor": False}
    builder.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], intermediates=[*gates, hidden], **options)
    return builder.finish(inputs=[x], outputs=[y])


def svdf_model(state: str = "INT16", seed: int = 0) -> bytes:
    """SVDF: each filter's last `SVDF_MEMORY` activations, weighted by time. ``state`` is INT16 or INT8."""
    random = np.random.default_rng(seed)
    builder = ModelBuilder()
    filters = SVDF_UNITS * SVDF_RANK
    state_scale, time_scale = (2.0**-11, 2.0**-15) if state == "INT16" else (2.0**-4, 2.0**-7)
    x = builder.tensor((1, SVDF_FEATURES), scale=_INPUT_SCALE, zero_point=-3, name="x")
    y = builder.tensor((1, SVDF_UNITS), scale=2.0**-5, zero_point=-128, name="y")
    features = random.integers(-127, 128, (filters, SVDF_FEATURES)).astype(np.int8)
    limits = np.iinfo(state.lower())
    time = random.integers(limits.min + 1, limits.max, (filters, SVDF_MEMORY), endpoint=True).astype(state.lower())
    inputs = [
        x,
        builder.constant(features, scale=_WEIGHT_SCALE),
        builder.constant(time, scale=time_scale),
        builder.constant(
            np.full(SVDF_UNITS, round(4.0 / (state_scale * time_scale)), np.int32), scale=state_scale * time_scale
        ),
        builder.tensor((1, filters * SVDF_MEMORY), state, scale=state_scale, is_variable=True),
    ]
    builder.op("SVDF", inputs, [y], rank=SVDF_RANK, fusedActivationFunction="RELU")
    return builder.finish(inputs=[x], outputs=[y])
