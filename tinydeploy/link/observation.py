"""An inference that stops between its layers, on a firmware made for that: docs/protocol.md, OBSERVE."""

import time
from collections.abc import Callable

from tinydeploy.errors import LinkError
from tinydeploy.link.messages import NO_LAYER, Memory, ObservedChunk, ObserveRequest

Ask = Callable[[ObserveRequest], ObservedChunk]

_ASK_AGAIN_S = 0.01
_BEHIND_ALL = 0xFFFF_FFFF
"""An offset at which no memory has anything: for a question that is only where the inference stands."""


class Observation:
    """One inference under way on a device, which goes on from layer to layer as it is told to.

    Args:
        ask: Sends a request, and gives the reply to it.
        timeout_s: How long the computing of some layers may take.

    All methods raise `LinkError` when the device does not answer, or does not get on.
    """

    def __init__(self, ask: Ask, *, timeout_s: float) -> None:
        self._ask = ask
        self._timeout_s = timeout_s
        self._layer = NO_LAYER

    def begin(self) -> None:
        """Before the input is sent: has the inference stop behind its first layer."""
        self._ask(ObserveRequest(layer=0, memory=Memory.ARENA, offset=_BEHIND_ALL))

    def stop_after(self, layer: int) -> None:
        """Lets the inference run to the end of this layer, which it must not have passed yet."""
        deadline = time.monotonic() + self._timeout_s
        request = ObserveRequest(layer=layer, memory=Memory.ARENA, offset=_BEHIND_ALL)
        while self._ask(request).layer != layer:
            if time.monotonic() >= deadline:
                raise LinkError(
                    f"the inference has not come to the end of layer {layer} within {self._timeout_s:g} s",
                    hint="the model may be too slow for this board, or the firmware hangs in this layer",
                )
            time.sleep(_ASK_AGAIN_S)
        self._layer = layer

    def read(self, memory: Memory, offset: int, nbytes: int) -> bytes:
        """What is in a memory now, where the inference stands.

        Raises:
            ValueError: There are not that many bytes, or the inference does not stand.
        """
        data = bytearray()
        while len(data) < nbytes:
            place = offset + len(data)
            chunk = self._ask(ObserveRequest(layer=self._layer, memory=memory, offset=place))
            if (chunk.layer, chunk.memory, chunk.offset) != (self._layer, memory, place) or not chunk.data:
                raise ValueError(f"{memory.name} at {place} of {offset} + {nbytes} bytes cannot be read")
            data += chunk.data
        return bytes(data[:nbytes])

    def run_on(self) -> None:
        """Lets the inference run to its end."""
        self._ask(ObserveRequest(layer=NO_LAYER, memory=Memory.ARENA, offset=_BEHIND_ALL))
