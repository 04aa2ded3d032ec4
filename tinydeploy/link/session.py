"""A conversation with one device: says hello, then runs inputs through it, whatever the line does to the bytes."""

import secrets
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self, TypeVar

from tinydeploy.errors import LinkError
from tinydeploy.link import failures
from tinydeploy.link.channel import Channel, Transport
from tinydeploy.link.chunk_size import ChunkSize
from tinydeploy.link.exchange import Exchange
from tinydeploy.link.hello import Hello, TensorSpec, hello_from, tensor_from
from tinydeploy.link.messages import (
    PROTOCOL_VERSION,
    REPLY,
    HelloReply,
    HelloRequest,
    InputFlag,
    LayersChunk,
    LayersRequest,
    Message,
    Stats,
    TensorReply,
    TensorRequest,
    hello_version,
)
from tinydeploy.link.results import InferenceResult
from tinydeploy.link.retry import RetryTimer
from tinydeploy.link.traffic import Repeated, Traffic
from tinydeploy.link.transfer import Transfer

_HELLO_RETRY_S = 0.1
_REQUEST_RETRY_S = 0.3
_REQUEST_TIMEOUT_S = 5.0
_SILENCE_S = 5.0

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The time of one inference that nothing disturbed; ``layer_ticks`` are of a second one, timed layer by layer."""

    ticks: int
    layer_ticks: tuple[int, ...] | None
    output: bytes


def _random_session() -> int:
    return 1 + secrets.randbelow(2**32 - 1)


def _layers_from(payload: bytes) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Inference and first layer, and the times from there on."""
    chunk = LayersChunk.unpack(payload)
    return (chunk.id, chunk.first), chunk.ticks


class Session:
    """An open conversation; a context manager that closes the transport.

    Every method may raise `LinkError`: the transport failed, the device went silent, or it restarted.
    """

    def __init__(
        self,
        transport: Transport,
        timeout_s: float = 5.0,
        *,
        name: str = "",
        silence_s: float = _SILENCE_S,
        inference_timeout_s: float = 120.0,
        session_numbers: Callable[[], int] = _random_session,
    ) -> None:
        """See `open`."""
        self._channel = Channel(transport, name=name)
        self._silence_s = silence_s
        self._inference_timeout_s = inference_timeout_s
        self._session_numbers = session_numbers
        self._retry = RetryTimer()
        self._chunk_size = ChunkSize()
        self._repeated = Repeated()
        self._next_id = 0
        self._end_id = 0
        self._is_clean = True
        self._counted: Stats | None = None
        self._reply = self._begin(timeout_s)
        self.hello = self._describe(self._reply)

    @classmethod
    def open(
        cls,
        transport: Transport,
        timeout_s: float = 5.0,
        *,
        name: str = "",
        silence_s: float = _SILENCE_S,
        inference_timeout_s: float = 120.0,
        session_numbers: Callable[[], int] = _random_session,
    ) -> Self:
        """Says hello until the device answers. What it was doing for an earlier host is given up.

        Args:
            transport: The line, opened; the session closes it, but not if this fails.
            timeout_s: How long to try.
            name: What people call the line, for messages.
            silence_s: How long the device may say nothing at all in the middle of a run.
            inference_timeout_s: How long a run may go without any progress: an upper bound for one inference.
            session_numbers: Gives the number of each new session, 1 to 2**32 - 1, different from the ones before.

        Raises:
            DeviceNotFoundError: Nothing answers, or nothing that makes sense.
            WrongFirmwareError: What answers speaks another version of the protocol.
        """
        return cls(
            transport,
            timeout_s,
            name=name,
            silence_s=silence_s,
            inference_timeout_s=inference_timeout_s,
            session_numbers=session_numbers,
        )

    @classmethod
    def connect(
        cls,
        open_line: Callable[[float], Transport],
        timeout_s: float,
        *,
        name: str = "",
        starting: bool = False,
        silence_s: float = _SILENCE_S,
    ) -> Self:
        """Opens the line and says hello to a device that may still be booting, or begin to.

        A line that breaks before the device has answered is opened again: a USB port of the device's own vanishes when
        it restarts.

        Args:
            open_line: Opens the line; waits for it for so many seconds where it is not there, or not yet free.
            timeout_s: How long to try, all in all.
            name: What people call the line, for messages.
            starting: Whether the device was just restarted, so that the line may have to be waited for at first too.
            silence_s: How long the device may say nothing at all in the middle of a run.

        Raises:
            DeviceNotFoundError: The line cannot be opened, nothing answers, or nothing that makes sense.
            LinkError: The line kept breaking.
            WrongFirmwareError: What answers speaks another version of the protocol.
        """
        deadline = time.monotonic() + timeout_s
        left_s = timeout_s
        line = open_line(timeout_s if starting else 0.0)
        while True:
            try:
                return cls(line, max(left_s, _HELLO_RETRY_S), name=name, silence_s=silence_s)
            except LinkError:
                line.close()
                left_s = round(deadline - time.monotonic(), 1)
                if left_s <= 0:
                    raise
                line = open_line(left_s)
            except BaseException:
                line.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the transport."""
        self._channel.close()

    def expect(self, build_id: bytes, model_sha256: str) -> None:
        """Makes sure that the device runs this build of this model, and that its engine has started it.

        Raises:
            WrongFirmwareError: It runs something else, or what is in its flash was altered.
            FitError: The arena is too small for the model.
            VerificationError: The engine could not start the model for another reason.
        """
        hello = self.hello
        if hello.build_id != build_id:
            raise failures.another_firmware(hello, build_id, model_sha256)
        if hello.model_status != 0:
            raise failures.model_not_started(hello)
        if hello.model_sha256 != model_sha256:
            raise failures.altered_model(hello)

    def run(self, inputs: Iterable[bytes]) -> Iterator[InferenceResult]:
        """Computes each input exactly once, and gives the results in their order.

        An input is taken from ``inputs`` when the device has room for it, so that the next one travels while one is
        computed. It holds all tensors at their offsets (``hello.inputs``), and so does an output. Where the caller
        stops early, what is under way is given up.

        Raises:
            UsageError: An input does not have ``hello.input_bytes`` bytes.
            VerificationError: The engine could not start, or failed at an input.
        """
        return self._run(inputs, InputFlag.NONE, silence_s=self._silence_s)

    def profile(self, data: bytes, *, layers: bool) -> Profile:
        """Times an inference while the link's interrupts are masked; with ``layers``, another one layer by layer.

        Raises:
            UsageError: The input does not have ``hello.input_bytes`` bytes.
            VerificationError: The engine could not start, or failed.
        """
        whole = self._run_masked(data, InputFlag.MASKED)
        if not layers:
            return Profile(ticks=whole.ticks, layer_ticks=None, output=whole.output)
        timed = self._run_masked(data, InputFlag.MASKED | InputFlag.LAYERS)
        return Profile(ticks=whole.ticks, layer_ticks=self._layer_ticks(timed.id), output=whole.output)

    def stats(self, *, reset: bool = False) -> Stats:
        """What the device has counted since it started, or since the last call with ``reset``.

        The device itself never resets its counters: the repetition of a lost reply would lose what it counted.
        """
        now = self._unpacked(Stats.unpack, Message.STATS, self._ask(Message.STATS, b""))
        change = now if self._counted is None else now.since(self._counted)
        if reset:
            self._counted = now
        return change

    def traffic(self) -> Traffic:
        """What the host has counted since the line was opened. Asks nothing: it may be called between two results."""
        return Traffic(
            frames_sent=self._channel.sent,
            frames_received=self._channel.received,
            frames_damaged=self._channel.decoder.damaged,
            chunks_repeated=self._repeated.chunks,
            results_repeated=self._repeated.results,
        )

    def reset(self, timeout_s: float = 5.0) -> None:
        """Restarts the board and says hello again.

        Raises:
            DeviceNotFoundError: It does not answer any more.
            WrongFirmwareError: Something else answers.
        """
        self._channel.send(Message.RESET, b"", sequence=self._channel.next_sequence(), fenced=True)
        self._counted = None
        self._renew(timeout_s)

    def _begin(self, timeout_s: float) -> HelloReply:
        """Starts a new session: ids begin at 0, and all buffers are empty."""
        channel = self._channel
        channel.session = self._session_numbers()
        payload = HelloRequest(version=PROTOCOL_VERSION).pack()
        frame = channel.request(Message.HELLO, payload, timeout_s=timeout_s, retry_s=_HELLO_RETRY_S)
        if frame is None:
            decoder = channel.decoder
            raise failures.no_answer(
                channel.name,
                timeout_s,
                received=decoder.received,
                frames=channel.received,
                seen=channel.seen,
                heard=channel.heard,
                damaged=decoder.damaged,
                echoes=channel.echoes,
            )
        version = hello_version(frame.payload)
        if version != PROTOCOL_VERSION:
            raise failures.wrong_version(channel.name, version)
        self._next_id = 0
        self._end_id = 0  # not known: what an earlier host had computed may still occupy a buffer
        self._is_clean = True
        return self._unpacked(HelloReply.unpack, Message.HELLO, frame.payload)

    def _renew(self, timeout_s: float) -> None:
        if self._begin(timeout_s) != self._reply:
            raise failures.not_understood(self._channel.name, "it is not the one to the first HELLO")

    def _describe(self, reply: HelloReply) -> Hello:
        inputs = tuple(self._tensor(is_output=False, index=index) for index in range(reply.inputs))
        outputs = tuple(self._tensor(is_output=True, index=index) for index in range(reply.outputs))
        return self._unpacked(lambda _: hello_from(reply, inputs, outputs), Message.HELLO, b"")

    def _tensor(self, *, is_output: bool, index: int) -> TensorSpec:
        payload = self._ask(Message.TENSOR, TensorRequest(is_output=is_output, index=index).pack())
        return self._unpacked(lambda data: tensor_from(TensorReply.unpack(data)), Message.TENSOR, payload)

    def _layer_ticks(self, inference: int) -> tuple[int, ...]:
        ticks: tuple[int, ...] = ()
        while len(ticks) < self.hello.layers:
            payload = self._ask(Message.LAYERS, LayersRequest(id=inference, first=len(ticks)).pack())
            place, more = self._unpacked(_layers_from, Message.LAYERS, payload)
            if place != (inference, len(ticks)) or not 0 < len(more) <= self.hello.layers - len(ticks):
                raise failures.not_understood(self._channel.name, Message.LAYERS.name)
            ticks += more
        return ticks

    def _ask(self, message: Message, payload: bytes) -> bytes:
        """The payload of the reply to a request that the device answers at once."""
        frame = self._channel.request(message, payload, timeout_s=_REQUEST_TIMEOUT_S, retry_s=_REQUEST_RETRY_S)
        if frame is None:
            raise failures.silent(self._channel.name, _REQUEST_TIMEOUT_S)
        if frame.message == Message.ERROR | REPLY:
            raise failures.refused(self._channel.name, frame.payload)
        return frame.payload

    def _run_masked(self, data: bytes, flags: InputFlag) -> InferenceResult:
        """One inference during which the device cannot answer."""
        (result,) = self._run([data], flags, silence_s=self._inference_timeout_s)
        return result

    def _run(self, inputs: Iterable[bytes], flags: InputFlag, *, silence_s: float) -> Iterator[InferenceResult]:
        if not self._is_clean:
            self._renew(_REQUEST_TIMEOUT_S)
        transfer = Transfer(
            inputs,
            hello=self.hello,
            first_id=self._next_id,
            end_id=self._end_id,
            flags=flags,
            chunk_size=self._chunk_size,
            repeated=self._repeated,
        )
        self._is_clean = False  # until all that goes to the device has come back
        yield from Exchange(
            self._channel,
            transfer,
            retry=self._retry,
            silence_s=silence_s,
            progress_s=self._inference_timeout_s,
        ).results()
        if transfer.result_id > self._next_id:
            self._next_id = transfer.result_id
            self._end_id = transfer.result_id + self.hello.buffers
        self._is_clean = True

    def _unpacked(self, unpack: Callable[[bytes], _T], message: Message, payload: bytes) -> _T:
        try:
            return unpack(payload)
        except (struct.error, ValueError) as error:
            raise failures.not_understood(self._channel.name, message.name) from error
