"""Where a user's samples come from, told once and loaded for any graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Graph
from tinydeploy.samples.fit import Permutation
from tinydeploy.samples.made import random_samples
from tinydeploy.samples.options import SampleOptions
from tinydeploy.samples.read import load_arrays, load_samples
from tinydeploy.samples.samples import Samples

Array = npt.NDArray[np.generic]

_RANDOM_SAMPLES = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleSource:
    """Files, arrays or noise.

    ``path`` is of what `load_samples` reads. ``arrays`` are what an .npz would hold: one per input, by name or order,
    and ``labels``. Where both are None the samples are noise, which measures nothing but whether a model runs.
    ``labels`` is a file of class numbers.
    """

    path: Path | None = None
    arrays: Mapping[str, Array] | None = None
    labels: Path | None = None
    options: SampleOptions = field(default_factory=SampleOptions)

    def load(self, graph: Graph, permutations: Sequence[Permutation] = ()) -> Samples:
        """The samples for the graph's inputs; see `load_samples`.

        Raises:
            UsageError: They cannot be read, or do not fit.
        """
        if self.path is not None:
            return load_samples(self.path, graph, options=self.options, labels=self.labels, permutations=permutations)
        if self.arrays is not None:
            return load_arrays(self.arrays, graph, options=self.options, labels=self.labels, permutations=permutations)
        if self.labels is not None:
            raise UsageError("noise has no labels", hint="leave out --labels, or give samples of your own")
        return random_samples(graph, self.options.limit or _RANDOM_SAMPLES)


AnySamples = str | Path | Array | Mapping[str, Array] | SampleSource
"""What the functions of the API take as samples; an array is for a model with one input."""


def sample_source(samples: AnySamples | None) -> SampleSource | None:
    """The one form of them all."""
    match samples:
        case None | SampleSource():
            return samples
        case str() | Path():
            return SampleSource(path=Path(samples))
        case np.ndarray():
            return SampleSource(arrays={"samples": samples})
        case Mapping():
            return SampleSource(arrays=samples)
    raise UsageError(
        f"samples cannot be a {type(samples).__name__}", hint="give a path, an array, or a mapping of arrays by input"
    )
