"""What stands between a converted model and the board is found before it gets there."""

import numpy as np
import pytest
from small_models import small_model
from tflite_builder import ModelBuilder

from tinydeploy.convert.audit import audit, require_integer_model
from tinydeploy.errors import ModelError
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model


def graph_of(data: bytes) -> Graph:
    return parse_model(data, name="model.tflite")


def chain(*steps: tuple[str, str]) -> Graph:
    """Ops one after the other, each with the type of what it writes; the first input is int8."""
    builder = ModelBuilder()
    tensor = first = builder.tensor((1, 8), scale=0.1, name="x")
    for number, (kind, dtype) in enumerate(steps):
        quantization = {} if dtype == "FLOAT32" else {"scale": 0.1}
        written = builder.tensor((1, 8), dtype, name=f"{kind.lower()}{number}", **quantization)
        builder.op(kind, [tensor], [written])
        tensor = written
    return graph_of(builder.finish(inputs=[first], outputs=[tensor]))


def test_a_full_int8_model_has_nothing_against_it():
    graph = graph_of(small_model())
    assert audit(graph) == ()
    require_integer_model(graph)


def test_an_op_that_stayed_in_float_is_told_with_a_rewrite_and_its_casts_are_not():
    graph = chain(("RELU", "INT8"), ("DEQUANTIZE", "FLOAT32"), ("SIN", "FLOAT32"), ("QUANTIZE", "INT8"))
    (finding,) = audit(graph)
    assert finding.place == "op 2 SIN"
    assert finding.reason == "stays in float, tensor 3 (sin2): the quantiser has no integer form of it"
    assert finding.advice == "feed it as an input, or look it up: GATHER in a constant table"


def test_casts_that_have_no_op_between_them_are_told_themselves():
    findings = audit(chain(("DEQUANTIZE", "FLOAT32"), ("QUANTIZE", "INT8")))
    assert [finding.place for finding in findings] == ["op 0 DEQUANTIZE", "op 1 QUANTIZE"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("GELU", "not in TensorFlow Lite Micro; use RELU, HARD_SWISH or x * LOGISTIC(1.702 x) instead"),
        ("EXP", "computes with floats only; leave it out, the order stays; for probabilities use SOFTMAX or LOGISTIC"),
    ],
)
def test_an_integer_op_that_tensorflow_lite_micro_lacks_is_told_with_a_rewrite(kind, told):
    assert list(map(str, audit(chain((kind, "INT8"))))) == [f"op 0 {kind}: {told}"]


def test_a_float_model_is_refused_with_all_of_its_layers():
    builder = ModelBuilder()
    x, h, y = (builder.tensor((1, 4), "FLOAT32", name=name) for name in "xhy")
    builder.op("FULLY_CONNECTED", [x, builder.constant(np.eye(4, dtype=np.float32))], [h])
    builder.op("RELU", [h], [y])
    with pytest.raises(ModelError) as caught:
        require_integer_model(graph_of(builder.finish(inputs=[x], outputs=[y])))
    assert caught.value.exit_code == 3
    assert caught.value.summary == (
        "model.tflite cannot be made an integer model for microcontrollers: 2 of its 2 ops and ends stand against it"
    )
    assert [line.split(":")[0] for line in caught.value.where["layers"].splitlines()] == [
        "op 0 FULLY_CONNECTED",
        "op 1 RELU",
    ]
