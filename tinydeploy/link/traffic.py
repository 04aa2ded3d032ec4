"""What a host has counted of its own traffic."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """All of it since the line was opened; the device's own account is `tinydeploy.link.messages.Stats`.

    ``frames_received`` were intact, of whatever session; ``frames_damaged`` ended but could not be used.
    ``chunks_repeated`` are INPUTs with data that had been sent before, ``results_repeated`` RESULTs with data that the
    host had already.
    """

    frames_sent: int
    frames_received: int
    frames_damaged: int
    chunks_repeated: int
    results_repeated: int

    def since(self, earlier: "Traffic") -> "Traffic":
        """What was counted since an earlier look."""
        names = [field.name for field in dataclasses.fields(self)]
        return Traffic(**{name: getattr(self, name) - getattr(earlier, name) for name in names})


@dataclass(kw_only=True)
class Repeated:
    """What was sent or came once more: transfers count here, and their session reads it."""

    chunks: int = 0
    results: int = 0
