"""What outputs have to be, asked of the oracle once for the same model and samples."""

import hashlib

from tinydeploy.model.graph import Graph
from tinydeploy.samples import Samples
from tinydeploy.verify.oracle import Reference, reference_outputs

_KEPT = 32


class References:
    """Remembers the latest references: the oracle takes half a second to start, and tests use samples again."""

    def __init__(self) -> None:
        self._known: dict[str, Reference] = {}

    def of(self, graph: Graph, samples: Samples) -> Reference:
        """The reference's outputs for the samples, a model with state starting from its initial one.

        Raises:
            ModelError: The oracle refuses the model.
        """
        key = _digest(graph, samples)
        if key not in self._known:
            self._known[key] = reference_outputs(graph.source, samples)
            for oldest in list(self._known)[:-_KEPT]:
                del self._known[oldest]
        return self._known[key]


def _digest(graph: Graph, samples: Samples) -> str:
    digest = hashlib.sha256(graph.sha256.encode())
    for values in samples.inputs:
        digest.update(f"{values.dtype.str}{values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
