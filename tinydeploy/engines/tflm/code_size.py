"""What a firmware with TensorFlow Lite Micro takes beside model and arena: estimates for plans; builds are measured.

The figures are of GCC 12.2 and tflite-micro 90b983c2b, the largest of Cortex-M4, M7 and M55, compiled as library.py has
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tinydeploy.model.graph import Graph


@dataclass(frozen=True, kw_only=True)
class CodeSizes:
    """Bytes: ``base`` is link, runner, port, adapter, interpreter, C library and tables; ``kernels`` are by op kind."""

    base: int
    kernels: Mapping[str, int]
    other_kernel: int


_REFERENCE = CodeSizes(
    base=34_150,
    kernels={
        "ADD": 9_100,
        "AVERAGE_POOL_2D": 3_400,
        "CONV_2D": 7_900,
        "DEPTHWISE_CONV_2D": 7_500,
        "FULLY_CONNECTED": 4_800,
        "RESHAPE": 830,
        "SOFTMAX": 8_000,
    },
    other_kernel=6_000,
)
_CMSIS_NN = CodeSizes(
    base=34_300,
    kernels={
        "ADD": 9_600,
        "AVERAGE_POOL_2D": 3_300,
        "CONV_2D": 10_600,
        "DEPTHWISE_CONV_2D": 13_000,
        "FULLY_CONNECTED": 15_200,
        "RESHAPE": 850,
        "SOFTMAX": 8_100,
    },
    other_kernel=8_000,
)


def code_bytes(graph: Graph, kernel_set: str | None) -> int:
    """What a firmware with the kernels of this graph has in flash beside the model, in bytes.

    ``kernel_set`` names the kernels; of others than CMSIS-NN's the reference ones are taken.
    """
    sizes = _CMSIS_NN if kernel_set == "cmsis_nn" else _REFERENCE
    return sizes.base + sum(sizes.kernels.get(kind, sizes.other_kernel) for kind in {op.kind for op in graph.ops})


def state_bytes(graph: Graph) -> int:
    """RAM of the interpreter, the profiler, and the op resolver with its entry for each kind, in bytes."""
    return 304 + 56 * len({op.kind for op in graph.ops})
