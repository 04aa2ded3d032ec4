"""DEPTHWISE_CONV_2D, 3x3, on channel planes: firmware/kernels/dsp/td_depthwise_planes.h."""

from collections.abc import Iterable
from typing import cast

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.dsp.planes import is_planar_depthwise, may_read, planes_read, planes_written
from tinydeploy.engines.aot.ops.convolution import folded_bias, weight_rows
from tinydeploy.engines.aot.ops.tensors import quantization_of
from tinydeploy.engines.aot.program import Array, Call, Layer, Operand, Parameter
from tinydeploy.engines.aot.requantization import Fit, General, bounds_are_natural
from tinydeploy.engines.aot.storage import Planes
from tinydeploy.model.graph import DepthwiseConv2DOptions, Graph, Op

KERNEL = "depthwise"
"""What the kernel's shifts go by in td_shifts.h."""


def depthwise_planes(context: Context, op: Op) -> Iterable[Candidate]:
    """From planes with a border to planes, in place; with stride 1 also from a dense input, which is turned first.

    Only where one of the two forms of requantisation holds, and saturation is all that bounds outputs.
    """
    graph = context.graph
    form = context.fits.get(op.index) or context.general.get(op.index)
    if form is None or not is_planar_depthwise(graph, op) or not bounds_are_natural(context.requantization[op.index]):
        return
    stride = cast("DepthwiseConv2DOptions", op.options).stride_h
    rows = weight_rows(graph, op)
    constants = pack(rows, folded_bias(graph, op, rows), form)
    shift = form.shift if isinstance(form, Fit) else 0
    source, target = op.inputs[0], op.outputs[0]

    def on_planes(read: Planes, *, turned: bool = False) -> Candidate:
        written = planes_written(graph, op, read)
        turn = _turn(source, target, read, quantization_of(graph.tensors[source]).zero_point) if turned else ()
        call = depthwise_call(target if turned else source, target, (read, written), stride, shift, constants)
        instructions = instructions_of(written, stride, fitted=shift > 0)
        return Candidate(
            name=f"3x3 on planes{', turned from NHWC' if turned else ''}",
            cost=Cost(
                instructions=instructions + (turning_instructions(read) + border_instructions(read) if turned else 0),
                constant_bytes=constants.nbytes,
            ),
            lower=lambda: Layer(op=op.index, calls=(*turn, call)),
            reads={} if turned else {source: read},
            writes={target: written},
            shifts={KERNEL: shift},
        )

    yield from (on_planes(planes) for planes in context.planes[source] if may_read(graph, op, planes))
    if stride == 1:  # the output has the room for the input with its border
        yield on_planes(planes_read(graph, op), turned=True)


def pack(rows: npt.NDArray[np.int8], bias: npt.NDArray[np.int32], form: Fit | General) -> npt.NDArray[np.uint32]:
    """The constants of weights [channels, 9], [channels, words] as the kernel's header lists them."""
    w = np.pad(rows.view(np.uint8).astype(np.int64), [(0, 0), (0, 1)])  # w[:, 9] is 0
    order = np.array([[0, 1, 2, 4], [3, 7, 5, 9], [6, 9, 8, 9]])
    weights = (w[:, order] << np.array([0, 8, 16, 24])).sum(axis=2)
    start = bias.astype(np.int64)
    columns = [weights, start + form.bias_shift if isinstance(form, Fit) else start, form.multiplier, form.offset]
    if isinstance(form, General):
        columns.append(form.shift)
    return (np.column_stack(columns) & 0xFFFFFFFF).astype(np.uint32)


def depthwise_call(
    source: int, target: int, planes: tuple[Planes, Planes], stride: int, shift: int, constants: npt.NDArray[np.uint32]
) -> Call:
    """A call of ``td_depthwise_planes`` from tensor ``source``, stored as the first planes, to ``target``.

    The windows reach as far as the input's border, so that the first one starts where its planes do.
    """
    read, written = planes
    parameters: dict[str, Parameter] = {
        "form": f"td_depthwise_planes_{stride}_{f'shift_{shift}' if shift else 'general'}",
        "constants": Array(values=constants),
        "constant_words": constants.shape[1],
        "channels": written.channels,
        "rows": written.height,
        "columns": written.width,
        "input_pitch": read.pitch,
        "input_plane_bytes": read.plane_bytes,
        "output_pitch": written.pitch,
        "output_plane_bytes": written.plane_bytes,
    }
    return Call(
        kernel="depthwise_planes",
        parameters=parameters,
        inputs=(Operand(tensor=source),),
        output=Operand(tensor=target),
        in_place={0: 0},
    )


def instructions_of(output: Planes, stride: int, *, fitted: bool) -> float:
    """Of one call in place: counted in the code, and exact but for the rows that move up with stride 2."""
    rows, pairs, single = output.height, output.width // 2, output.width % 2
    per_pair = 0 if fitted else 7  # more for each row of the output
    per_single = 0 if fitted else 5
    per_channel = 0 if fitted else 7
    if stride == 1:
        steps = rows - 2
        pair = 64 + 25 * steps + steps % 2 if rows > 1 else 45
        strips = pairs * (pair + per_pair * rows) + single * (19 + (16 + per_single) * rows)
        return 67 + output.channels * (29 + per_channel + strips)
    pair, alone = 19 + (36 + per_pair) * rows, 10 + (21 + per_single) * rows
    moved = 55 + (rows - 1) * (18 + 1.2 * output.width)
    return 60 + moved + output.channels * (36 + per_channel + pairs * pair + single * alone)


def plane_fields(planes: Planes) -> dict[str, Parameter]:
    """The fields of ``struct td_planes``."""
    return {
        "channels": planes.channels,
        "height": planes.height,
        "width": planes.width,
        "pitch": planes.pitch,
        "plane_bytes": planes.plane_bytes,
        "origin": planes.origin,
    }


def border_call(graph: Graph, tensor: int, planes: Planes) -> Call:
    """A call of ``td_plane_border``: gives all bytes around the values the tensor's zero point.

    It belongs behind the calls that write the values.
    """
    return _border(tensor, planes, quantization_of(graph.tensors[tensor]).zero_point)


def _border(memory: int, planes: Planes, value: int) -> Call:
    fields: dict[str, Parameter] = {"planes": plane_fields(planes), "value": value}
    return Call(kernel="plane_border", parameters=fields, inputs=(), output=Operand(tensor=memory))


def border_instructions(planes: Planes) -> float:
    """Of one call of ``td_plane_border``: measured, within 12 %."""
    head, gap = planes.origin, planes.pitch - planes.width
    tail = planes.plane_bytes - head - planes.width - (planes.height - 1) * planes.pitch
    of_gap = 3.8 if gap in {1, 2} else 12 + 4 * (gap // 4) if gap else 0
    return 20 + planes.channels * (43 + 4 * (head // 4 + tail // 4) + of_gap * (planes.height - 1))


def _turn(source: int, target: int, planes: Planes, zero_point: int) -> tuple[Call, Call]:
    """Calls that make of the dense tensor ``source`` planes with a border, in the memory of ``target``."""
    values = Call(
        kernel="to_planes",
        parameters={"planes": plane_fields(planes)},
        inputs=(Operand(tensor=source),),
        output=Operand(tensor=target),
    )
    return values, _border(target, planes, zero_point)


def turning_instructions(planes: Planes) -> float:
    """Of one call of ``td_to_planes``: measured, within 10 %."""
    of_4 = 32 + 34 * (planes.width // 4) + 22 * (planes.width % 4)
    of_1 = 11 + 3.6 * planes.width
    row = 90 + planes.channels // 4 * of_4 + planes.channels % 4 * of_1
    return planes.height * row
