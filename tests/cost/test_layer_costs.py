"""What a layer costs per multiply-accumulate, and when that is told as suspicious.

The instructions are of the second inference of kws on an emulated Cortex-M4, with TensorFlow Lite Micro 90b983c2b.
"""

from dataclasses import replace

import numpy as np
import pytest
from deployments import plan_of, tflm_plan
from tflite_builder import ModelBuilder

from tinydeploy.bench import Latency
from tinydeploy.boards import CORES, find_board
from tinydeploy.cost.layers import layer_costs
from tinydeploy.cost.usual import usual_per_mac
from tinydeploy.model.macs import graph_macs

CMSIS_NN = (
    1_111_505, 600_108, 1_069_240, 600_108, 1_069_240, 600_108, 1_069_240, 600_108, 1_069_240, 51_304, 257,
    2_551, 4_559,
)  # fmt: skip
REFERENCE = (
    14_482_863, 3_333_021, 4_464_095, 3_328_864, 4_462_308, 3_326_072, 4_471_532, 3_332_616, 4_465_028, 65_947, 257,
    7_053, 4_119,
)  # fmt: skip


def counted(layers):
    return Latency(per_inference=sum(layers), unit="instructions", layers=tuple(layers))


@pytest.fixture
def kws(model_file):
    return model_file("kws_int8.tflite")


def one_layer(folder, kind, shape, weights, output, **options):
    """A model of one convolution."""
    builder = ModelBuilder()
    x = builder.tensor(shape, scale=0.1, name="x")
    y = builder.tensor(output, scale=0.1, name="y")
    w = builder.constant(np.ones(weights, np.int8), scale=0.1)
    b = builder.constant(np.zeros(output[-1], np.int32), scale=0.01)
    builder.op(kind, [x, w, b], [y], **options)
    path = folder / "layer.tflite"
    path.write_bytes(builder.finish(inputs=[x], outputs=[y]))
    return path


def test_every_layer_has_its_multiply_accumulates_and_their_cost(kws):
    plan = tflm_plan(kws)
    layers = layer_costs(plan, counted(CMSIS_NN))
    assert sum(layer.macs for layer in layers) == graph_macs(plan.graph)
    first, pool = layers[0], layers[9]
    assert (first.cost, first.unit, round(first.per_mac, 2)) == (1_111_505, "instructions", 3.47)
    assert (pool.macs, pool.per_mac, pool.usual_per_mac, pool.warning) == (0, None, None, None)


def test_kernels_that_work_are_near_the_usual_figure(kws):
    layers = [layer for layer in layer_costs(tflm_plan(kws), counted(CMSIS_NN)) if layer.times_usual]
    assert len(layers) == 9, "all but the small fully connected one"
    assert all(0.8 < layer.times_usual < 1.2 for layer in layers)
    assert not any(layer.warning for layer in layers)


def test_every_layer_that_runs_the_reference_kernel_unasked_is_told(kws):
    layers = layer_costs(tflm_plan(kws), counted(REFERENCE))
    assert [layer.op.index for layer in layers if layer.warning] == list(range(9))
    assert layers[2].warning == "8.72 instructions per MAC, 4.0 times the usual 2.17"


def test_one_layer_that_fell_back_is_told_among_others_that_did_not(kws):
    mixed = [*CMSIS_NN[:3], REFERENCE[3], *CMSIS_NN[4:]]
    layers = layer_costs(tflm_plan(kws), counted(mixed))
    assert [layer.op.index for layer in layers if layer.warning] == [3]


def test_reference_kernels_are_compared_but_not_a_fault(kws):
    layers = layer_costs(tflm_plan(kws, kernels="reference"), counted(REFERENCE))
    assert layers[2].times_usual == pytest.approx(4.0, abs=0.05)
    assert not any(layer.warning for layer in layers)


def test_a_layer_of_few_multiply_accumulates_is_never_told(kws):
    layers = layer_costs(tflm_plan(kws), counted([*CMSIS_NN[:11], 100_000, CMSIS_NN[12]]))
    assert layers[11].macs == 768
    assert (layers[11].times_usual, layers[11].warning) == (None, None)


def test_the_aot_engine_is_not_compared(kws):
    layers = layer_costs(plan_of(kws), counted(REFERENCE))
    assert layers[0].per_mac > 40
    assert not any(layer.usual_per_mac or layer.warning for layer in layers)


def test_a_real_board_is_compared_in_cycles(kws):
    cycles = tuple(3 * instructions // 2 for instructions in CMSIS_NN)
    us = tuple(count // 25 for count in cycles)
    latency = Latency(per_inference=sum(us), unit="us", layers=us, layer_cycles=cycles)
    layers = layer_costs(tflm_plan(kws), latency)
    assert (layers[2].cost, layers[2].unit) == (us[2], "cycles")
    assert layers[2].per_mac == pytest.approx(3.13, abs=0.01)
    assert layers[2].times_usual == pytest.approx(0.96, abs=0.01)


@pytest.mark.parametrize("core", CORES)
def test_every_core_that_a_board_can_have_is_known_in_cycles(core, kws):
    graph = tflm_plan(kws).graph
    assert 0.2 < usual_per_mac(core, graph, graph.ops[2], "cycles") < 15


def test_a_core_that_nobody_has_measured_is_not_compared(kws):
    plan = tflm_plan(kws)
    unknown = replace(plan, board=replace(find_board("qemu-cortex-m4"), core="cortex-m99"))
    assert not any(layer.usual_per_mac for layer in layer_costs(unknown, counted(CMSIS_NN)))


# Measured in the same way as above, in instructions per multiply-accumulate: small and large layers of one kind.
@pytest.mark.parametrize(
    ("core", "op", "measured"),
    [
        ("cortex-m4", 0, 6.16),
        ("cortex-m4", 1, 9.96),
        ("cortex-m4", 2, 6.63),
        ("cortex-m4", 8, 2.72),
        ("cortex-m4", 22, 1.83),
        ("cortex-m3", 0, 6.86),
        ("cortex-m3", 2, 7.07),
        ("cortex-m3", 22, 2.88),
        ("cortex-m0", 0, 13.66),
        ("cortex-m0", 2, 18.20),
        ("cortex-m0", 22, 6.88),
        ("cortex-m55", 0, 1.99),
        ("cortex-m55", 2, 2.18),
        ("cortex-m55", 22, 0.28),
    ],
)
def test_a_layers_shape_is_part_of_what_is_usual(core, op, measured, model_file):
    graph = tflm_plan(model_file("vww_int8.tflite")).graph
    assert measured == pytest.approx(usual_per_mac(core, graph, graph.ops[op], "instructions"), rel=0.5)


@pytest.mark.parametrize(
    ("kind", "shape", "weights", "output", "options", "cause"),
    [
        ("CONV_2D", (1, 8, 8, 6), (8, 3, 3, 6), (1, 8, 8, 8), {}, "6 input channels are no multiple of 4"),
        ("CONV_2D", (1, 8, 8, 8), (10, 3, 3, 8), (1, 8, 8, 10), {}, "10 output channels are no multiple of 4"),
        (
            "CONV_2D", (1, 8, 8, 8), (8, 3, 3, 8), (1, 8, 8, 8), {"dilationHFactor": 2, "dilationWFactor": 2},
            "dilated by 2x2",
        ),
        (
            "DEPTHWISE_CONV_2D", (1, 8, 8, 8), (1, 3, 3, 16), (1, 8, 8, 16), {"depthMultiplier": 2},
            "2 output channels of each input channel",
        ),
    ],
)  # fmt: skip
def test_what_may_keep_a_fast_kernel_from_a_layer_is_named(tmp_path, kind, shape, weights, output, options, cause):
    strides = {"strideH": 1, "strideW": 1}
    plan = tflm_plan(one_layer(tmp_path, kind, shape, weights, output, padding="SAME", **strides, **options))
    (layer,) = layer_costs(plan, counted([50 * graph_macs(plan.graph)]))
    assert layer.macs >= 4_000
    assert layer.warning.startswith("50.00 instructions per MAC, ")
    assert layer.warning.endswith(f"; {cause}")
