"""What a test has in its hands: a model that runs on a board."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy.typing as npt

from tinydeploy.bench import Latency, Streaming, measure_latency, measure_streaming
from tinydeploy.errors import LinkError, TinydeployError, UsageError
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.link.hello import Hello
from tinydeploy.link.session import Session
from tinydeploy.plan import Plan
from tinydeploy.running import running_in_real_time
from tinydeploy.samples import FIRST_NOISE, Samples, default_samples
from tinydeploy.testing.arrays import Array, Inputs, arrays_of, outputs_like, samples_of
from tinydeploy.testing.classes import Classified, classified
from tinydeploy.testing.failures import facts_only
from tinydeploy.testing.figures import Figure, Memory, Quantity, limit_of
from tinydeploy.testing.firmware import Firmware
from tinydeploy.testing.messages import accuracy_too_low, outputs_differ, over_budget
from tinydeploy.testing.places import BoardAtPort, Place
from tinydeploy.testing.references import References
from tinydeploy.verify.compare import Comparison, compare, lsb_sizes
from tinydeploy.verify.wire import pack_sample, unpack_outputs

_T = TypeVar("_T")

_RESET_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The cost of one inference, and how a stream of inputs went in real time."""

    latency: Latency
    streaming: Streaming


class RunningDevice:
    """A model on a board: built, flashed, and running whenever it is used.

    Where something came in between (another firmware on the same board, a connection that broke), the next use starts
    it anew, so that one failure does not fail the tests after it. A model with state then begins with its initial one.

    ``log`` has what went over its line. ``on_use`` is called whenever it is used. Every method raises `TinydeployError`
    where the board cannot be reached, and everything else that `tinydeploy.pipeline.flash` raises.
    """

    def __init__(
        self, firmware: Firmware, place: Place, references: References, on_use: Callable[["RunningDevice"], None]
    ) -> None:
        self.log = FrameLog()
        self._outcome: dict[str, str | int | float] = {}
        self._firmware = firmware
        self._place = place
        self._references = references
        self._on_use = on_use
        self._stack = ExitStack()
        self._session: Session | None = None
        self._latency: Latency | None = None

    def __repr__(self) -> str:
        return f"<{self.model.name} on {self._place.board.id}>"

    @property
    def model(self) -> Path:
        """The model's file."""
        return self._firmware.source.path

    @property
    def plan(self) -> Plan:
        """How the model runs on the board; ``plan.board`` and ``plan.graph`` are the board and the model."""
        return self._firmware.plan

    @property
    @facts_only
    def hello(self) -> Hello:
        """What the device says about itself."""
        return self._connected().hello

    @property
    @facts_only
    def memory(self) -> Memory:
        """What the firmware takes, by its ELF file and by the device's own account."""
        stats = self._talk(lambda session: session.stats())
        image, arena = self._firmware.build.image, self._connected().hello.arena
        memory = Memory(
            arena_bytes=arena.used_bytes,
            arena_reserved_bytes=arena.reserved_bytes,
            ram_bytes=self._firmware.ram_bytes,
            flash_bytes=image.flash_bytes,
            code_bytes=image.code_bytes,
            stack_bytes=stats.stack_bytes or None,
        )
        if memory.stack_bytes is not None:
            self._outcome["stack_bytes"] = memory.stack_bytes
        return memory

    @property
    @facts_only
    def latency(self) -> Latency:
        """The cost of one inference of the first default noise, measured once; the same as `tinydeploy flash` tells."""
        if self._latency is None:
            sample = default_samples(self.plan.graph)[FIRST_NOISE]
            self._latency = self._talk(
                lambda session: measure_latency(session, self.plan.board, pack_sample(sample, session.hello))
            )
        return self._latency

    @facts_only
    def run(self, inputs: Array | tuple[Array, ...] | Mapping[str, Array]) -> Array | tuple[Array, ...]:
        """Computes one sample or a batch on the device; gives arrays like those that it gets.

        A batch has the samples along its first dimension. The dimension of 1 with which a model's shape begins may be
        there or not. Integers are taken as they are and integers come back; floats are quantised, and the outputs are
        dequantised. Several inputs are a tuple, in the model's order, or a mapping by name; several outputs a tuple. A
        model with state goes on from where it is: see `reset`.
        """
        samples, form = arrays_of(self.plan.graph, inputs)
        return outputs_like(form, self._outputs(samples), self.plan.graph)

    @facts_only
    def reset(self) -> None:
        """Restarts the board: a model with state begins with its initial one, and all counters with 0."""
        timeout_s = _RESET_S + self.plan.board.line.boot_ms / 1000
        try:
            self._connected().reset(timeout_s)
        except LinkError as error:  # a USB port of the board's own vanishes with it
            self._end(error)
            self._connected()

    @facts_only
    def bench(self, samples: Inputs | None = None, *, inferences: int = 20) -> Bench:
        """Times an inference, then streams inputs through the board in real time, at least 2; see `tinydeploy bench`.

        Of a virtual board a second one is started for that, whose time does not count instructions.
        """
        latency, given = self.latency, samples_of(self.plan.graph, samples)

        def streamed(session: Session) -> Streaming:
            packed = [pack_sample(given[index], session.hello) for index in range(given.count)]
            return measure_streaming(session, packed, inferences, on_result=lambda _done, _total: None)

        if not self.plan.board.is_virtual or isinstance(self._place, BoardAtPort):
            return Bench(latency=latency, streaming=self._talk(streamed))
        with running_in_real_time(self._firmware.build, port=None) as session:
            return Bench(latency=latency, streaming=streamed(session))

    @facts_only
    def assert_matches_reference(self, samples: Inputs | None = None) -> Comparison:
        """Every output is the oracle's, bit for bit; of the default samples where none are given.

        A model with state is reset first. Where a stand-in is the oracle, outputs may differ from it by its tolerance.

        Raises:
            NumbersError: They differ; tells how many, and the first.
        """
        graph = self.plan.graph
        given = samples_of(graph, samples)
        reference = self._references.of(graph, given)
        comparison = compare(self._from_start(given), reference, lsb_sizes=lsb_sizes(graph))
        self._outcome |= {"samples": comparison.samples, "max_abs_diff": comparison.max_abs_diff}
        self._outcome |= {"differing_values": comparison.differing_values, "oracle": comparison.oracle}
        if not comparison.passed:
            raise outputs_differ(comparison, self.plan)
        return comparison

    @facts_only
    def assert_accuracy(self, samples: Inputs, labels: npt.ArrayLike | None = None, *, minimum: float) -> Classified:
        """The device classifies at least this share of the samples, 0 to 1, as their labels say.

        ``labels`` has a class number for each sample; without, they are those that the samples bring along (the array
        ``labels`` of an .npz, folders named by class). A model with state is reset first.

        Raises:
            NumbersError: Fewer; tells how many, and the first that are wrong.
        """
        if not 0 <= minimum <= 1:
            raise UsageError(f"the minimum of {minimum:g} is no share of the samples", hint="0.9 for nine in ten")
        graph = self.plan.graph
        given = samples_of(graph, samples)
        result = classified(graph, self._from_start(given)[0], given, labels)
        self._outcome |= {"samples": given.count, "accuracy": result.accuracy}
        if result.accuracy < minimum:
            reference = classified(graph, self._references.of(graph, given).outputs[0], given, labels)
            raise accuracy_too_low(result, reference, minimum, self.plan)
        return result

    @facts_only
    def assert_within(
        self,
        *,
        arena: int | str | None = None,
        ram: int | str | None = None,
        flash: int | str | None = None,
        stack: int | str | None = None,
        instructions: int | str | None = None,
        us: int | str | None = None,
    ) -> None:
        """The firmware takes no more than that: bytes, such as ``"32K"``; instructions or microseconds of an inference.

        ``arena`` is what is reserved for it, ``ram`` and ``flash`` are all that the firmware takes, ``stack`` is the
        most that was used since the device started. A figure that is not known keeps no limit: instructions are those
        of virtual boards, microseconds those of real ones.

        Raises:
            BudgetError: It takes more; tells every limit that is not kept, and by how much.
        """
        given: dict[Quantity, int | str | None] = {"arena": arena, "ram": ram, "flash": flash, "stack": stack}
        given |= {"instructions": instructions, "us": us}
        limits = {quantity: limit_of(quantity, limit) for quantity, limit in given.items() if limit is not None}
        if not limits:
            raise UsageError("nothing is to be kept within", hint='give a limit, such as flash="100K"')
        figures = {quantity: self._figure(quantity) for quantity in limits}
        broken = [name for name, figure in figures.items() if figure.value is None or figure.value > limits[name]]
        if broken:
            raise over_budget(figures, limits, broken, self.plan)

    def facts(self) -> dict[str, str | int | float]:
        """What is known of it, and what came out since `forget`, by the names that they have in a report."""
        latency = self._latency
        known: dict[str, str | int | float] = {**self._firmware.facts()}
        if latency is not None and latency.per_inference is not None:
            known[latency.unit] = latency.per_inference
        return {**known, **self._outcome}

    def forget(self) -> None:
        """What came out of comparing and measuring is none of the next test's."""
        self._outcome.clear()

    def start(self) -> None:
        """Builds, flashes and connects, unless all that is done."""
        self._connected()

    def suspend(self) -> None:
        """Ends the emulator, or the connection; the next use begins anew."""
        self._end(None)

    def _connected(self) -> Session:
        self._on_use(self)
        if self._session is None:
            stack = ExitStack()
            self._session = stack.enter_context(self._place.running(self, self._firmware, self.log))
            self._stack = stack
        return self._session

    def _talk(self, conversation: Callable[[Session], _T]) -> _T:
        """A conversation with the device. One that failed is the last of its connection."""
        session = self._connected()
        try:
            return conversation(session)
        except UsageError:
            raise
        except TinydeployError as error:
            self._end(error)
            raise

    def _end(self, error: TinydeployError | None) -> None:
        """Closes the connection, and what runs for it, which may add to what the error says."""
        stack, self._stack, self._session = self._stack, ExitStack(), None
        if error is None:
            stack.close()
        else:
            stack.__exit__(type(error), error, error.__traceback__)

    def _outputs(self, samples: Samples) -> tuple[Array, ...]:
        """One array per output, of shape (samples, *tensor shape)."""

        def results(session: Session) -> tuple[Array, ...]:
            packed = (pack_sample(samples[index], session.hello) for index in range(samples.count))
            return unpack_outputs([result.output for result in session.run(packed)], session.hello)

        return self._talk(results)

    def _from_start(self, samples: Samples) -> tuple[Array, ...]:
        """The same, from a model's initial state on."""
        if self.plan.graph.is_stateful:
            self.reset()
        return self._outputs(samples)

    def _figure(self, quantity: Quantity) -> Figure:
        if quantity == "arena":
            return Figure(value=self._connected().hello.arena.reserved_bytes, origin="on the board")
        if quantity in ("instructions", "us"):
            latency = self.latency
            is_known = latency.unit == quantity
            told = "one inference" if is_known else f"this board counts {latency.unit}"
            return Figure(value=latency.per_inference if is_known else None, origin=told)
        memory = self.memory
        if quantity == "stack":
            told = "the board cannot tell" if memory.stack_bytes is None else "most used so far"
            return Figure(value=memory.stack_bytes, origin=told)
        return Figure(value=memory.ram_bytes if quantity == "ram" else memory.flash_bytes, origin="ELF")
