"""An inference on a device, layer by layer beside the reference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydeploy.engines.interface import EnginePlan
from tinydeploy.link.messages import Memory
from tinydeploy.link.observation import Observation
from tinydeploy.link.session import Session
from tinydeploy.localize.reference import LayerReference
from tinydeploy.memory.memory_map import BlockKind
from tinydeploy.model.graph import Op
from tinydeploy.samples import Samples
from tinydeploy.verify.compare import differs, largest_distance
from tinydeploy.verify.wire import pack_sample

Array = npt.NDArray[np.generic]

_MEMORIES: Mapping[BlockKind, Memory] = {
    "tensor": Memory.ARENA,
    "input": Memory.INPUT,
    "output": Memory.OUTPUT,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What a tensor was after an op at an inference, and what it has to be: two arrays of one shape."""

    sample: int
    op: Op
    tensor: int
    device: Array
    reference: Array
    tolerance: int

    @property
    def is_right(self) -> bool:
        """Whether they agree."""
        if self.tolerance:
            return largest_distance(self.device, self.reference) <= self.tolerance
        return not differs(self.device, self.reference).any()


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """A board that runs an observable firmware, made by a plan.

    A model with a state is brought to an inference by those before it, from its start; another one needs but that one.
    """

    engine: EnginePlan
    session: Session
    samples: Samples
    reference: LayerReference

    def ops(self) -> tuple[Op, ...]:
        """Those that compute something on the device, in their order."""
        return tuple(op for op in self.engine.executed.ops if self.engine.memory.steps_of(op.index))

    def outputs(self, sample: int) -> Iterator[Seen]:
        """What each op writes, as soon as it has, of one inference that follows those that were seen before."""
        with self.session.observed(pack_sample(self.samples[sample], self.session.hello)) as inference:
            for op in self.ops():
                inference.stop_after(op.index)
                yield from self._seen(inference, sample, op, op.outputs)

    def tensors(self, sample: int, tensors: Sequence[int], ops: Sequence[Op]) -> Iterator[Seen]:
        """What some tensors are after some ops, from the op on that writes them; the state is brought there first."""
        written = {tensor: op.index for op in self.engine.executed.ops for tensor in op.outputs}
        self.bring_to(sample)
        with self.session.observed(pack_sample(self.samples[sample], self.session.hello)) as inference:
            for op in ops:
                inference.stop_after(op.index)
                there = [tensor for tensor in tensors if written.get(tensor, -1) <= op.index]
                yield from self._seen(inference, sample, op, there)

    def bring_to(self, sample: int) -> None:
        """Makes this inference the next one of a model with a state."""
        if self.engine.graph.is_stateful:
            self.session.reset()
            for _ in self.session.run(pack_sample(self.samples[place], self.session.hello) for place in range(sample)):
                pass

    def _seen(self, inference: Observation, sample: int, op: Op, tensors: Sequence[int]) -> Iterator[Seen]:
        """Constants, and what lies nowhere that can be looked at, are left out."""
        for tensor in tensors:
            block = self.engine.memory.block_of(tensor)
            if block is None or block.kind not in _MEMORIES or tensor not in self.reference.tensors:
                continue
            data = inference.read(_MEMORIES[block.kind], block.offset, block.nbytes)
            expected = self.reference.tensors[tensor][sample]
            channels = self.engine.executed.tensors[tensor].channels
            yield Seen(
                sample=sample,
                op=op,
                tensor=tensor,
                device=self.engine.values_of(tensor, data),
                reference=expected if channels is None else expected[..., list(channels)],
                tolerance=self.reference.tolerance,
            )
