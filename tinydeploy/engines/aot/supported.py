"""docs/supported-ops.md: what the engine compiles, from the same sentences that refuse what it does not.

``python -m tinydeploy.engines.aot.supported > docs/supported-ops.md`` brings the page up to date.
"""

import sys

from tinydeploy.engines.aot.operator import Operator
from tinydeploy.engines.aot.ops import OPERATORS

_HEAD = """\
# Ops that the `aot` engine compiles

Their outputs are bit for bit those of TensorFlow Lite Micro's reference kernels. A model is compiled where every
condition of each of its ops holds; otherwise the op, its index and the first condition that does not hold are named.

Any stride, dilation, padding and fused activation that TensorFlow Lite Micro knows for an op is supported.

Made from the code by `python -m tinydeploy.engines.aot.supported`; do not edit.
"""


def supported_ops_page() -> str:
    """The page as Markdown: a section for each op kind, in alphabetical order, with its conditions."""
    sections = [_section(OPERATORS[kind]) for kind in sorted(OPERATORS)]
    return "\n".join([_HEAD, *sections])


def _section(operator: Operator) -> str:
    conditions = dict.fromkeys(constraint.sentence for constraint in operator.constraints)
    return f"## {operator.kind}\n\n" + "".join(f"- {sentence}\n" for sentence in conditions)


if __name__ == "__main__":
    sys.stdout.write(supported_ops_page())
