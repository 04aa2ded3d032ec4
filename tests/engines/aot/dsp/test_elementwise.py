import re

import numpy as np
import pytest
from host_engine import check_on_host
from tflite_builder import ModelBuilder

from tinydeploy.engines.aot.compile import compile_graph
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.dsp.elementwise import (
    SHIFT,
    Plane,
    affine_sum,
    fit_plane,
    outputs_of,
    plane_outputs,
    sum_of,
    sum_table,
)
from tinydeploy.engines.aot.fixed_point import clamp, multiply, quantize_multiplier
from tinydeploy.files import data_dir
from tinydeploy.model.reader import parse_model

RESNET8 = [
    ((0.039393551647663116, -128), (0.10419496148824692, 4), (0.050945673137903214, -128)),
    ((0.044761426746845245, -17), (0.11311884224414825, 4), (0.0532362163066864, -128)),
    ((0.08385830372571945, 38), (0.21724364161491394, -2), (0.1270691454410553, -128)),
]
"""Scales and zero points of the three additions of MLPerf Tiny's image classification."""


def sums(kind="ADD", quantization=RESNET8[0], *, shape=(1, 3, 5, 2), activation="NONE", constant=None, first=False):
    """An op on two inputs, or on one and a constant value, which may come first."""
    builder = ModelBuilder()
    a, b, y = ({"scale": scale, "zero_point": point} for scale, point in quantization)
    inputs = [builder.tensor(shape, **a)]
    other = builder.tensor(shape, **b) if constant is None else builder.constant(np.array([constant], np.int8), **b)
    operands = [other, inputs[0]] if first else [inputs[0], other]
    output = builder.tensor(shape, **y)
    builder.op(kind, operands, [output], fusedActivationFunction=activation)
    if constant is None:
        inputs.append(other)
    return builder.finish(inputs=inputs, outputs=[output])


def context_of(model):
    graph = parse_model(model, name="model.tflite")
    return Context(graph=graph, planes={}, requantization={}, fits={}, general={}), graph.ops[0]


def sum_in(model):
    context, op = context_of(model)
    return sum_of(context.graph, op)


def random_quantization(rng):
    scales = np.exp(rng.uniform(-1.2, 1.2, 3)) / 20
    return [(float(scale), int(rng.integers(-128, 128))) for scale in scales]


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
@pytest.mark.parametrize("activation", ["NONE", "RELU"])
def test_all_outputs_are_those_of_the_definition(kind, activation):
    quantization = [(0.03, -7), (0.11, 20), (0.05, 11)]
    (a, za), (b, zb), (y, zy) = quantization
    table = outputs_of(sum_in(sums(kind, quantization, activation=activation)))
    twice = float(2 * np.float32(b))
    factors = [quantize_multiplier(float(np.float32(scale)) / twice) for scale in (a, b)]
    result = quantize_multiplier(twice / (2.0**20 * float(np.float32(y))))
    rng = np.random.default_rng(1)

    for first, second in rng.integers(-128, 128, (300, 2)).tolist():
        terms = [multiply((first - za) << 20, factors[0]), multiply((second - zb) << 20, factors[1])]
        total = terms[0] + (terms[1] if kind == "ADD" else -terms[1])
        expected = clamp(multiply(total, result) + zy, zy if activation == "RELU" else -128, 127)
        assert table[first + 128, second + 128] == expected


@pytest.mark.parametrize("quantization", RESNET8)
def test_the_additions_of_resnet8_are_planes(quantization):
    described = sum_in(sums(quantization=quantization, activation="RELU"))
    plane = fit_plane(described)

    assert plane is not None
    assert np.array_equal(plane_outputs(plane), outputs_of(described))


def test_nearly_all_sums_are_planes_and_those_are_equal_for_all_pairs():
    rng = np.random.default_rng(2)
    described = [sum_in(sums("SUB" if n % 2 else "ADD", random_quantization(rng))) for n in range(60)]
    planes = [(fit_plane(each), each) for each in described]

    assert sum(plane is not None for plane, _ in planes) >= 57
    for plane, each in planes:
        assert plane is None or np.array_equal(plane_outputs(plane), outputs_of(each))


def test_a_plane_is_what_the_header_says():
    plane = Plane(first=300_000_001, second=-123_456_789, start=5_000_000)
    table = plane_outputs(plane)

    for x, y in ((-128, -128), (-128, 127), (127, -128), (127, 127), (3, -5), (0, 0), (-1, 1)):
        total = (plane.first * x >> 8) + (plane.second * y >> 8) + plane.start
        assert table[x + 128, y + 128] == clamp(total >> SHIFT, -128, 127)
    header = (data_dir("firmware") / "kernels" / "dsp" / "td_add_affine.h").read_text()
    assert f"#define TD_ADD_AFFINE_SHIFT {SHIFT}\n" in header


def test_no_plane_is_found_where_ties_are_rounded_away_from_zero_on_both_sides():
    tied = sum_in(sums(quantization=[(0.5, 3), (0.5, -5), (1.0, 0)]))

    assert fit_plane(tied) is None


def test_a_factor_above_16_is_left_to_other_kernels():
    assert fit_plane(sum_in(sums(quantization=[(1.5, 0), (0.1, 0), (0.1, 0)])))
    assert fit_plane(sum_in(sums(quantization=[(1.7, 0), (0.1, 0), (0.1, 0)]))) is None


def test_a_sum_runs_in_place_of_either_input_with_the_fields_of_the_struct():
    context, op = context_of(sums(activation="RELU6"))
    (way,) = affine_sum(context, op)
    (call,) = way.lower().calls
    header = (data_dir("firmware") / "kernels" / "dsp" / "td_add_affine.h").read_text()
    (body,) = re.findall(r"struct td_add_affine \{(.*?)\};", header, re.DOTALL)
    declarations = re.findall(r"^    \w+ (.*?);", body, re.MULTILINE)

    assert list(call.parameters) == [name.strip() for names in declarations for name in names.split(",")]
    assert (call.parameters["count"], call.parameters["min"], call.parameters["max"]) == (30, -128, -10)
    assert call.in_place == {0: 0, 1: 0}
    assert not list(sum_table(context, op))


@pytest.mark.parametrize("first", [False, True])
def test_with_a_constant_there_is_a_table(first):
    context, op = context_of(sums("SUB", constant=-9, first=first))
    (way,) = sum_table(context, op)
    (call,) = way.lower().calls
    table, outputs = call.parameters["table"].values, outputs_of(sum_of(context.graph, op))

    assert [operand.tensor for operand in call.inputs] == list(context.graph.inputs)
    for value in (-128, -1, 0, 1, 127):
        assert table[value % 256] == (outputs[119, value + 128] if first else outputs[value + 128, 119])
    assert not list(affine_sum(context, op))


def test_planes_and_tables_are_chosen():
    for model, name in ((sums(), "a plane through all pairs"), (sums(constant=5), "a table of all values")):
        (choice,) = compile_graph(parse_model(model, name="model.tflite"), "dsp").choices
        assert choice.chosen.name == name


def test_outputs_are_those_of_tflm():
    rng = np.random.default_rng(3)
    models = [
        sums(("ADD", "SUB")[n % 2], random_quantization(rng), shape=(1, n + 1), activation=("NONE", "RELU")[n // 2 % 2])
        for n in range(8)
    ]
    models += [sums(kind, constant=77, first=first) for kind in ("ADD", "SUB") for first in (False, True)]

    check_on_host(models, kernels="dsp", samples=40)
