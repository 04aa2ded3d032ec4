"""Which boards tests are to run on, and at which ports these are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinydeploy.boards import Board, find_board
from tinydeploy.engines import ENGINES
from tinydeploy.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was chosen for a whole run.

    ``ports`` has by board id the ports at which such boards are; a virtual board at a port runs already. ``engine`` is
    the one of tests that do not say which. ``port_timeout_s`` is how long a port is waited for that others use.
    """

    boards: tuple[Board, ...]
    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    engine: str | None = None
    port_timeout_s: float

    def board(self, board_id: str) -> Board:
        """One of the boards."""
        return next(board for board in self.boards if board.id == board_id)


def chosen(boards: Sequence[str], ports: Sequence[str], engine: str | None, port_timeout_s: float) -> Chosen:
    """The options as they were written. A port is ``PORT``, or ``ID=PORT`` where several boards could be meant.

    Raises:
        UsageError: They do not fit together, or name something that there is not.
    """
    found = {board.id: board for board in map(find_board, boards)}
    if ports and not found:
        raise UsageError("there is a port, but nothing says of which board", hint="add --tinydeploy-board ID")
    if engine is not None and engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}", hint=f"one of: {', '.join(ENGINES)}")
    if port_timeout_s < 0:
        raise UsageError(f"{port_timeout_s:g} s is no time to wait for a port", hint="a number of seconds")
    at: dict[str, tuple[str, ...]] = {}
    for text in ports:
        board_id, port = _assigned(text, tuple(found.values()))
        at[board_id] = (*at.get(board_id, ()), port)
    return Chosen(boards=tuple(found.values()), ports=at, engine=engine, port_timeout_s=port_timeout_s)


def _assigned(text: str, boards: Sequence[Board]) -> tuple[str, str]:
    """Board and port. Without a board it is the only real one, or else the only one."""
    name, is_named, port = text.partition("=")
    if is_named and not name.startswith("/"):
        named = [board for board in boards if name in (board.id, board.argument)]
        if not named or not port:
            ids = ", ".join(board.id for board in boards)
            raise UsageError(f"{text!r} is no port of one of the boards: {ids}", hint="--tinydeploy-port ID=PORT")
        return named[0].id, port
    candidates = [board for board in boards if not board.is_virtual] or list(boards)
    if len(candidates) > 1:
        ids = " or ".join(board.id for board in candidates)
        raise UsageError(
            f"the port {text} may be that of {ids}", hint=f"say which: --tinydeploy-port {candidates[0].id}={text}"
        )
    return candidates[0].id, text
