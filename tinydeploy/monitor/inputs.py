"""The inputs that a monitor sends, for the tensors that the device itself names."""

from tinydeploy.link.hello import Hello, TensorSpec
from tinydeploy.model.graph import Graph, Tensor
from tinydeploy.samples import default_samples
from tinydeploy.samples.source import AnySamples, sample_source
from tinydeploy.verify.wire import pack_sample


def inputs_of(hello: Hello, graph: Graph | None, samples: AnySamples | None) -> list[bytes]:
    """The user's samples as they travel; without any, those of verification: zeros, both extremes, seeded noise.

    Without the model's graph it is not known which inputs are indices: noise may be beyond what they may be.

    Raises:
        UsageError: They cannot be read, or do not fit.
    """
    graph, source = graph or _graph_of(hello), sample_source(samples)
    chosen = default_samples(graph) if source is None else source.load(graph)
    return [pack_sample(chosen[index], hello) for index in range(chosen.count)]


def _graph_of(hello: Hello) -> Graph:
    """A model of which only the ends are known."""
    ends = (*hello.inputs, *hello.outputs)
    return Graph(
        name=f"the model on the {hello.board}",
        sha256=hello.model_sha256,
        source=b"",
        tensors=tuple(_tensor(index, spec) for index, spec in enumerate(ends)),
        ops=(),
        inputs=tuple(range(len(hello.inputs))),
        outputs=tuple(range(len(hello.inputs), len(ends))),
        subgraphs=1,
    )


def _tensor(index: int, spec: TensorSpec) -> Tensor:
    return Tensor(index=index, name=spec.name, shape=spec.shape, dtype=spec.dtype, quantization=spec.quantization)
