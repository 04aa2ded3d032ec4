"""The ways of the dsp kernel set, beside the reference kernels: what cores with Arm's DSP instructions do fast."""

from collections.abc import Callable, Iterable, Mapping

from tinydeploy.engines.aot.candidate import Candidate
from tinydeploy.engines.aot.dsp.context import Context
from tinydeploy.engines.aot.dsp.fully_connected import fully_connected_rows
from tinydeploy.model.graph import Op

CANDIDATES: Mapping[str, tuple[Callable[[Context, Op], Iterable[Candidate]], ...]] = {
    "FULLY_CONNECTED": (fully_connected_rows,),
}
"""What proposes ways to compute an op, by the op's kind; each may propose none."""
