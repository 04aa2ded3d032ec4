"""Transfer against a model of a device and of a line that loses and doubles frames, but keeps their order."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from test_transfer import hello

from tinydeploy.link.messages import Ack, InputChunk, InputFlag, ResultChunk, ResultRequest
from tinydeploy.link.transfer import Transfer

INPUT_BYTES, OUTPUT_BYTES, CHUNK_BYTES = 10, 6, 4


def computed(data: bytes, count: int) -> bytes:
    """What the device makes of an input, as its ``count``-th inference."""
    return data[: OUTPUT_BYTES - 1] + bytes([count % 256])


class Device:
    """docs/protocol.md, the device's side of a session: positions, credits, results that are kept."""

    def __init__(self, buffers: int) -> None:
        self.buffers = buffers
        self.next_id = self.run_id = 0
        self.filled = b""
        self.ready: dict[int, bytes] = {}
        self.held: dict[int, bytes] = {}
        self.sent: dict[int, int] = {}  # how much of a result; whole ones are left out
        self.result_chunk = CHUNK_BYTES
        self.acks: deque[int] = deque()
        self.answered = 0
        self.inferences = 0

    def take(self, sequence: int, message: InputChunk | ResultRequest) -> None:
        if isinstance(message, ResultRequest):
            assert message.id <= self.next_id
            self.result_chunk = min(message.most or CHUNK_BYTES, CHUNK_BYTES)
            for known in [known for known in self.held if known < message.id]:
                del self.held[known]
                self.sent.pop(known, None)
            if message.id in self.held:
                self.sent[message.id] = message.offset
                return
            assert message.id >= self.run_id, "a result that was given up is asked for"
        elif (message.id, message.offset) == (self.next_id, len(self.filled)) and len(self.ready) < self.buffers:
            assert 1 <= len(message.data) <= CHUNK_BYTES
            self.filled += message.data
            if len(self.filled) == INPUT_BYTES:
                self.ready[self.next_id] = self.filled
                self.next_id, self.filled = self.next_id + 1, b""
        self.answered = sequence
        self.acks.append(sequence)

    @property
    def may_compute(self) -> bool:
        return self.run_id in self.ready and len(self.held) < self.buffers

    def compute(self) -> None:
        self.inferences += 1
        self.held[self.run_id] = computed(self.ready.pop(self.run_id), self.inferences)
        self.sent[self.run_id] = 0
        self.run_id += 1
        self.acks.append(self.answered)

    def send(self) -> tuple[int, Ack | ResultChunk] | None:
        """The next frame, its sequence number first: an ACK goes before results."""
        if self.acks:
            sequence = self.acks.pop()
            self.acks.clear()  # one reply to several, the latest
            end_id = self.next_id + self.buffers - len(self.ready)
            return sequence, Ack(next_id=self.next_id, next_offset=len(self.filled), end_id=end_id)
        for known in sorted(self.sent):
            offset = self.sent[known]
            data = self.held[known][offset : offset + self.result_chunk]
            self.sent[known] = offset + len(data)
            if self.sent[known] >= OUTPUT_BYTES:
                del self.sent[known]
            return 0, ResultChunk(id=known, status=0, ticks=1, offset=offset, data=data)
        return None


class TransferMachine(RuleBasedStateMachine):
    """Each input is computed exactly once, and each result comes back exactly once and in order."""

    @initialize(buffers=st.integers(1, 2), count=st.integers(0, 6), known=st.booleans())
    def begin(self, buffers: int, count: int, known: bool) -> None:
        self.inputs = [bytes([number] * INPUT_BYTES) for number in range(count)]
        self.device = Device(buffers)
        described = hello(buffers=buffers, chunk_bytes=CHUNK_BYTES)
        end_id = buffers if known else 0
        self.transfer = Transfer(self.inputs, hello=described, first_id=0, end_id=end_id, flags=InputFlag.NONE)
        self.there: deque[tuple[int, InputChunk | ResultRequest]] = deque()
        self.back: deque[tuple[int, Ack | ResultChunk]] = deque()
        self.sequence = 0
        self.results = []

    @rule()
    def host_sends(self) -> None:
        message = self.transfer.next_message(self.sequence + 1, now=float(self.sequence))
        if message is not None:
            self.sequence += 1
            self.there.append((self.sequence, message))

    @precondition(lambda self: self.there)
    @rule(fate=st.sampled_from(["arrives", "arrives", "lost", "doubled"]))
    def a_request_travels(self, fate: str) -> None:
        sequence, message = self.there.popleft()
        for _ in range({"arrives": 1, "lost": 0, "doubled": 2}[fate]):
            self.device.take(sequence, message)

    @precondition(lambda self: self.device.may_compute)
    @rule()
    def device_computes(self) -> None:
        self.device.compute()

    @rule()
    def device_sends(self) -> None:
        frame = self.device.send()
        if frame is not None:
            self.back.append(frame)

    @precondition(lambda self: self.back)
    @rule(fate=st.sampled_from(["arrives", "arrives", "lost", "damaged", "doubled"]))
    def a_reply_travels(self, fate: str) -> None:
        sequence, message = self.back.popleft()
        if fate == "damaged":
            self.transfer.on_damage()
        for _ in range({"arrives": 1, "lost": 0, "damaged": 0, "doubled": 2}[fate]):
            if isinstance(message, Ack):
                self.transfer.on_ack(sequence, message, now=float(self.sequence))
            else:
                self.results += self.transfer.on_result(message)

    @rule()
    def nothing_comes_for_too_long(self) -> None:
        self.transfer.on_silence()

    @invariant()
    def results_are_exact_and_in_order(self) -> None:
        if hasattr(self, "results"):
            expected = [computed(data, 1 + number) for number, data in enumerate(self.inputs)]
            assert [result.id for result in self.results] == list(range(len(self.results)))
            assert [result.output for result in self.results] == expected[: len(self.results)]
            assert self.device.inferences <= len(self.inputs)

    def teardown(self) -> None:
        """Once nothing is lost any more, all that is missing comes, with a few silences at most."""
        if not hasattr(self, "results"):
            return
        for _ in range(20 * (len(self.inputs) + 1)):
            before = self.transfer.progress
            for _ in range(40):
                self.host_sends()
                if self.there:
                    self.a_request_travels("arrives")
                if self.device.may_compute:
                    self.device.compute()
                self.device_sends()
                if self.back:
                    self.a_reply_travels("arrives")
            if self.transfer.done:
                break
            if self.transfer.progress == before:
                self.transfer.on_silence()
        assert self.transfer.done
        self.results_are_exact_and_in_order()
        assert len(self.results) == self.device.inferences == len(self.inputs)


TestTransferMachine = TransferMachine.TestCase
TestTransferMachine.settings = settings(deadline=None, max_examples=100, stateful_step_count=60)
