"""docs/supported-ops.md: what each engine can do, from the same sentences that refuse what it cannot.

``python -m tinydeploy.engines.supported_ops > docs/supported-ops.md`` brings the page up to date.
"""

import sys
from collections.abc import Iterable

from tinydeploy.engines.aot.ops import OPERATORS
from tinydeploy.engines.constraint import Constraint
from tinydeploy.engines.tflm.op_table import FLOAT_ONLY, KERNELS

_HEAD = """\
# Supported ops

[`aot`](#the-aot-engine) · [`tflm`](#the-tflm-engine)

A model is accepted where every condition of each of its ops holds. Otherwise each op that cannot be done is named with
its index and the first condition that does not hold, before anything is built.

Made from the code by `python -m tinydeploy.engines.supported_ops`; do not edit.
"""

_AOT = """\
## The `aot` engine

The outputs of these ops are bit for bit those of TensorFlow Lite Micro's reference kernels. Any stride, dilation,
padding and fused activation that TensorFlow Lite Micro knows for an op is supported.
"""

_TFLM = """\
## The `tflm` engine

What TensorFlow Lite Micro's kernels accept of integer models, as of commit 90b983c2b (2026-08-20). What CMSIS-NN's
kernels ask for besides is marked; `--kernels reference` does without. An op whose method a library lacks is refused.

Not supported: custom ops, control flow, resource variables, several graphs in one file, and what TensorFlow Lite Micro
has for floats only: {float_only}.
"""


def supported_ops_page() -> str:
    """The page as Markdown: for each engine, a section for each op kind, in alphabetical order, with its conditions."""
    aot = [_section(kind, OPERATORS[kind].constraints) for kind in sorted(OPERATORS)]
    tflm = [_section(kind, KERNELS[kind].constraints, KERNELS[kind].cmsis_nn) for kind in sorted(KERNELS)]
    return "\n".join([_HEAD, _AOT, *aot, _TFLM.format(float_only=", ".join(sorted(FLOAT_ONLY))), *tflm])


def _section(kind: str, constraints: Iterable[Constraint], cmsis_nn: Iterable[Constraint] = ()) -> str:
    lines = [constraint.sentence for constraint in constraints]
    lines += [f"CMSIS-NN: {constraint.sentence}" for constraint in cmsis_nn]
    conditions = dict.fromkeys(lines or ["no conditions"])
    return f"### {kind}\n\n" + "".join(f"- {sentence}\n" for sentence in conditions)


if __name__ == "__main__":
    sys.stdout.write(supported_ops_page())
