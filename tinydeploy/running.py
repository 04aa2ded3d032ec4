"""A built firmware → a session with the board that runs it.

An emulator is started with it, a real board is written to. Nothing is said to a board before it has shown that it runs
exactly this firmware with exactly this model.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tinydeploy.contact import make_contact
from tinydeploy.deployment import Build
from tinydeploy.devices.emulator import VirtualBoard, run_virtual_board
from tinydeploy.devices.ports import PortInfo, find_port
from tinydeploy.devices.upload import upload
from tinydeploy.errors import UsageError
from tinydeploy.link.frame_log import FrameLog
from tinydeploy.link.session import Session
from tinydeploy.plan import Plan
from tinydeploy.progress import Stopwatch
from tinydeploy.project import FirmwareProject


@contextmanager
def running(
    built: Build, watch: Stopwatch, *, port: str | None, keep: bool = False, log: FrameLog | None = None
) -> Iterator[tuple[VirtualBoard | None, Session]]:
    """A board that has just been started with what was built, while the block lasts. Virtual time is counted.

    A real board is written to through ``port``, or through the only port that is known to be its. With ``keep``, a
    virtual one goes on running after the block. ``log`` gets what goes over the line.
    """
    board, project = built.plan.board, built.project
    if board.is_virtual:
        with _emulated(built, port, counted=True, keep=keep, log=log) as started:
            yield started
        return
    there = find_port(board, port)
    upload(project, built.folder, there, on_line=watch.line)
    with session_with(built.plan, project, there, flashed=True, log=log) as session:
        yield None, session


@contextmanager
def running_in_real_time(built: Build, *, port: str | None) -> Iterator[Session]:
    """A board whose time is not that of counted instructions: a real one runs the firmware already."""
    if built.plan.board.is_virtual:
        with _emulated(built, port, counted=False) as (_, session):
            yield session
        return
    with session_with(built.plan, built.project, find_port(built.plan.board, port)) as session:
        yield session


@contextmanager
def session_with(
    plan: Plan, project: FirmwareProject, port: PortInfo, *, flashed: bool = False, log: FrameLog | None = None
) -> Iterator[Session]:
    """A session with exactly this firmware; ``flashed`` where the board was written to just now."""
    with make_contact(plan.board, port, flashed=flashed, log=log) as session:
        session.expect(project.build_id, plan.graph.sha256)
        yield session


@contextmanager
def _emulated(
    built: Build, port: str | None, *, counted: bool, keep: bool = False, log: FrameLog | None = None
) -> Iterator[tuple[VirtualBoard, Session]]:
    board = built.plan.board
    if port is not None:
        raise UsageError(
            f"{board.id} is a virtual board, which is started anew and has no port before",
            hint="leave out --port; one that runs already is verified with: tinydeploy verify",
        )
    with (
        run_virtual_board(board, built.image.elf, count_instructions=counted, keep=keep) as device,
        session_with(built.plan, built.project, PortInfo(name=device.port), log=log) as session,
    ):
        yield device, session
