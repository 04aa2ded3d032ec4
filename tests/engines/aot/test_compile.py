"""What concerns a graph as a whole: its ends, its state, what layers share, and what the memory plan says of it."""

import numpy as np
import pytest
from host_engine import check_on_host
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.engine import plan_aot
from tinydeploy.errors import ModelError
from tinydeploy.model.reader import parse_model

SCALE = {"scale": 0.05, "zero_point": 3}


def plan_of(model):
    return plan_aot(parse_model(model, name="model.tflite"))


def source_of(model):
    (source,) = plan_of(model).generate().files.values()
    return source.decode()


def dense(builder, source, weights):
    output = builder.tensor((1, 16), **SCALE)
    builder.op("FULLY_CONNECTED", [source, weights], [output])
    return output


def dense_twice(*, shared):
    """Two layers with weights of the same values: one tensor, or one of each."""
    builder = ModelBuilder()
    values = np.arange(-128, 128, dtype=np.int8).reshape(16, 16)
    first = builder.constant(values, scale=0.01)
    second = first if shared else builder.constant(values, scale=0.01)
    x = builder.tensor((1, 16), **SCALE)
    return builder.finish(inputs=[x], outputs=[dense(builder, dense(builder, x, first), second)])


@pytest.mark.parametrize("shared", [True, False])
def test_constants_that_layers_have_in_common_stand_in_flash_once(shared):
    model = dense_twice(shared=shared)
    source = source_of(model)
    assert source.count("static const int8_t shared_0[16 * 16]") == 1
    assert source.count(".weights = shared_0,") == 2
    assert "weights[16 * 16]" not in source
    assert plan_of(model).constant_bytes < 2 * 256
    check_on_host([model])


def test_a_constant_may_be_reshaped_and_then_be_read():
    builder = ModelBuilder()
    x, y = (builder.tensor((1, 4), **SCALE) for _ in range(2))
    reshaped = builder.tensor((1, 4), **SCALE)
    constant = builder.constant(np.array([[1], [-2], [3], [-4]], np.int8), **SCALE)
    builder.op("RESHAPE", [constant, builder.constant(np.array([1, 4], np.int32))], [reshaped], newShape=[1, 4])
    builder.op("ADD", [x, reshaped], [y])
    check_on_host([builder.finish(inputs=[x], outputs=[y])])


def test_a_fully_connected_layer_may_have_more_rows_than_16_bits_can_count():
    builder = ModelBuilder()
    x, y = builder.tensor((1, 300, 300, 2), **SCALE), builder.tensor((1, 300, 300, 1), **SCALE)
    builder.op("FULLY_CONNECTED", [x, builder.constant(np.ones((1, 2), np.int8), scale=0.5)], [y], keepNumDims=True)
    check_on_host([builder.finish(inputs=[x], outputs=[y])], samples=2)


def reasons_against(model):
    with pytest.raises(ModelError) as caught:
        plan_of(model)
    assert caught.value.summary == (
        "model.tflite cannot be compiled: 1 of its ops, inputs and outputs are not supported"
    )
    return caught.value.where["reasons"]


def relu(shape):
    builder = ModelBuilder()
    x, y = builder.tensor(shape, name="sound", **SCALE), builder.tensor(shape, **SCALE)
    builder.op("RELU", [x], [y])
    return builder, x, y


def test_an_input_that_the_link_cannot_describe_is_refused_by_name():
    builder, x, y = relu((1, 70_000))
    narrow = builder.tensor((1, 2), **SCALE)
    begin, end, strides = (builder.constant(np.array(values, np.int32)) for values in ((0, 0), (1, 2), (1, 1)))
    builder.op("STRIDED_SLICE", [y, begin, end, strides], [narrow])
    reasons = reasons_against(builder.finish(inputs=[x], outputs=[narrow]))
    assert reasons == "input tensor 0 (sound): no dimension may be larger than 65,535: 1x70000"


def test_a_variable_is_refused_by_the_op_that_reads_it():
    builder = ModelBuilder()
    x, state, y = (builder.tensor((1, 4), **SCALE) for _ in range(3))
    builder.graph.tensors[state].isVariable = True
    builder.op("ADD", [x, state], [y])
    reasons = reasons_against(builder.finish(inputs=[x], outputs=[y]))
    assert reasons == "op 0 ADD: reads a variable; state that outlives an inference is not supported"


def test_the_peak_names_the_tensors_that_are_there_then_not_those_whose_memory_they_took_over():
    builder = ModelBuilder()
    a, b, c, y = (builder.tensor((1, 64), name=name, **SCALE) for name in "abcy")
    x = builder.tensor((1, 64), **SCALE)
    builder.op("RELU", [x], [a])
    builder.op("RELU", [a], [b])
    builder.op("ADD", [b, x], [c])
    builder.op("ADD", [c, b], [y])
    plan = plan_of(builder.finish(inputs=[x], outputs=[y]))
    assert plan.peak.op == 2
    assert {plan.graph.tensors[index].name for index in plan.peak.tensors} == {"b", "c"}
