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
}
"""Each file of firmware/kernels, at -O2; one that is instantiated for output shifts with one instance."""


def code_bytes(compiled: Compiled) -> int:
    """What a firmware with this program has in flash beside the model's constant arrays, in bytes."""
    program = compiled.program
    files = sum(KERNEL_CODE_BYTES.get(file, 1_000) for file in kernel_files(compiled.kernels, program.kernels))
    calls = [call for layer in program.layers for call in layer.calls]
    parameters = sum(4 * _numbers(call.parameters) for call in calls)
    return FIRMWARE_CODE_BYTES + files + parameters + CALL_CODE_BYTES * len(calls)


def _numbers(parameters: Mapping[str, Parameter]) -> int:
    """The numbers and pointers in a parameter struct, none of which is larger than 4 bytes."""
    return sum(_numbers(value) if isinstance(value, Mapping) else _length(value) for value in parameters.values())


def _length(value: Parameter) -> int:
    return len(value) if isinstance(value, tuple) else 1
