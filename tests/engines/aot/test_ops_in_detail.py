"""What random models of one op do not reach: whole tables, further ops, broadcasting and slicing in all their forms."""

import itertools
import math

import numpy as np
import pytest
from host_engine import Case, check_on_host, run_on_host, run_on_tflm
from op_models import one_op
from tflite_builder import ModelBuilder

ALL_INT8 = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 256)


def assert_same(got, expected):
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("kind", "output", "options"),
    [
        ("LOGISTIC", (1 / 256, -128), {}),
        ("TANH", (1 / 128, 0), {}),
        ("RELU", None, {}),
        ("RELU6", None, {}),
        ("LEAKY_RELU", None, {"alpha": 0.2}),
        ("LEAKY_RELU", None, {"alpha": 1.7}),
        ("LEAKY_RELU", None, {"alpha": -0.3}),
        ("HARD_SWISH", None, {}),
        ("QUANTIZE", None, {}),
    ],
)
def test_tables_agree_with_tflm_for_every_input_at_scales_of_all_sizes(kind, output, options):
    rng = np.random.default_rng(7)
    scales = [float(np.float32(10.0**exponent)) for exponent in np.arange(-5, 1.5, 0.5)]
    cases = []
    for scale, zero_point in zip(scales, itertools.cycle((-128, -7, 127)), strict=False):
        ratio = 10 ** rng.uniform(-1, 1)
        target = output or (scale * ratio, int(rng.integers(-128, 128)))
        model = one_op(kind, (1, 256), (1, 256), source=(scale, zero_point), output=target, **options)
        cases.append(Case(model, [ALL_INT8]))
    for got, expected in zip(run_on_host(cases), run_on_tflm(cases), strict=True):
        assert_same(got, expected)


def test_quotients_of_scales_have_the_precision_that_tflm_computes_each_with():
    """5/8 in single precision, but not in double: multiples of 4 tie in the one and not in the other.

    TFLM has changed this between releases.
    """
    models = []
    for excess in (-1, 1):
        # Two 24-bit numbers with 8 a = 5 b + excess.
        b = next(b for b in range(2**24 - 1, 0, -1) if (5 * b + excess) % 8 == 0)
        source, output = (5 * b + excess) / 8 * 2.0**-30, b * 2.0**-30
        assert np.float32(source) / np.float32(output) == 0.625 != source / output
        quantized = {"source": (source, -128), "output": (output, -128)}
        models += [one_op(kind, (1, 256), (1, 256), **quantized) for kind in ("RELU", "QUANTIZE")]
        models.append(one_op("LEAKY_RELU", (1, 256), (1, 256), source=(source, 100), output=(output, 100), alpha=0.25))
        models += [plus_or_minus_zero(kind, source, output) for kind in ("ADD", "SUB")]
    cases = [Case(model, [ALL_INT8]) for model in models]
    for got, expected in zip(run_on_host(cases), run_on_tflm(cases), strict=True):
        assert_same(got, expected)


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL"])
def test_products_of_scales_have_the_precision_that_tflm_computes_each_with(kind):
    """5/8 in single precision, but not in double, as above."""
    cases = [Case(times_one(kind, *scales), [ALL_INT8.reshape(1, 1, 1, 256, 1)]) for scales in (_just(1), _just(-1))]
    for got, expected in zip(run_on_host(cases), run_on_tflm(cases), strict=True):
        assert_same(got, expected)


def _just(sign):
    """Two scales of 24 bits whose product is above or below 5/8 by too little for single precision."""
    for a in range(2**24 - 1, 2**23, -2):
        b = round(5 * 2**44 / a)
        if b < 2**24 and 2**-29 < sign * (a * b / (5 * 2.0**44) - 1) < 2**-26:
            return a * 2.0**-24, b * 2.0**-23
    raise AssertionError


def times_one(kind, source, factor):
    """Every input times a constant 1 of scale ``factor``, with an output of scale 1."""
    assert np.float32(source) * np.float32(factor) == 0.625 != source * factor
    builder, shape = ModelBuilder(), (1, 1, 256, 1)
    x, y = (builder.tensor(shape, scale=scale, zero_point=-128) for scale in (source, 1.0))
    one = builder.constant(np.ones((1, 1) if kind == "FULLY_CONNECTED" else (1, 1, 1, 1), np.int8), scale=factor)
    strides = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    options = {
        "CONV_2D": strides,
        "DEPTHWISE_CONV_2D": {**strides, "depthMultiplier": 1},
        "FULLY_CONNECTED": {"keepNumDims": True},
    }
    builder.op(kind, [x, one], [y], **options.get(kind, {}))
    return builder.finish(inputs=[x], outputs=[y])


def plus_or_minus_zero(kind, source, output):
    builder = ModelBuilder()
    x = builder.tensor((1, 256), scale=source, zero_point=-128)
    y = builder.tensor((1, 256), scale=output, zero_point=-128)
    builder.op(kind, [x, builder.constant(np.array([-128], np.int8), scale=source, zero_point=-128)], [y])
    return builder.finish(inputs=[x], outputs=[y])


def test_softmax_agrees_with_tflm_at_scales_and_lengths_of_all_sizes():
    models = [
        one_op("SOFTMAX", (1, 3, depth), (1, 3, depth), source=(scale, -5), output=(1 / 256, -128), beta=beta)
        for scale, beta in ((1e-7, 1.0), (1e-4, 0.7), (0.01, 1.0), (0.1, 1.0), (0.5, 1.3), (3.0, 1.0), (40.0, 1.0))
        for depth in (1, 2, 255, 511)
    ]
    check_on_host(models)


def test_softmax_of_more_equal_values_than_tflm_can_add_up_is_the_smallest_probability():
    model = one_op("SOFTMAX", (1, 4095), (1, 4095), output=(1 / 256, -128), beta=1.0)
    ((got,),) = run_on_host([Case(model, [np.full((1, 1, 4095), 5, np.int8)])])
    assert np.all(got == -128)


def test_arithmetic_broadcasts_in_every_dimension_on_either_side():
    full, models = (2, 3, 2, 4), []
    for kind, mask in zip(itertools.cycle(("ADD", "SUB", "MUL")), range(16), strict=False):
        left = tuple(1 if mask >> i & 1 else size for i, size in enumerate(full))
        right = tuple(size if mask >> i & 1 else 1 for i, size in enumerate(full))
        models += [arithmetic(kind, left, right), arithmetic(kind, left, right, constant=0)]
        models.append(arithmetic(kind, full, left[mask % 4 :], constant=1))
    check_on_host(models, samples=3)


def arithmetic(kind, left, right, constant=None):
    """One op; the operand at position ``constant`` is a constant, others are inputs, reshaped as those have batch 1."""
    builder, rng = ModelBuilder(), np.random.default_rng(3)
    operands, inputs = [], []
    for position, shape in enumerate((left, right)):
        quantization = {"scale": 0.02 / (1 + position), "zero_point": 30 * position - 9}
        if position == constant:
            operands.append(builder.constant(rng.integers(-128, 128, shape).astype(np.int8), **quantization))
            continue
        inputs.append(builder.tensor((1, math.prod(shape)), **quantization))
        operands.append(builder.tensor(shape, **quantization))
        builder.op("RESHAPE", [inputs[-1], builder.constant(np.array(shape, np.int32))], [operands[-1]])
    output = builder.tensor(np.broadcast_shapes(left, right), scale=0.04, zero_point=5)
    builder.op(kind, operands, [output])
    return builder.finish(inputs=inputs, outputs=[output])


def test_both_operands_may_be_the_same_tensor():
    builder = ModelBuilder()
    x, doubled, y = (builder.tensor((1, 9), scale=0.1 * n, zero_point=n) for n in (1, 2, 3))
    builder.op("RELU", [x], [doubled])
    builder.op("ADD", [doubled, doubled], [y])
    check_on_host([builder.finish(inputs=[x], outputs=[y])])


def test_mean_agrees_with_tflm_over_every_choice_of_dimensions():
    shape = (1, 3, 5, 2)
    models = []
    for count, keep in itertools.product(range(1, 5), (False, True)):
        for axes in itertools.combinations(range(4), count):
            sizes = [1 if i in axes else size for i, size in enumerate(shape) if keep or i not in axes]
            models.append(one_op("MEAN", shape, sizes, np.array(axes, np.int32), output=(0.07, -20), keepDims=keep))
    check_on_host(models)


def test_quantize_between_all_types():
    pairs = [
        (("FLOAT32", "INT8"), None, (0.05, -4)),
        (("FLOAT32", "INT16"), None, (0.0002, 0)),
        (("INT16", "INT16"), (0.001, 0), (0.0007, 0)),
        (("INT8", "INT16"), (0.2, 100), (0.0007, 0)),
        (("INT16", "INT8"), (0.0004, 0), (0.1, 12)),
        (("UINT8", "INT8"), (0.1, 128), (0.1, 0)),
        (("INT8", "UINT8"), (0.1, 0), (0.1, 128)),
    ]
    models = [
        one_op("QUANTIZE", (1, 300), (1, 300), source=source, output=output, types=types)
        for types, source, output in pairs
    ]
    check_on_host(models, samples=40)


def test_quantize_from_float_rounds_ties_away_from_zero_and_saturates():
    model = one_op("QUANTIZE", (1, 12), (1, 12), output=(0.5, 1), types=("FLOAT32", "INT8"))
    values = [0.25, -0.25, 0.75, -0.75, 0.0, -0.0, 0.24999999, 1e9, -1e9, np.inf, -np.inf, np.nan]
    ((got,),) = run_on_host([Case(model, [np.array(values, np.float32).reshape(1, 1, 12)])])
    assert got.reshape(-1).tolist() == [2, 0, 3, -1, 1, 1, 1, 127, -128, 127, -128, 1]


def test_padv2_pads_with_its_value():
    builder = ModelBuilder()
    same = {"scale": 0.1, "zero_point": -3}
    x, y = builder.tensor((1, 3, 2), **same), builder.tensor((1, 6, 5), **same)
    paddings = builder.constant(np.array([[0, 0], [2, 1], [0, 3]], np.int32))
    builder.op("PADV2", [x, paddings, builder.constant(np.array([77], np.int8), **same)], [y])
    check_on_host([builder.finish(inputs=[x], outputs=[y])])


def test_slice_takes_what_begin_and_size_say():
    check_on_host(
        [
            one_op(
                "SLICE", (1, 5, 4, 3), (1, *sizes), np.array([0, *begins], np.int32), np.array([1, *given], np.int32)
            )
            for begins, sizes, given in [
                ((1, 0, 0), (2, 4, 3), (2, 4, 3)),
                ((2, 1, 1), (3, 3, 2), (-1, -1, -1)),
                ((0, 3, 2), (5, 1, 1), (-1, 1, 1)),
            ]
        ]
    )


def test_split_v_cuts_unequal_parts():
    builder = ModelBuilder()
    x = builder.tensor((1, 2, 7, 3), scale=0.1)
    parts = [builder.tensor((1, 2, size, 3), scale=0.1) for size in (1, 4, 2)]
    sizes, axis = builder.constant(np.array([1, 4, 2], np.int32)), builder.constant(np.array(-2, np.int32))
    builder.op("SPLIT_V", [x, sizes, axis], parts)
    check_on_host([builder.finish(inputs=[x], outputs=parts)])


@pytest.mark.parametrize(
    ("index", "numbers", "masks"),
    [
        (np.s_[:, None, 1:3], ([0, 0, 1], [1, 0, 3], [1, 1, 1]), {"newAxisMask": 2}),
        (np.s_[..., ::-2], ([0, 0], [0, 0], [1, -2]), {"ellipsisMask": 1, "beginMask": 2, "endMask": 2}),
        (np.s_[:, 3, ..., 1:], ([0, 3, 0, 1], [1, 0, 0, 9], [1] * 4), {"ellipsisMask": 4, "shrinkAxisMask": 2}),
    ],
)
def test_new_axes_and_ellipses_mean_what_they_mean_in_numpy(index, numbers, masks):
    """TFLM does not know these masks."""
    values = np.arange(60, dtype=np.int8).reshape(1, 5, 4, 3)
    operands = [np.array(given, np.int32) for given in numbers]
    model = one_op("STRIDED_SLICE", values.shape, values[index].shape, *operands, **masks)
    ((got,),) = run_on_host([Case(model, [values[np.newaxis]])])
    np.testing.assert_array_equal(got[0], values[index])


def test_transposing_moves_every_dimension_anywhere():
    shape = (1, 2, 3, 4)
    check_on_host(
        [
            one_op("TRANSPOSE", shape, [shape[i] for i in order], np.array(order, np.int32))
            for order in itertools.permutations(range(4))
        ]
    )


def test_constants_may_be_concatenated():
    builder = ModelBuilder()
    same = {"scale": 0.1, "zero_point": -3}
    x, y = builder.tensor((1, 3, 2), **same), builder.tensor((1, 3, 4), **same)
    constant = builder.constant(np.arange(6, dtype=np.int8).reshape(1, 3, 2), **same)
    builder.op("CONCATENATION", [constant, x], [y], axis=2)
    check_on_host([builder.finish(inputs=[x], outputs=[y])])
