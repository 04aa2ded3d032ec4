"""The ways of the dsp kernel set, beside the reference kernels: what cores with Arm's DSP instructions do fast."""

from collections.abc import Callable, Iterable, Mapping

from tinydeploy.engines.aot.candidate import Candidate
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.dsp.depthwise import depthwise_planes
from tinydeploy.engines.aot.dsp.elementwise import affine_sum, sum_table
from tinydeploy.engines.aot.dsp.fully_connected import fully_connected_rows
from tinydeploy.engines.aot.dsp.gemm import products
from tinydeploy.engines.aot.dsp.pooling import average_planes
from tinydeploy.engines.aot.dsp.winograd import winograd
from tinydeploy.model.graph import Op

CANDIDATES: Mapping[str, tuple[Callable[[Context, Op], Iterable[Candidate]], ...]] = {
    "ADD": (affine_sum, sum_table),
    "AVERAGE_POOL_2D": (average_planes,),
    "CONV_2D": (products, winograd),
    "DEPTHWISE_CONV_2D": (depthwise_planes, products),
    "FULLY_CONNECTED": (fully_connected_rows, products),
    "MEAN": (average_planes,),
    "SUB": (affine_sum, sum_table),
}
"""What proposes ways to compute an op, by the op's kind; each may propose none."""
