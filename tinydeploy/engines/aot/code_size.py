"""How much flash a firmware takes beside the model's arrays: an estimate from above, for plans; builds are measured.

The figures are of GCC 12.2, the largest over the cores that there are boards for; tests/engines/aot/test_code_size.py
measures them anew.
"""

from collections.abc import Mapping

from tinydeploy.engines.aot.program import Parameter, Program

FIRMWARE_CODE_BYTES = 5_600
"""Link, runner, port and C library, at -Os."""

CALL_CODE_BYTES = 24
"""To call a kernel and to say that its layer is done, at -Os."""

KERNEL_CODE_BYTES = {
    "add": 584,
    "average_pool_2d": 464,
    "conv_2d": 1_396,
    "copy": 16,
    "depthwise_conv_2d": 1_004,
    "dequantize": 96,
    "fill": 20,
    "fully_connected": 412,
    "lookup": 40,
    "max_pool_2d": 440,
    "mean": 368,
    "mul": 428,
    "quantize": 228,
    "quantize_float": 276,
    "resize_nearest_neighbor": 104,
    "softmax": 744,
    "strided_copy": 232,
}
"""Each kernel of firmware/kernels/reference, at -O2."""


def code_bytes(program: Program) -> int:
    """What a firmware with this program has in flash beside the model's constant arrays, in bytes."""
    kernels = sum(KERNEL_CODE_BYTES[kernel] for kernel in program.kernels)
    calls = [call for layer in program.layers for call in layer.calls]
    parameters = sum(4 * _numbers(call.parameters) for call in calls)
    return FIRMWARE_CODE_BYTES + kernels + parameters + CALL_CODE_BYTES * len(calls)


def _numbers(parameters: Mapping[str, Parameter]) -> int:
    """The numbers and pointers in a parameter struct, none of which is larger than 4 bytes."""
    return sum(_numbers(value) if isinstance(value, Mapping) else _length(value) for value in parameters.values())


def _length(value: Parameter) -> int:
    return len(value) if isinstance(value, tuple) else 1
