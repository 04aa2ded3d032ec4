"""That no value leaves the interval that is proven for it, and that intervals are not wider than they need be."""

import numpy as np
import pytest
from host_engine import random_case, run_on_host
from hypothesis import given
from hypothesis import strategies as st
from needless import Layers, needless_graph
from op_models import one_op
from random_graphs import KINDS, random_op_model
from tflite_builder import opened
from transformed import graph_of

from tinydeploy.engines.aot import fixed_point
from tinydeploy.engines.aot.passes import accumulator_ranges, value_ranges
from tinydeploy.engines.aot.passes.scaling import multiply
from tinydeploy.model.graph import DType

INT32 = st.integers(fixed_point.INT32_MIN, fixed_point.INT32_MAX)


@given(INT32, st.integers(2**30, 2**31 - 1) | st.just(0), st.integers(-31, 8))
def test_values_are_scaled_as_the_kernels_do_it(value, mantissa, shift):
    value >>= max(shift, 0)
    expected = fixed_point.multiply(value, fixed_point.Multiplier(mantissa=mantissa, shift=shift))
    assert multiply(np.array([value]), mantissa, shift).tolist() == [expected]


def with_all_outputs(model):
    """The model with the outputs of all its ops as its outputs."""
    builder = opened(model)
    outputs = [index for op in builder.graph.operators for index in op.outputs]
    return builder.finish(inputs=builder.graph.inputs, outputs=outputs)


def check_ranges(models, *, samples=40):
    """Runs the models and looks where each int8 value of theirs lies."""
    cases = [random_case(with_all_outputs(model), samples=samples, seed=seed) for seed, model in enumerate(models)]
    for case, results in zip(cases, run_on_host(cases), strict=True):
        ranges = value_ranges(case.graph)
        for index, values in zip(case.graph.outputs, results, strict=True):
            if case.graph.tensors[index].dtype is DType.INT8:
                rows = values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
                assert np.all(rows >= ranges[index].low), case.graph.ops
                assert np.all(rows <= ranges[index].high), case.graph.ops


@pytest.mark.parametrize("kind", KINDS)
def test_no_output_of_an_op_leaves_its_interval(kind):
    check_ranges([random_op_model(kind, seed) for seed in range(8)])


def test_no_value_inside_a_random_graph_leaves_its_interval():
    check_ranges([needless_graph(seed) for seed in range(30)])


def ends(graph, tensor):
    interval = value_ranges(graph)[tensor]
    return list(zip(interval.low.tolist(), interval.high.tolist(), strict=True))


def test_an_activation_bounds_what_follows():
    graph = graph_of(one_op("RELU6", (1, 2), (1, 2), source=(0.1, 3), output=(0.1, 3)))
    assert ends(graph, graph.outputs[0]) == [(3, 63), (3, 63)]


def test_a_table_is_looked_up_everywhere_between_the_ends_of_its_input():
    graph = graph_of(one_op("HARD_SWISH", (1, 1), (1, 1), source=(0.05, 0), output=(0.05, 0)))
    assert ends(graph, graph.outputs[0]) == [(-8, 127)]  # its lowest value, at -1.5, is at neither end


def test_each_channel_of_a_concatenation_and_of_a_reshape_has_its_own_interval():
    net = Layers()
    x = net.tensor(1, 2, 1, 3)
    joined = net.op("CONCATENATION", [net.conv(x, 2, low=[0]), net.conv(x, 2, high=[1])], (1, 2, 1, 4), axis=3)
    flat = net.op("RESHAPE", [joined, net.int32(1, 8)], (1, 8))
    graph = graph_of(net.finish([x], [flat]))
    constant = value_ranges(graph)[flat].is_constant
    assert constant.tolist() == [True, False, False, True] * 2


def test_accumulators_reach_both_ends_of_their_range():
    """With all inputs free, the ends are what the inputs give that follow the weights' signs."""
    net = Layers(seed=3)
    x = net.tensor(1, 20, zero_point=7)
    graph = graph_of(net.finish([x], [net.dense(x, 5)]))
    op = graph.ops[0]
    weights, bias = (graph.tensors[index].data.astype(np.int64) for index in op.inputs[1:])
    low, high = accumulator_ranges(graph, op)
    best = np.where(weights > 0, 127, -128)
    np.testing.assert_array_equal(high, bias + (weights * (best - 7)).sum(axis=1))
    np.testing.assert_array_equal(low, bias + (weights * (-1 - best - 7)).sum(axis=1))


def test_a_narrow_input_gives_narrow_accumulators():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    y = net.conv(net.conv(x, 4, high=[0, 1, 2, 3]), 2, size=3, padding="SAME")
    graph = graph_of(net.finish([x], [y]))
    low, high = accumulator_ranges(graph, graph.ops[1])
    weights, bias = (graph.tensors[index].data.astype(np.int64) for index in graph.ops[1].inputs[1:])
    # The middle tap always reads 127, 255 above the zero point; the others may fall beside the input, and add nothing.
    centre = 255 * weights[:, 1, 1].sum(axis=1)
    sums = 255 * weights
    sums[:, 1, 1] = 0
    np.testing.assert_array_equal(high, bias + centre + np.maximum(sums, 0).sum(axis=(1, 2, 3)))
    np.testing.assert_array_equal(low, bias + centre + np.minimum(sums, 0).sum(axis=(1, 2, 3)))


def test_taps_that_never_fall_into_the_input_add_nothing():
    net = Layers()
    x = net.tensor(1, 1, 1, 2)
    graph = graph_of(net.finish([x], [net.conv(x, 3, size=3, padding="SAME")]))
    low, high = accumulator_ranges(graph, graph.ops[0])
    weights = graph.tensors[graph.ops[0].inputs[1]].data.astype(np.int64)
    np.testing.assert_array_equal(high - low, 255 * np.abs(weights[:, 1, 1]).sum(axis=1))


def test_ranges_are_computed_once_for_a_graph():
    graph = graph_of(needless_graph(0))
    assert value_ranges(graph) is value_ranges(graph)
    assert value_ranges(graph) is not value_ranges(graph_of(needless_graph(0)))


def test_outputs_of_ops_that_the_engine_does_not_compile_can_be_anything():
    graph = graph_of(one_op("ABS", (1, 2), (1, 2)))
    assert ends(graph, graph.outputs[0]) == [(-128, 127), (-128, 127)]
