"""Drives a transfer over a channel: sends what may be sent, waits for what comes, repeats what is lost."""

import struct
import time
from collections.abc import Iterator

from tinydeploy.link import failures
from tinydeploy.link.channel import Channel
from tinydeploy.link.frame import Frame
from tinydeploy.link.messages import REPLY, Ack, InputChunk, Message, ResultChunk
from tinydeploy.link.results import InferenceResult
from tinydeploy.link.retry import RetryTimer
from tinydeploy.link.transfer import Transfer


class Exchange:
    """One transfer under way.

    Args:
        channel: Where it goes.
        transfer: What goes there.
        retry: The line's timer; it keeps what it has learnt about the line.
        silence_s: How long the device may say nothing at all.
        progress_s: How long it may answer without anything new: an upper bound for one inference.
    """

    def __init__(
        self, channel: Channel, transfer: Transfer, *, retry: RetryTimer, silence_s: float, progress_s: float
    ) -> None:
        self._channel = channel
        self._transfer = transfer
        self._retry = retry
        self._silence_s = silence_s
        self._progress_s = progress_s
        self._arrived: list[InferenceResult] = []
        self._begin_to_wait()

    def results(self) -> Iterator[InferenceResult]:
        """The results in order, as they come.

        Raises:
            LinkError: The connection broke, or one of the two times is over.
            VerificationError: The engine could not start, or failed at an input.
        """
        arrived, self._arrived = self._arrived, []
        self._begin_to_wait()
        while True:
            self._send()  # before the results are given away: the device should not wait for whoever takes them
            for result in arrived:
                if result.status != 0:
                    raise failures.engine_failed(self._channel.name, result.id, result.status)
                yield result
            if self._transfer.done:
                return
            if arrived:
                self._begin_to_wait()
            arrived = self._wait()

    def deliver(self) -> None:
        """Returns when the device has all inputs that there is room for, with results still to come.

        Raises:
            LinkError: As `results`.
        """
        self._begin_to_wait()
        self._send()
        while not self._transfer.delivered:
            self._arrived += self._wait()
            self._send()

    def _begin_to_wait(self) -> None:
        """The caller had its time; that of the device begins now."""
        self._heard_at = self._progressed_at = self._asked_at = time.monotonic()

    def _send(self, *, fenced: bool = False) -> None:
        while True:
            sequence = self._channel.next_sequence()
            message = self._transfer.next_message(sequence, time.monotonic())
            if message is None:
                return
            number = Message.INPUT if isinstance(message, InputChunk) else Message.RESULT
            self._channel.send(number, message.pack(), sequence=sequence, fenced=fenced or self._transfer.is_lossy)
            self._asked_at = time.monotonic()
            fenced = False

    def _wait(self) -> list[InferenceResult]:
        """What the next bytes bring. Where none come in time, asks again."""
        until = max(self._heard_at, self._asked_at) + self._patience_s
        damaged_before = self._channel.decoder.damaged
        frames = self._channel.receive(until - time.monotonic())
        now = time.monotonic()
        damaged = self._channel.decoder.damaged - damaged_before
        if damaged:
            self._transfer.on_damage(damaged)
        if frames:
            self._heard_at = now
        elif now >= until:
            self._repeat(now)
        before = self._transfer.progress
        results = [result for frame in frames for result in self._take(frame, now)]
        if self._transfer.progress != before:
            self._progressed_at = now
            self._retry.progressed()
        elif now - self._progressed_at >= self._progress_s:
            raise failures.stuck(self._channel.name, self._progress_s, self._transfer.result_id)
        return results

    @property
    def _patience_s(self) -> float:
        if self._transfer.is_owed:
            return self._retry.wait_s(lossy=self._transfer.is_lossy)
        return self._retry.computing_s()

    def _repeat(self, now: float) -> None:
        if now - self._heard_at >= self._silence_s:
            raise failures.silent(self._channel.name, self._silence_s)
        self._retry.expired()
        self._transfer.on_silence()
        self._send(fenced=True)

    def _take(self, frame: Frame, now: float) -> list[InferenceResult]:
        try:
            if frame.message == Message.INPUT | REPLY:
                round_trip_s = self._transfer.on_ack(frame.sequence, Ack.unpack(frame.payload), now)
                if round_trip_s is not None:
                    self._retry.measured(round_trip_s)
            elif frame.message == Message.RESULT | REPLY:
                return self._transfer.on_result(ResultChunk.unpack(frame.payload))
        except (struct.error, ValueError) as error:
            raise failures.not_understood(self._channel.name, Message(frame.message & ~REPLY).name) from error
        if frame.message == Message.ERROR | REPLY:
            raise failures.refused(self._channel.name, frame.payload)
        return []
