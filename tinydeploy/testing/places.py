"""Where firmwares run: an emulator for each of them, or a port that this process holds, at which one runs at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from tinydeploy.boards import Board
from tinydeploy.devices.ports import PortInfo, find_port, holders
from tinydeploy.errors import DeviceNotFoundError
from tinydeploy.files import locked_one
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.link.session import Session
from tinydeploy.running import running, session_with
from tinydeploy.testing.firmware import Firmware

EMULATORS = 8
"""Virtual boards that go on running in one process. Each takes some 60 MB of memory, and no time while it is idle."""


class Tenant(Protocol):
    """Somebody who has a firmware running, and can begin anew."""

    def suspend(self) -> None:
        """Ends it, since another needs the room."""


class Place(Protocol):
    """Where firmwares for one board run."""

    board: Board

    def running(self, tenant: Tenant, firmware: Firmware, log: FrameLog) -> AbstractContextManager[Session]:
        """A session with the firmware, started or written there; others make room for it.

        Raises:
            TinydeployError: It cannot be built, started, written, reached, or is not what runs there.
        """

    def release(self) -> None:
        """Suspends everybody, and gives back what is held."""


class Room:
    """Room for so many tenants: for one more, the one who came first is suspended."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._tenants: list[Tenant] = []

    @contextmanager
    def admitted(self, tenant: Tenant) -> Iterator[None]:
        """The tenant is there while the block lasts."""
        for first in self._tenants[: len(self._tenants) + 1 - self._capacity]:
            first.suspend()
        self._tenants.append(tenant)
        try:
            yield
        finally:
            self._tenants.remove(tenant)

    def clear(self) -> None:
        """Suspends everybody."""
        for tenant in self._tenants[::-1]:
            tenant.suspend()


class Emulators:
    """Virtual boards of one kind, one for each firmware; ``room`` is that of all kinds together."""

    def __init__(self, board: Board, room: Room) -> None:
        self.board = board
        self._room = room

    @contextmanager
    def running(self, tenant: Tenant, firmware: Firmware, log: FrameLog) -> Iterator[Session]:
        """See `Place`."""
        build = firmware.settle(lambda: None, log)
        with self._room.admitted(tenant), running(build, firmware.watch, port=None, log=log) as (_, session):
            yield session

    def release(self) -> None:
        """See `Place`."""
        self._room.clear()


class BoardAtPort:
    """A real board, or a virtual one that runs already, at one of several ports: at the first that is free.

    The port is held from its first use until `release`, so that no other process's tests come in between. To wait for
    one, ``give_up_others`` gives back what else this process holds: two processes never wait for each other.

    A real board is written to whenever another firmware is to run there than the one that this process wrote last. To
    a virtual one nothing is written: it has to run that firmware already.
    """

    def __init__(
        self, board: Board, ports: Sequence[str], *, wait_s: float, give_up_others: Callable[[], None]
    ) -> None:
        self.board = board
        self._ports = tuple(ports)
        self._wait_s = wait_s
        self._give_up_others = give_up_others
        self._room = Room(1)
        self._held = ExitStack()
        self._port: PortInfo | None = None
        self._written: bytes | None = None

    @contextmanager
    def running(self, tenant: Tenant, firmware: Firmware, log: FrameLog) -> Iterator[Session]:
        """See `Place`."""
        if self.board.is_virtual:
            plan, project = firmware.expected
            with self._room.admitted(tenant), session_with(plan, project, self._take(), log=log) as session:
                yield session
            return
        build = firmware.settle(lambda: self._take().name, log)
        with self._room.admitted(tenant), ExitStack() as stack:
            port = self._take()
            if self._written == build.project.build_id:
                line = session_with(build.plan, build.project, port, flashed=True, log=log)
                session = stack.enter_context(line)
            else:
                self._written = None
                log.note(f"{port.name} is written to")
                _, session = stack.enter_context(running(build, firmware.watch, port=port.name, log=log))
                self._written = build.project.build_id
            yield session

    def release(self) -> None:
        """See `Place`."""
        self._room.clear()
        self._port = self._written = None
        self._held.close()

    def _take(self) -> PortInfo:
        """The port, held.

        Raises:
            DeviceNotFoundError: None is known to be the board's, or none has become free in time.
        """
        if self._port is None:
            names = self._ports or (_only_port(self.board),)
            there_first = sorted(names, key=lambda name: not Path(name).exists())
            self._port = find_port(self.board, there_first[self._lock(there_first)])
        return self._port

    def _lock(self, names: Sequence[str]) -> int:
        """Holds one of the ports; its place among the names.

        Both the name is locked, which may be a link that stays when the board comes back as another device, and the
        device that it is now, which may have other names.
        """
        locks = [tuple({f"port {Path(name).absolute()}", f"port {Path(name).resolve()}"}) for name in names]
        try:
            return self._held.enter_context(locked_one(locks, timeout_s=0))
        except TimeoutError:
            self._give_up_others()
        try:
            return self._held.enter_context(locked_one(locks, timeout_s=self._wait_s))
        except TimeoutError as error:
            held = [f"{name} by {holder}" for name in names for holder in holders(name)]
            raise DeviceNotFoundError(
                f"no port of the {self.board.id} has become free within {self._wait_s:g} s",
                where={"ports": "\n".join(names), **({"held": "\n".join(held)} if held else {})},
                hint="other tests run there: start no more processes than there are boards,\n"
                "or wait longer: --tinydeploy-port-timeout SECONDS",
            ) from error


def _only_port(board: Board) -> str:
    """The only port that is known to be the board's.

    Raises:
        DeviceNotFoundError: None is, or several are; the option that it names is that of pytest.
    """
    try:
        return find_port(board, None).name
    except DeviceNotFoundError as error:
        error.hint = error.hint.replace("--port ", "--tinydeploy-port=")
        raise
