"""The sentences of docs/supported-ops.md, as a user meets them when a model is refused."""

import numpy as np
import pytest
from op_models import one_op
from stateful_models import lstm_model, svdf_model
from typed_models import typed_model

from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.errors import ModelError
from tinydeploy.model.reader import parse_model


def ints(*values):
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (one_op("RELU", (1, 4), (1, 4), types=("INT16", "INT16"), source=(1, 0), output=(1, 0)), "the input is int8"),
        (one_op("RELU", (1, 4), (1, 4), source=(9e4, 0), output=(1, 0)), "2**14 times the output's"),
        (one_op("RELU6", (1, 4), (1, 4), source=(1e-12, 0)), "6 is a 32-bit number in the input's quantisation"),
        (one_op("LEAKY_RELU", (1, 4), (1, 4), source=(1, 0), alpha=3e38), "alpha times the input's scale"),
        (one_op("LOGISTIC", (1, 4), (1, 4), output=(1 / 256, 0)), "the output's zero point is -128"),
        (one_op("TANH", (1, 4), (1, 4), source=(1e-10, 0)), "the input's scale is at least 2**-27"),
        (one_op("HARD_SWISH", (1, 4), (1, 4), source=(1, 0), output=(1 / 128, 0)), "from 2**-8 to 2**7 times"),
        (one_op("SOFTMAX", (1, 4), (1, 4), output=(1 / 128, -128), beta=1.0), "the output's scale is 1/256"),
        (one_op("SOFTMAX", (1, 4096), (1, 4096), output=(1 / 256, -128), beta=1.0), "at most 4,095"),
        (one_op("SOFTMAX", (1, 4), (1, 4), output=(1 / 256, -128), beta=1e-9), "is larger than 2**-26"),
        (one_op("QUANTIZE", (1, 4), (1, 4), types=("UINT8", "UINT8")), "it goes from int8 to any of these"),
        (
            one_op("AVERAGE_POOL_2D", (1, 4, 4, 1), (1, 4, 4, 1), output=(0.2, 3), **dict.fromkeys(
                ("strideH", "strideW", "filterHeight", "filterWidth"), 1)),
            "input and output are quantised alike",
        ),
        (
            one_op("STRIDED_SLICE", (1, 4), (1,), ints(0, 2), ints(1, 3), ints(1, -1), shrinkAxisMask=2),
            "those of single indices are positive",
        ),
        (one_op("STRIDED_SLICE", (1, 4), (1, 4), ints(0, 0), ints(1, 4), ints(1, 1), offset=True), "are not offsets"),
        (
            one_op("STRIDED_SLICE", (1, 4), (1, 1, 5), ints(0, 0, 0), ints(1, 1, 4), ints(1, 1, 1), newAxisMask=2),
            "shapes fit",
        ),
    ],
)  # fmt: skip
def test_what_an_op_cannot_do_is_said_in_its_sentence(model, reason):
    with pytest.raises(ModelError) as caught:
        compile_graph(parse_model(model, name="model.tflite"))
    kind = parse_model(model, name="model.tflite").ops[0].kind
    refusal = caught.value.where["reasons"]
    assert refusal.startswith(f"op 0 {kind}: supported only where ")
    assert reason in refusal
    assert any(refusal.endswith(constraint.sentence) for constraint in OPERATORS[kind].constraints)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (lstm_model(), "UNIDIRECTIONAL_SEQUENCE_LSTM"),
        (svdf_model(), "SVDF"),
        (typed_model("TRANSPOSE_CONV", "INT8"), "TRANSPOSE_CONV"),
        (typed_model("BATCH_MATMUL", "INT8"), "BATCH_MATMUL"),
        (typed_model("GATHER", "INT8"), "GATHER"),
    ],
)
def test_what_only_tensorflow_lite_micro_runs_is_refused(model, kind):
    with pytest.raises(ModelError) as caught:
        compile_graph(parse_model(model, name="model.tflite"))
    assert caught.value.where["reasons"] == f"op 0 {kind}: not supported by the aot engine"


def test_a_softmax_from_int8_to_int16_is_refused():
    model = one_op("SOFTMAX", (1, 4), (1, 4), types=("INT8", "INT16"), output=(2.0**-16, -32768), beta=1.0)
    with pytest.raises(ModelError) as caught:
        compile_graph(parse_model(model, name="model.tflite"))
    assert caught.value.where["reasons"] == "op 0 SOFTMAX: supported only where the output is int8"
