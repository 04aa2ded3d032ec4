"""Which channels go and which stay, in every shape of graph; and that no output changes."""

import numpy as np
import pytest
from needless import Layers, needless_graph
from op_models import one_op
from transformed import channels, check_transformed, graph_of, only

from tinydeploy.engines.aot.engine import plan_aot
from tinydeploy.engines.aot.passes.remove_channels import remove_channels
from tinydeploy.model.macs import graph_macs

CENTRE = 4  # of the 9 taps of a 3x3 kernel, the one that is never outside


def removed(model):
    """The graph after the pass, once its outputs are known to be right and a second time to find nothing more."""
    check_transformed([model], remove_channels)
    graph = remove_channels(graph_of(model))
    assert remove_channels(graph) is graph
    return graph


def two_layers(**second):
    """A 1x1 convolution with 2 of 6 channels constant, one at the zero point and one not, and one that reads it."""
    net = Layers()
    x = net.tensor(1, 5, 4, 3)
    return net.finish([x], [net.conv(net.conv(x, 6, low=[1], high=[4]), 5, **second)])


@pytest.mark.parametrize("second", [{}, {"size": 3}, {"size": 2, "stride": 2}])
def test_constant_channels_go_into_the_bias_of_the_next_layer(second):
    graph = removed(two_layers(**second))
    assert channels(graph) == [4, 5]
    assert graph_macs(graph) < graph_macs(graph_of(two_layers(**second))) * 0.8


def test_a_tensor_says_which_channels_of_the_models_it_has_left():
    graph = removed(two_layers())
    first, second = (graph.output_of(op) for op in graph.ops)
    assert (first.channels, first.shape[-1]) == ((0, 2, 3, 5), 4)
    assert second.channels is None


def test_beside_the_input_is_the_zero_point_so_other_constants_stay_where_windows_reach_there():
    assert channels(removed(two_layers(size=3, padding="SAME"))) == [5, 5]


def test_a_window_that_has_weights_only_where_it_never_leaves_the_input_reads_any_constant_the_same_everywhere():
    assert channels(removed(two_layers(size=3, padding="SAME", taps=[CENTRE]))) == [4, 5]
    assert channels(removed(two_layers(size=3, padding="SAME", taps=[CENTRE, 0]))) == [5, 5]


def test_channels_that_all_weights_leave_out_go():
    graph = removed(two_layers(unread=[0, 2]))
    assert channels(graph) == [2, 5]


def test_a_depthwise_layer_loses_what_the_layers_around_it_do_without():
    net = Layers()
    x = net.tensor(1, 6, 6, 3)
    wide = net.conv(x, 8, low=[0], high=[1])
    deep = net.depthwise(wide, low=[1, 2, 3], high=[4])
    graph = removed(net.finish([x], [net.conv(deep, 4)]))
    # 0 is constant in front of it and, its zero point being all around, behind it; 1 to 4 only behind it.
    assert channels(graph) == [3, 3, 4]


def test_a_depthwise_layer_drops_an_input_with_all_the_outputs_made_of_it():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    deep = net.depthwise(net.conv(x, 4), multiplier=2, low=[0, 1, 2])
    graph = removed(net.finish([x], [net.conv(deep, 3)]))
    assert channels(graph) == [3, 6, 3]


def test_the_channels_that_a_depthwise_layer_makes_of_a_single_one_are_independent():
    net = Layers()
    x = net.tensor(1, 5, 5, 1)
    graph = removed(net.finish([x], [net.conv(net.depthwise(x, multiplier=6, low=[0, 3, 5]), 2)]))
    assert channels(graph) == [3, 2]
    assert only(graph, "DEPTHWISE_CONV_2D").options.depth_multiplier == 3


def residual(left, right):
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    shape = (1, 4, 4, 6)
    total = net.op("ADD", [net.conv(x, 6, low=left), net.conv(x, 6, low=right)], shape)
    return net.finish([x], [net.conv(total, 2)])


def test_an_addition_loses_channels_that_are_constant_on_both_sides():
    assert channels(removed(residual([0, 1, 2], [1, 2, 3]))) == [4, 4, 4, 2]


def test_an_addition_keeps_channels_that_are_constant_on_one_side_only():
    assert channels(removed(residual([0, 1], [4, 5]))) == [6, 6, 6, 2]


def test_arithmetic_with_a_constant_operand_gets_a_shorter_constant():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    like = {"scale": 0.1, "zero_point": -128}
    values, one = (net.builder.constant(np.array(data, np.int8), **like) for data in (range(-5, 1), [-100]))
    scaled = net.op("MUL", [net.conv(x, 6, low=[0], high=[5]), values], (1, 4, 4, 6))
    moved = net.op("ADD", [one, scaled], (1, 4, 4, 6))
    graph = removed(net.finish([x], [net.conv(moved, 2)]))
    assert channels(graph) == [4, 4, 4, 2]


def test_a_channel_stays_for_any_of_its_readers():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    shared = net.conv(x, 6, low=[0, 1], high=[2, 3])
    graph = removed(net.finish([x], [net.conv(shared, 2), net.conv(shared, 3, size=3, padding="SAME")]))
    assert channels(graph) == [4, 2, 3]  # 2 and 3 are not the zero point, which the second reader pads with


def test_a_concatenation_loses_channels_of_each_of_its_inputs():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    joined = net.op("CONCATENATION", [net.conv(x, 3, low=[0]), net.conv(x, 4, high=[1, 3])], (1, 4, 4, 7), axis=-1)
    graph = removed(net.finish([x], [net.conv(joined, 2)]))
    assert channels(graph) == [2, 2, 4, 2]


def test_a_concatenation_of_rows_loses_channels_that_are_needless_in_all_of_them():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    joined = net.op("CONCATENATION", [net.conv(x, 4, low=[0, 1]), net.conv(x, 4, low=[1, 2])], (1, 8, 4, 4), axis=1)
    graph = removed(net.finish([x], [net.conv(joined, 2)]))
    assert channels(graph) == [3, 3, 3, 2]


@pytest.mark.parametrize("flatten", ["reshaped", "as it is"])
def test_a_channel_of_an_image_is_many_features_of_a_fully_connected_layer(flatten):
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    pool = {"padding": "VALID", "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    image = net.op("MAX_POOL_2D", [net.conv(x, 5, low=[0], high=[2])], (1, 2, 2, 5), **pool)
    flat = net.op("RESHAPE", [image, net.int32(1, 20)], (1, 20)) if flatten == "reshaped" else image
    graph = removed(net.finish([x], [net.dense(flat, 3)]))
    assert channels(graph) == [3, 3, *([12] if flatten == "reshaped" else []), 3]
    assert graph.tensors[only(graph, "FULLY_CONNECTED").inputs[1]].shape == (3, 12)


def test_features_become_channels_of_an_image_again():
    net = Layers()
    x = net.tensor(1, 7)
    # Of 3 channels the second is constant at all 4 positions, the first at one of them only.
    features = net.dense(x, 12, low=[1, 4, 7, 10, 0])
    image = net.op("RESHAPE", [features, net.int32(1, 2, 2, 3)], (1, 2, 2, 3))
    graph = removed(net.finish([x], [net.conv(image, 2)]))
    assert channels(graph) == [8, 2, 2]


def test_ops_between_that_treat_channels_alike_lose_them_too():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    y = net.conv(x, 6, low=[0], high=[1])
    y = net.op("RELU", [y], (1, 4, 4, 6))
    y = net.op("PAD", [y, net.int32((0, 0), (1, 0), (0, 2), (0, 0))], (1, 5, 6, 6))
    y = net.op("TRANSPOSE", [y, net.int32(0, 2, 1, 3)], (1, 6, 5, 6))
    y = net.op("RESIZE_NEAREST_NEIGHBOR", [y, net.int32(3, 3)], (1, 3, 3, 6))
    y = net.op("MEAN", [y, net.int32(1, 2)], (1, 6), keepDims=False)
    graph = removed(net.finish([x], [net.dense(y, 4)]))
    assert channels(graph) == [5, 5, 5, 5, 5, 5, 4]  # 1 is a constant, but padded with another value


@pytest.mark.parametrize("kind", ["MEAN", "SOFTMAX", "SLICE", "TRANSPOSE"])
def test_ops_that_mix_channels_keep_all_of_them(kind):
    net = Layers()
    x = net.tensor(1, 2, 2, 3)
    y = net.conv(x, 4, low=[0, 1])
    if kind == "MEAN":
        y = net.op("MEAN", [y, net.int32(3)], (1, 2, 2, 1), keepDims=True)
    elif kind == "SOFTMAX":
        y = net.tensor(1, 2, 2, 4, scale=1 / 256)
        net.builder.op("SOFTMAX", [net.builder.graph.operators[-1].outputs[0]], [y], beta=1.0)
    elif kind == "SLICE":
        y = net.op("SLICE", [y, net.int32(0, 0, 0, 0), net.int32(1, 2, 2, 2)], (1, 2, 2, 2))
    else:
        y = net.op("TRANSPOSE", [y, net.int32(0, 3, 1, 2)], (1, 4, 2, 2))
    graph = removed(net.finish([x], [net.conv(y, 2)]))
    assert channels(graph)[0] == 4


def test_a_constant_that_has_to_stay_is_not_computed_so_what_only_it_reads_can_go():
    net = Layers()
    x = net.tensor(1, 4)
    graph = removed(net.finish([x], [net.dense(net.dense(x, 6), 3, low=[0], high=[1, 2])]))
    assert channels(graph) == [1, 3]
    assert not graph.tensors[graph.ops[1].inputs[1]].data.any()


def test_a_tensor_keeps_a_channel_even_if_all_are_needless():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    graph = removed(net.finish([x], [net.conv(net.depthwise(net.conv(x, 4, low=range(4))), 2)]))
    assert channels(graph) == [1, 1, 2]


def test_the_graphs_ends_keep_all_their_channels():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    both = net.conv(x, 5, low=[0, 1], unread=[2])
    graph = removed(net.finish([x], [both, net.conv(both, 2)]))
    assert channels(graph) == [5, 2]
    assert graph.tensors[x].shape == (1, 4, 4, 3)


def test_tensors_that_no_op_touches_stay_as_they_are():
    net = Layers()
    x, unused = net.tensor(1, 4), net.tensor(1, 9)
    graph = removed(net.finish([x], [net.dense(net.dense(x, 6, low=[0]), 3)]))
    assert channels(graph) == [5, 3]
    assert graph.tensors[unused].shape == (1, 9)


def test_a_layer_without_a_bias_gets_one():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    y = net.tensor(1, 4, 4, 2)
    weights = net.builder.constant(np.arange(1, 9, dtype=np.int8).reshape(2, 1, 1, 4), scale=0.01)
    strides = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    net.builder.op("CONV_2D", [net.conv(x, 4, high=[1, 2]), weights], [y], padding="VALID", **strides)
    graph = removed(net.finish([x], [y]))
    assert channels(graph) == [2, 2]
    assert graph.tensors[graph.ops[1].inputs[2]].data.tolist() == [(2 + 3) * 255, (6 + 7) * 255]


def test_nothing_is_known_of_an_op_that_the_engine_does_not_compile_so_all_around_it_stays():
    net = Layers()
    x = net.tensor(1, 4, 4, 3)
    y = net.op("ABS", [net.conv(x, 4, low=[0, 1])], (1, 4, 4, 4))
    graph = remove_channels(graph_of(net.finish([x], [net.conv(y, 2)])))
    assert channels(graph) == [4, 4, 2]


def test_a_graph_without_needless_channels_is_returned_itself():
    graph = graph_of(one_op("RELU", (1, 4), (1, 4)))
    assert remove_channels(graph) is graph


def test_weights_that_two_layers_share_are_cut_for_each_by_itself():
    net = Layers()
    x = net.tensor(1, 6)
    weights = net.builder.constant(np.arange(36, 0, -1, dtype=np.int8).reshape(6, 6), scale=0.01)
    bias = net.builder.constant(np.array([-20_000_000, 5, 20_000_000, 7, 8, 9], np.int32))
    y = x
    for _ in range(3):
        z = net.tensor(1, 6)
        net.builder.op("FULLY_CONNECTED", [y, weights, bias], [z])
        y = z
    graph = removed(net.finish([x], [y]))
    assert channels(graph) == [4, 4, 6]
    assert [graph.tensors[op.inputs[1]].shape for op in graph.ops] == [(4, 6), (4, 4), (6, 4)]


def test_random_graphs_with_needless_channels_agree_with_tflm():
    models = [needless_graph(seed) for seed in range(40)]
    graphs = [graph_of(model) for model in models]
    before, after = (sum(map(graph_macs, some)) for some in (graphs, map(remove_channels, graphs)))
    assert after < 0.8 * before
    check_transformed(models, remove_channels)


def test_half_of_a_person_detector_is_needless(model_file):
    graph = graph_of(model_file("vww_int8.tflite").read_bytes())
    reduced = remove_channels(graph)
    assert channels(graph)[26] - channels(reduced)[26] == 234
    assert (graph_macs(graph), graph_macs(reduced)) == (7_489_664, 3_727_313)
    assert plan_aot(reduced).constant_bytes < 0.3 * plan_aot(graph).constant_bytes
