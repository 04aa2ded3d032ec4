"""CONV_2D, FULLY_CONNECTED of several rows and DEPTHWISE_CONV_2D of one channel as matrix products."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.dsp.depthwise import border_call, border_instructions
from tinydeploy.engines.aot.dsp.pointwise import may_run_in_place, pointwise_instructions, pointwise_parameters
from tinydeploy.engines.aot.dsp.product import PIXELS, Product, can_be_packed, dense_grid, planes_grid
from tinydeploy.engines.aot.dsp.window import (
    Window,
    convolution_instructions,
    convolution_order,
    convolution_parameters,
    smallest_lag,
)
from tinydeploy.engines.aot.fixed_point import clamp
from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.convolution import convolution_padding, folded_bias, weight_rows
from tinydeploy.engines.aot.ops.tensors import quantization_of
from tinydeploy.engines.aot.program import Array, Call, Layer, Operand, Parameter
from tinydeploy.engines.aot.requantization import Fit, bounds_are_natural
from tinydeploy.engines.aot.storage import Storage
from tinydeploy.model.graph import Conv2DOptions, Graph, Op

_BOUNDING_INSTRUCTIONS = 7
"""For each byte of a ``td_lookup`` that bounds outputs to an activation's range."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Computation:
    """How a kernel computes a product from and to certain storages."""

    kernel: str
    product: Product
    source: Storage = None
    target: Storage = None
    parameters: Callable[[], Mapping[str, Parameter]]
    instructions: float
    scratch_bytes: int
    in_place: Mapping[int, int] = field(default_factory=dict)


def products(context: Context, op: Op) -> Iterable[Candidate]:
    """A way for each storage of input and output that is on offer, and for each size of weights.

    None where neither form of requantisation holds.
    """
    graph = context.graph
    for product in _products(context, op):
        if op.kind == "FULLY_CONNECTED":
            computations = _of_rows(graph, op, product)
        elif tensor_at(graph, op, 0).shape[0] > 1 or not _reads_all_channels(graph, op):
            return
        elif _is_pointwise(window := _window(graph, op)):
            computations = _of_pixels(context, op, product, window)
        else:
            computations = _of_windows(context, op, product, window)
        yield from (_candidate(context, op, computation) for computation in computations)


def _products(context: Context, op: Op) -> Iterator[Product]:
    """The constants, with one and with two bytes a weight, in the better of the two forms that each can have."""
    rows = weight_rows(context.graph, op)
    bias = folded_bias(context.graph, op, rows).astype(np.int64)
    layer = context.requantization[op.index]
    forms = [form for form in (context.fits.get(op.index), context.general.get(op.index)) if form is not None]
    for is_wide in (False, True):
        form = next((form for form in forms if is_wide or can_be_packed(rows, form, layer)), None)
        if form is not None:
            yield Product(weights=rows, bias=bias, form=form, is_wide=is_wide)


def _of_rows(graph: Graph, op: Op, product: Product) -> Iterator[_Computation]:
    """Rows of a fully connected layer as pixels; none for fewer rows than a tile has: most of it would be wasted."""
    depth = product.weights.shape[1]
    rows = tensor_at(graph, op, 0).elements // depth
    if rows >= PIXELS:
        yield _pointwise(product, (1, rows), (None, None))


def _of_pixels(context: Context, op: Op, product: Product, window: Window) -> Iterator[_Computation]:
    for source in (None, *context.planes.get(op.inputs[0], ())):
        for target in (None, *context.planes.get(op.outputs[0], ())):
            yield _pointwise(product, window.output_size, (source, target))


def _pointwise(product: Product, size: tuple[int, int], storages: tuple[Storage, Storage]) -> _Computation:
    channels = product.weights.shape[1], product.channels
    source, target = (
        planes_grid(storage) if storage else dense_grid(*size, count)
        for storage, count in zip(storages, channels, strict=True)
    )
    in_place, backwards = may_run_in_place(source, target, channels)
    return _Computation(
        kernel="pointwise",
        product=product,
        source=storages[0],
        target=storages[1],
        parameters=lambda: pointwise_parameters(product, source, target, backwards=in_place and backwards),
        instructions=pointwise_instructions(product, source, target),
        scratch_bytes=product.buffer_bytes,
        in_place={0: 0} if in_place else {},
    )


def _of_windows(context: Context, op: Op, product: Product, window: Window) -> Iterator[_Computation]:
    zero_point = quantization_of(tensor_at(context.graph, op, 0)).zero_point
    order = convolution_order(window.kernel[0], window.row_values)
    ordered = Product(weights=product.weights[:, order], bias=product.bias, form=product.form, is_wide=product.is_wide)
    for target in (None, *context.planes.get(op.outputs[0], ())):
        grid = planes_grid(target) if target else dense_grid(*window.output_size, product.channels)
        yield _Computation(
            kernel="conv_2d_gemm",
            product=ordered,
            target=target,
            parameters=partial(convolution_parameters, ordered, window, grid, zero_point),
            instructions=convolution_instructions(ordered, window),
            scratch_bytes=ordered.buffer_bytes + window.copy_bytes,
            in_place={} if target else {0: smallest_lag(window, product.channels)},
        )


def _candidate(context: Context, op: Op, computation: _Computation) -> Candidate:
    product, source, target = computation.product, computation.source, computation.target
    is_bounded = not bounds_are_natural(context.requantization[op.index])
    output = context.graph.output_of(op)
    instructions = computation.instructions
    instructions += _BOUNDING_INSTRUCTIONS * (target.nbytes if target else output.elements) if is_bounded else 0
    instructions += border_instructions(target) if target and any(target.border) else 0
    layouts = "" if source is target else f", {_layout(source)} to {_layout(target)}"
    return Candidate(
        name=f"4x2 tiles{', two bytes a weight' if product.is_wide else ''}"
        + (", on planes" if source and target else layouts),
        cost=Cost(
            instructions=instructions,
            constant_bytes=product.constant_bytes + (256 if is_bounded else 0),
            scratch_bytes=computation.scratch_bytes,
        ),
        lower=lambda: _lower(context, op, computation, is_bounded=is_bounded),
        reads={op.inputs[0]: source} if source else {},
        writes={op.outputs[0]: target} if target else {},
        large=product.is_wide,
        shifts={"gemm_wide" if product.is_wide else "gemm": product.form.shift if isinstance(product.form, Fit) else 0},
    )


def _layout(storage: Storage) -> str:
    return "planes" if storage else "NHWC"


def _lower(context: Context, op: Op, computation: _Computation, *, is_bounded: bool) -> Layer:
    """The product, then what bounds its outputs, then what fills the border around them."""
    source, target = Operand(tensor=op.inputs[0]), Operand(tensor=op.outputs[0])
    calls = [
        Call(
            kernel=computation.kernel,
            parameters=computation.parameters(),
            inputs=(source,),
            output=target,
            in_place=computation.in_place,
            scratch_bytes=computation.scratch_bytes,
        )
    ]
    if is_bounded:
        calls.append(_bounding_call(context, op, computation.target))
    if computation.target and any(computation.target.border):
        calls.append(border_call(context.graph, target.tensor, computation.target))
    return Layer(op=op.index, calls=tuple(calls))


def _bounding_call(context: Context, op: Op, storage: Storage) -> Call:
    """A call of ``td_lookup`` in place, whose table bounds the output to the activation's range."""
    layer, output = context.requantization[op.index], context.graph.output_of(op)
    values = np.arange(256, dtype=np.uint8).view(np.int8)
    table = np.array([clamp(int(value), layer.low, layer.high) for value in values], np.int8)
    operand = Operand(tensor=op.outputs[0])
    count = storage.channels * storage.plane_bytes if storage else output.elements
    return Call(
        kernel="lookup",
        parameters={"count": count, "table": Array(values=table)},
        inputs=(operand,),
        output=operand,
    )


def _is_pointwise(window: Window) -> bool:
    return bool(window.inside.all()) and window.kernel == window.stride == (1, 1)


def _reads_all_channels(graph: Graph, op: Op) -> bool:
    """A depthwise convolution of a single channel does, too."""
    return op.kind == "CONV_2D" or tensor_at(graph, op, 0).shape[-1] == 1


def _window(graph: Graph, op: Op) -> Window:
    options = cast("Conv2DOptions", op.options)
    _, height, width, channels = tensor_at(graph, op, 0).shape
    _, kernel_height, kernel_width, _ = tensor_at(graph, op, 1).shape
    _, output_height, output_width, _ = graph.output_of(op).shape
    return Window(
        input_size=(height, width),
        channels=channels,
        kernel=(kernel_height, kernel_width),
        stride=(options.stride_h, options.stride_w),
        dilation=(options.dilation_h, options.dilation_w),
        padding=convolution_padding(graph, op)[:2],
        output_size=(output_height, output_width),
    )
