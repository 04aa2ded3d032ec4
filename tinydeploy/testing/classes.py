"""How a device's outputs classify samples that have labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Graph
from tinydeploy.samples import UNLABELLED, Samples
from tinydeploy.samples.classes import class_count, named_classes
from tinydeploy.samples.labels import class_numbers


@dataclass(frozen=True, kw_only=True)
class Classified:
    """Labelled samples: their places among all samples, their labels, and the classes that the first output names."""

    places: tuple[int, ...]
    labels: tuple[int, ...]
    classes: tuple[int, ...]

    @property
    def right(self) -> int:
        """How many are classified as their label says."""
        return sum(label == named for label, named in zip(self.labels, self.classes, strict=True))

    @property
    def accuracy(self) -> float:
        """The share of those, 0 to 1."""
        return self.right / len(self.labels)


def classified(
    graph: Graph, outputs: npt.NDArray[np.generic], samples: Samples, labels: npt.ArrayLike | None
) -> Classified:
    """``outputs`` are those of the first output tensor; ``labels`` go before those of the samples.

    Raises:
        UsageError: There are no labels, or they are no class numbers of the model, one for each sample.
    """
    output = graph.tensors[graph.outputs[0]]
    if labels is None:
        known = samples.labels
    else:
        known = class_numbers(Path("(labels in memory)"), np.asarray(labels), samples.count, class_count(output))
    if known is None or bool(np.all(known == UNLABELLED)):
        raise UsageError("the samples have no labels", hint="assert_accuracy(samples, labels, minimum=...)")
    places = np.flatnonzero(known != UNLABELLED)
    classes = named_classes(outputs, output.quantization)
    return Classified(
        places=tuple(places.tolist()),
        labels=tuple(known[places].tolist()),
        classes=tuple(classes[places].tolist()),
    )
