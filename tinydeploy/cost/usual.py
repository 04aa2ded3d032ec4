"""What a layer usually costs with the kernels made for a core: a table of figures, each with its source.

A layer's cost is nearly a share per multiply-accumulate and a share per output value, which is for requantising it
and, where the window is larger than 1x1, for gathering its inputs. With both, one row describes small and large layers
alike: the first convolution of an image with its three channels, and a depthwise one of any window.

The figures are to tell a kernel that works from one that has silently fallen back to a slow one. They are no benchmark,
and no estimate of a layer either: `instructions` has those, with all that slows a kernel down. This is the yardstick
that knows nothing of it, so that a layer whose shape no fast kernel takes stands out.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tinydeploy.model.graph import DType, Graph, Op
from tinydeploy.model.macs import op_macs

CostUnit = Literal["instructions", "cycles"]


class LayerClass(enum.Enum):
    """Layers that one kernel computes, by what people call them."""

    CONV_1X1 = "a 1x1 convolution"
    CONV = "a convolution"
    DEPTHWISE = "a depthwise convolution"
    FULLY_CONNECTED = "a fully connected layer"


@dataclass(frozen=True)
class _Cost:
    per_mac: float
    per_output: float


_Row = Mapping[LayerClass, _Cost]


def _row(conv_1x1: _Cost, conv: _Cost, depthwise: _Cost, fully_connected: _Cost) -> _Row:
    return dict(zip(LayerClass, (conv_1x1, conv, depthwise, fully_connected), strict=True))


# Emulated instructions, fitted to the 55 layers of kws, vww, resnet8, ad01 and micro_speech that have 4,000 multiply-
# accumulates or more: TensorFlow Lite Micro 90b983c2b with its CMSIS-NN 4ab83cc3, arm-none-eabi-gcc 12.2 -O3, QEMU 7.2
# with -icount, the second inference. Every layer takes 0.8 to 1.2 times its figure, on Cortex-M55 up to 2.1 times. With
# the reference kernels, all layers take more than 3 times as much on Cortex-M4 (3.3 to 10.7) and on M55 (5.5 to 47), 27
# on M3 and 4 on M0, for which CMSIS-NN can do less.
_M0 = _row(_Cost(6.1, 97), _Cost(6.1, 185), _Cost(4.1, 287), _Cost(6.1, 100))
_M3 = _row(_Cost(2.6, 36), _Cost(2.5, 105), _Cost(3.9, 50), _Cost(3.4, 40))
_M4 = _row(_Cost(1.55, 40), _Cost(1.57, 107), _Cost(3.6, 45), _Cost(1.9, 50))
_M55 = _row(_Cost(0.14, 16), _Cost(0.17, 33), _Cost(2.5, 0), _Cost(1.0, 30))

_INSTRUCTIONS: Mapping[str, _Row] = {
    "cortex-m0": _M0,
    "cortex-m0plus": _M0,  # the same instructions
    "cortex-m3": _M3,
    "cortex-m4": _M4,
    "cortex-m7": _M4,  # the same instructions
    "cortex-m33": _M4,  # the same kernels: CMSIS-NN's for the DSP extension
    "cortex-m55": _M55,
}

# Cycles as published. ESP32-S3 by kernel, in the README of espressif/esp-nn at 0798b58: 1x1 of 64 and of 16 channels
# 1.13 and 2.66 per multiply-accumulate, 3x3 of 3 channels 5.8, depthwise 3x3 5.2 and 5x5 4.6; fully connected in public
# issues, 2.7 (13 where the fast kernel was missed). ESP32 and ESP32-C3 of a whole network only, person_detection with
# its 7.16 M multiply-accumulates, in the README of espressif/esp-tflite-micro at 01a78d0: 380 ms at 240 MHz, 426 ms at
# 160 MHz.
_ESP32S3 = _row(_Cost(0.6, 33), _Cost(0.6, 141), _Cost(4.2, 9), _Cost(2.7, 0))
_ESP32 = _row(*[_Cost(12.7, 0)] * 4)
_ESP32C3 = _row(*[_Cost(9.5, 0)] * 4)

_CYCLES: Mapping[str, _Row] = {
    "xtensa-lx7": _ESP32S3,
    "xtensa-lx6": _ESP32,
    "rv32imc": _ESP32C3,
}

_CYCLES_PER_INSTRUCTION = {"cortex-m7": 1.0}
"""Of a core that issues two at once; inferred, not measured."""

_DEFAULT_CYCLES_PER_INSTRUCTION = 1.5
"""MLPerf Tiny's published times of microTVM with CMSIS-NN on a Cortex-M4 at 120 MHz (390, 99.8 and 301 ms for resnet8,
kws and vww), over the instructions that these models take with CMSIS-NN here: 1.46 to 1.57."""


def layer_class(graph: Graph, op: Op) -> LayerClass | None:
    """What kind of layer an op is; None where nothing usual is known: of other ops, and of other types than int8."""
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    if op.is_custom or op.kind not in kinds:
        return None
    if any(graph.tensors[index].dtype is not DType.INT8 for index in op.inputs[:2]):
        return None
    if op.kind != "CONV_2D":
        return LayerClass.DEPTHWISE if op.kind == "DEPTHWISE_CONV_2D" else LayerClass.FULLY_CONNECTED
    _, height, width, _ = graph.tensors[op.inputs[1]].shape
    return LayerClass.CONV_1X1 if (height, width) == (1, 1) else LayerClass.CONV


def usual_per_mac(core: str, graph: Graph, op: Op, unit: CostUnit) -> float | None:
    """What one multiply-accumulate of the layer usually costs on the core, the outputs' share included.

    None where nobody has measured it: of other layers than the table's, and on other cores.
    """
    kind = layer_class(graph, op)
    published = _CYCLES.get(core) if unit == "cycles" else None
    row = published or _INSTRUCTIONS.get(core)
    if kind is None or row is None:
        return None
    per_output = op_macs(graph, op) / graph.output_of(op).elements
    cost = row[kind].per_mac + row[kind].per_output / per_output
    if unit == "instructions" or published:
        return cost
    return cost * _CYCLES_PER_INSTRUCTION.get(core, _DEFAULT_CYCLES_PER_INSTRUCTION)
