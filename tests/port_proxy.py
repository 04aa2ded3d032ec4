"""A serial port that can vanish and come back by the same name: a pseudo-terminal in front of a board's own port."""

import contextlib
import os
import select
import threading
import tty
from pathlib import Path
from typing import Self

_BYTES = 4096


class PortProxy:
    """Passes bytes between the port ``board`` and a new one, to which ``name`` is a link, while the block lasts.

    Like a USB port, the new one takes no more bytes than fit while nobody reads: the rest is lost.
    """

    def __init__(self, board: str, name: Path) -> None:
        self.name = name
        self._board = os.open(board, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._ends: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pass_on)

    def __enter__(self) -> Self:
        self.come_back()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.vanish()
        os.close(self._board)

    def vanish(self) -> None:
        """Who has it open sees it go."""
        with self._lock:
            if self._ends is not None:
                self.name.unlink()
                for end in self._ends:
                    os.close(end)
            self._ends = None

    def come_back(self) -> None:
        """By the same name, which is another terminal's now."""
        with self._lock:
            master, terminal = os.openpty()
            tty.setraw(terminal)
            os.set_blocking(master, False)
            self._ends = master, terminal
            self.name.symlink_to(os.ttyname(terminal))

    def inject(self, data: bytes) -> None:
        """Sends something to the board besides what comes from the host."""
        with self._lock:
            os.write(self._board, data)

    def _pass_on(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                master = self._ends[0] if self._ends else None
            with contextlib.suppress(OSError):  # it may have gone just now
                select.select([self._board, *([] if master is None else [master])], [], [], 0.02)
            with self._lock:
                master = self._ends[0] if self._ends else None
                ready = select.select([self._board, *([] if master is None else [master])], [], [], 0)[0]
                if self._board in ready:
                    data = os.read(self._board, _BYTES)
                    with contextlib.suppress(BlockingIOError):
                        if master is not None:
                            os.write(master, data)
                if master is not None and master in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.write(self._board, os.read(master, _BYTES))
