"""FULLY_CONNECTED row by row, 4 output channels at a time: firmware/kernels/dsp/td_fully_connected_rows.h."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.aot.candidate import Candidate, Cost
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.operator import tensor_at
from tinydeploy.engines.aot.ops.convolution import folded_bias, weight_rows
from tinydeploy.engines.aot.program import Array, Call, Layer, Operand, Parameter
from tinydeploy.engines.aot.requantization import LEADING_SUMS, General, bounds_are_natural
from tinydeploy.model.graph import Op

_CHANNELS = 4
"""Output channels in a group, and input values in a step."""


def fully_connected_rows(context: Context, op: Op) -> Iterable[Candidate]:
    """One way, where the general form holds and saturation is all that bounds outputs, and where weights can be paired.

    That is not possible if the sum of a pair's first channel may reach 2**23, or where a weight of -128 in it meets a
    negative one in the second.
    """
    general = context.general.get(op.index)
    layer = context.requantization[op.index]
    rows = weight_rows(context.graph, op)
    leading = (np.arange(len(rows)) % 2 == 0) & (general.multiplier != 0 if general else False)
    reach = np.maximum(np.abs(layer.lo), np.abs(layer.hi))
    if (
        general is None
        or not bounds_are_natural(layer)
        or np.any(reach[leading] >= LEADING_SUMS)
        or not _can_be_paired(rows)
    ):
        return
    inputs = tensor_at(context.graph, op, 0).elements // rows.shape[1]
    stream = pack(rows, folded_bias(context.graph, op, rows), general)
    yield Candidate(
        name="row by row, 4 channels at a time",
        cost=Cost(
            instructions=inputs * instructions_of_row(*rows.shape, per_channel=not has_common_factors(general)),
            constant_bytes=stream.nbytes,
            scratch_bytes=scratch_bytes(rows.shape[1]),
        ),
        lower=lambda: _lower(op, inputs, rows.shape, general, stream),
    )


def pack(rows: npt.NDArray[np.int8], bias: npt.NDArray[np.int32], general: General) -> npt.NDArray[np.uint32]:
    """The stream of constants of weights [channels, depth]: words as the kernel's header lists them."""
    channels, depth = rows.shape
    weights = np.pad(rows.astype(np.int64), [(0, -channels % _CHANNELS), (0, -depth % 4)])
    starts = np.pad(bias.astype(np.int64), (0, -channels % _CHANNELS)).reshape(-1, 2)
    groups = len(weights) // _CHANNELS
    starts = np.stack([256 * starts[:, 0] + starts[:, 1], starts[:, 1]], axis=1).reshape(groups, _CHANNELS)
    halves = (256 * weights[0::2] + weights[1::2]).reshape(groups, 2, -1, 4)  # group, pair, step, value
    words = (halves[..., :2] & 0xFFFF) | (halves[..., 2:] & 0xFFFF) << 16
    stream = [starts, words.transpose(0, 2, 3, 1).reshape(groups, -1)]
    if not has_common_factors(general):
        factors = np.stack([general.multiplier, general.offset, general.shift], axis=1)
        stream.append(np.pad(factors, [(0, -channels % _CHANNELS), (0, 0)]).reshape(groups, -1))
    return (np.hstack(stream) & 0xFFFFFFFF).astype(np.uint32)


def has_common_factors(general: General) -> bool:
    """Whether all channels have the same multiplier, offset and shift: then the stream has none."""
    return all(np.all(values == values[0]) for values in (general.multiplier, general.offset, general.shift))


def scratch_bytes(depth: int) -> int:
    """A row as int16."""
    return 2 * (depth + -depth % 4)


def instructions_of_row(channels: int, depth: int, *, per_channel: bool) -> int:
    """Measured on a Cortex-M4, within 3 % from 1,000 instructions on."""
    groups, steps = -(-channels // _CHANNELS), -(-depth // 4)
    of_group = 38 + 14 * steps + 2 * -(-steps // 4) + (5 if per_channel else 0)
    return 62 + 7 * steps + groups * of_group


def _can_be_paired(rows: npt.NDArray[np.int8]) -> bool:
    """Whether 256 * a + b is in int16 for each pair of channels, as it is without weights of -128."""
    first, second = rows[: len(rows) // 2 * 2 : 2], rows[1::2]
    return not np.any((first == -128) & (second < 0))


def _lower(op: Op, inputs: int, shape: tuple[int, ...], general: General, stream: npt.NDArray[np.uint32]) -> Layer:
    common = has_common_factors(general)
    parameters: dict[str, Parameter] = {
        "rows": inputs,
        "input_depth": shape[1],
        "output_depth": shape[0],
        "multiplier": int(general.multiplier[0]) if common else 0,
        "offset": int(general.offset[0]) if common else 0,
        "shift": int(general.shift[0]) if common else 0,
        "stream": Array(values=stream),
    }
    call = Call(
        kernel="fully_connected_rows",
        parameters=parameters,
        inputs=(Operand(tensor=op.inputs[0]),),
        output=Operand(tensor=op.outputs[0]),
        scratch_bytes=scratch_bytes(shape[1]),
    )
    return Layer(op=op.index, calls=(call,))
