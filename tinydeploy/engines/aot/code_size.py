"""How much flash a firmware takes beside the model's arrays: an estimate from above, for plans; builds are measured.

The figures are of GCC 12.2, the largest over the cores that there are boards for; tests/engines/aot/test_code_size.py
measures them anew.
"""

from collections.abc import Mapping

from tinydeploy.engines.aot.compiled import Compiled
from tinydeploy.engines.aot.kernel_sets import kernel_files
from tinydeploy.engines.aot.program import Parameter

FIRMWARE_CODE_BYTES = 5_600
"""Link, runner, port and C library, at -Os."""

CALL_CODE_BYTES = 24
"""To call a kernel and to say that its layer is done, at -Os."""

KERNEL_CODE_BYTES: Mapping[str, int] = {
    "dsp/add_affine.c": 536,
    "dsp/average_planes.c": 548,
    "dsp/average_pool_2d.c": 1_168,
    "dsp/conv_2d_gemm.c": 1_708,
    "dsp/conv_2d_winograd.c": 1_164,
    "dsp/depthwise_planes.c": 288,
    "dsp/depthwise_strips.S": 0,
    "dsp/fully_connected_groups.S": 496,
    "dsp/fully_connected_rows.c": 164,
    "dsp/gemm_tile.S": 292,
    "dsp/max_pool_2d.c": 580,
    "dsp/plane_border.c": 380,
    "dsp/pointwise.c": 956,
    "dsp/to_planes.c": 460,
    "dsp/winograd_tile.S": 0,
    "mve/add.c": 952,
    "mve/average_pool_2d.c": 624,
    "mve/conv_2d.c": 3_880,
    "mve/depthwise_conv_2d.c": 3_680,
    "mve/fully_connected.c": 1_596,
    "mve/lookup.c": 72,
    "mve/max_pool_2d.c": 472,
    "mve/mul.c": 636,
    "reference/add.c": 584,
    "reference/average_pool_2d.c": 464,
    "reference/conv_2d.c": 1_396,
    "reference/copy.c": 16,
    "reference/depthwise_conv_2d.c": 1_004,
    "reference/dequantize.c": 96,
    "reference/fill.c": 20,
    "reference/fully_connected.c": 412,
    "reference/lookup.c": 40,
    "reference/max_pool_2d.c": 440,
    "reference/mean.c": 368,
    "reference/mul.c": 428,
    "reference/quantize.c": 228,
    "reference/quantize_float.c": 276,
    "reference/resize_nearest_neighbor.c": 104,
    "reference/softmax.c": 744,
    "reference/strided_copy.c": 232,
    "scalar/add.c": 760,
    "scalar/average_pool_2d.c": 696,
    "scalar/conv_2d.c": 3_984,
    "scalar/depthwise_conv_2d.c": 2_852,
    "scalar/fully_connected.c": 1_300,
    "scalar/max_pool_2d.c": 472,
}
"""Each file of firmware/kernels, at -O2, without what is instantiated for output shifts."""

INSTANCE_CODE_BYTES: Mapping[str, tuple[int, int]] = {
    "depthwise": (1_200, 1_436),
    "gemm": (1_080, 1_180),
    "gemm_wide": (992, 1_092),
    "winograd": (2_172, 2_564),
}
"""An instance for one output shift, and one for the general form, of all that a kernel's shifts instantiate."""


def code_bytes(compiled: Compiled) -> int:
    """What a firmware with this program has in flash beside the model's constant arrays, in bytes."""
    program = compiled.program
    files = sum(KERNEL_CODE_BYTES[file] for file in kernel_files(compiled.kernels, program.kernels))
    instances = sum(
        INSTANCE_CODE_BYTES[kernel][shift == 0] for kernel, shifts in program.shifts.items() for shift in shifts
    )
    calls = [call for layer in program.layers for call in layer.calls]
    parameters = sum(4 * _numbers(call.parameters) for call in calls)
    return FIRMWARE_CODE_BYTES + files + instances + parameters + CALL_CODE_BYTES * len(calls)


def _numbers(parameters: Mapping[str, Parameter]) -> int:
    """The numbers and pointers in a parameter struct, none of which is larger than 4 bytes."""
    return sum(_numbers(value) if isinstance(value, Mapping) else _length(value) for value in parameters.values())


def _length(value: Parameter) -> int:
    return len(value) if isinstance(value, tuple) else 1
