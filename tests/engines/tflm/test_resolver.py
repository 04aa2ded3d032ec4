"""The op resolver's calls."""

import re
from pathlib import Path

import pytest
from stateful_models import lstm_model
from tflite_builder import ModelBuilder

from tinydeploy.engines.tflm.op_table import KERNELS
from tinydeploy.engines.tflm.resolver import INT8_REGISTRATIONS, ResolvedOp, resolve_ops
from tinydeploy.model.graph import Graph
from tinydeploy.model.reader import parse_model, read_model


def sums() -> Graph:
    """int8 and int16 additions, and int8 multiplications twice."""
    builder = ModelBuilder()
    x = builder.tensor((1, 4), scale=0.1)
    wide, wider = (builder.tensor((1, 4), "INT16", scale=0.1) for _ in range(2))
    product, square, total = (builder.tensor((1, 4), scale=0.1) for _ in range(3))
    builder.op("MUL", [x, x], [product])
    builder.op("MUL", [product, product], [square])
    builder.op("ADD", [square, x], [total])
    builder.op("QUANTIZE", [total], [wide])
    builder.op("ADD", [wide, wide], [wider])
    return parse_model(builder.finish(inputs=[x], outputs=[wider]), name="sums.tflite")


def test_each_kind_is_registered_once_in_the_order_of_first_use():
    assert [op.kind for op in resolve_ops(sums())] == ["MUL", "ADD", "QUANTIZE"]


def test_kinds_that_are_all_int8_get_the_registration_for_int8():
    assert resolve_ops(sums()) == (
        ResolvedOp(
            kind="MUL",
            call="AddMul(tflite::Register_MUL_INT8())",
            header="tensorflow/lite/micro/kernels/mul.h",
        ),
        ResolvedOp(kind="ADD", call="AddAdd()"),  # one of the two is int16
        ResolvedOp(kind="QUANTIZE", call="AddQuantize()"),
    )


def test_a_library_without_registrations_for_int8_gets_the_usual_ones():
    assert [op.call for op in resolve_ops(sums(), frozenset())] == ["AddMul()", "AddAdd()", "AddQuantize()"]
    assert not any(op.header for op in resolve_ops(sums(), frozenset({"Register_SOFTMAX_INT8"})))


def test_an_lstm_has_no_registration_of_its_own():
    graph = parse_model(lstm_model(), name="lstm.tflite")
    assert [op.call for op in resolve_ops(graph)] == ["AddUnidirectionalSequenceLSTM()"]


def test_the_calls_of_a_public_model(model_file):
    assert [op.call for op in resolve_ops(read_model(model_file("kws_int8.tflite")))] == [
        "AddConv2D(tflite::Register_CONV_2D_INT8())",
        "AddDepthwiseConv2D(tflite::Register_DEPTHWISE_CONV_2D_INT8())",
        "AddAveragePool2D(tflite::Register_AVERAGE_POOL_2D_INT8())",
        "AddReshape()",
        "AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())",
        "AddSoftmax(tflite::Register_SOFTMAX_INT8())",
    ]


def test_every_method_and_its_op_are_in_the_librarys_resolver(tflm_library: Path):
    header = (tflm_library / "tensorflow/lite/micro/micro_mutable_op_resolver.h").read_text()
    bodies = re.findall(r"TfLiteStatus (Add\w+)\((?:(?!TfLiteStatus).)*BuiltinOperator_(\w+)", header, re.DOTALL)
    assert {(kernel.add, kernel.kind) for kernel in KERNELS.values()} <= set(bodies)


@pytest.mark.parametrize(("function", "header"), INT8_REGISTRATIONS.items())
def test_every_registration_for_int8_is_in_the_librarys_header(tflm_library: Path, function: str, header: str):
    text = (tflm_library / header).read_text()
    # Once as a declaration, for CMSIS-NN's kernels, and once as another name of the usual one.
    assert len(re.findall(rf"TFLMRegistration {function}\(\)", text)) == 2
