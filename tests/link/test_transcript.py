"""Both sides of the link against the recorded conversation."""

import struct
from pathlib import Path

import pytest
from host_firmware import Steps, compile_firmware, expected_output
from transcript import INPUTS, MACROS, PAYLOADS, SESSION, SUM_BYTES, TRANSCRIPT, Turn, read_transcript

from tinydeploy.link.frame import Decoder, encode
from tinydeploy.link.session import Session

PARTS = read_transcript()


class Recording:
    """A line on which the recorded device answers; it insists on the recorded host's bytes."""

    def __init__(self, turns: list[Turn]) -> None:
        self.turns = iter(turns)
        self.arrived = b""

    def read(self, max_bytes: int, timeout_s: float) -> bytes:  # noqa: ARG002
        if not self.arrived:
            self.write(b"")
        data, self.arrived = self.arrived[:max_bytes], self.arrived[max_bytes:]
        return data

    def write(self, data: bytes) -> None:
        turn = next(self.turns)
        assert data.hex() == turn.host.hex()
        self.arrived += turn.device

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_firmware(tmp_path_factory.mktemp("firmware") / "steps", "port_steps", **MACROS)


@pytest.mark.parametrize("part", PARTS)
def test_the_c_side_answers_as_recorded(firmware: Path, part: str) -> None:
    steps = Steps(firmware)
    for turn in PARTS[part]:
        assert steps.step(turn.host).hex() == turn.device.hex()
    steps.close()


def test_the_python_side_speaks_as_recorded() -> None:
    recording = Recording(PARTS["ordinary use"])
    with Session.open(recording, session_numbers=lambda: SESSION) as session:
        outputs = [result.output for result in session.run(INPUTS)]
        profile = session.profile(INPUTS[0], layers=True)
        stats = session.stats()
    assert outputs == [expected_output(data, 1 + i, sum_bytes=SUM_BYTES) for i, data in enumerate(INPUTS)]
    assert profile.layer_ticks == (10,) * MACROS["TD_LAYERS"]
    assert (stats.inferences, stats.damaged, stats.dropped, stats.overruns) == (5, 0, 0, 0)
    assert next(recording.turns, None) is None


def test_every_recorded_message_is_read_and_written_alike() -> None:
    seen = set()
    for turn in (turn for turns in PARTS.values() for turn in turns):
        for frame in Decoder().feed(turn.host) + Decoder().feed(turn.device):
            assert Decoder().feed(encode(frame)) == [frame]
            payload = PAYLOADS.get(frame.message)
            if payload is None:
                continue
            try:
                message = payload.unpack(frame.payload)
            except struct.error:  # one of the requests of a wrong size
                continue
            assert message.pack() == frame.payload
            seen.add(frame.message)
    assert seen == set(PAYLOADS)


def test_the_transcript_says_how_to_record_it() -> None:
    assert "tests/transcript.py" in TRANSCRIPT.read_text(encoding="utf-8").splitlines()[0]
