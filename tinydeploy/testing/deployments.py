"""All that one run of tests has deployed: each model once for each board and choice of options."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from tinydeploy.boards import Board
from tinydeploy.deployment import Target
from tinydeploy.engines.interface import EngineSettings, Kernels, Objective
from tinydeploy.errors import BuildError, FitError, ModelError, TinydeployError, UsageError
from tinydeploy.files import tree_digest
from tinydeploy.integer_model import integer_model
from tinydeploy.progress import SILENT, Stopwatch
from tinydeploy.samples.source import AnySamples
from tinydeploy.testing.chosen import Chosen
from tinydeploy.testing.device import RunningDevice
from tinydeploy.testing.failures import facts_only
from tinydeploy.testing.firmware import Firmware
from tinydeploy.testing.places import EMULATORS, BoardAtPort, Emulators, Place, Room
from tinydeploy.testing.references import References

_ATTEMPTS = 2
"""How often a board is tried that does not come up; each try may take minutes."""

_Key = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class _Failure:
    error: TinydeployError
    attempts: int

    @property
    def is_final(self) -> bool:
        """Whether another attempt would end alike."""
        return self.attempts >= _ATTEMPTS or isinstance(self.error, BuildError | ModelError | FitError | UsageError)


class Deployments:
    """Devices by what was asked for. ``used`` are those that the current test has used.

    Relative paths of models are looked for in ``folders``, one after the other.
    """

    def __init__(self, chosen: Chosen, folders: tuple[Path, ...]) -> None:
        self.used: list[RunningDevice] = []
        self._chosen = chosen
        self._folders = folders
        self._references = References()
        self._devices: dict[_Key, RunningDevice] = {}
        self._failures: dict[_Key, _Failure] = {}
        self._test = ""
        room = Room(EMULATORS)
        self._places = {board.id: self._place(board, room) for board in chosen.boards}

    def begin(self, test: str) -> None:
        """From now on devices are used by this test."""
        self.used = []
        self._test = test

    @property
    def board_ids(self) -> list[str]:
        """The boards, in the order in which they were chosen."""
        return list(self._places)

    def on(self, board_id: str) -> "Deploy":
        """What the fixture gives for one of the boards."""
        return Deploy(self, self._chosen.board(board_id))

    def device(self, model: Path, target: Target, samples: AnySamples | None) -> RunningDevice:
        """The running device; the same one for the same content and options.

        Raises:
            TinydeployError: It cannot be had, now or before.
        """
        path = model.expanduser()
        path = next((folder / path for folder in self._folders if (folder / path).exists()), path)
        settings = target.settings
        options = (settings.kernels, settings.optimize, settings.tflm_library, settings.arena_bytes)
        key = (_content(path), target.board, target.engine, target.buffers, *options, _fingerprint(samples))
        failure = self._failures.get(key)
        if failure is not None and failure.is_final:
            raise failure.error
        try:
            if key not in self._devices:
                firmware = Firmware(integer_model(path, samples, Stopwatch(SILENT)), target)
                place = self._places[self._chosen_id(target.board)]
                self._devices[key] = RunningDevice(firmware, place, self._references, self._is_used)
            self._devices[key].start()
        except TinydeployError as error:
            self._failures[key] = _Failure(error=error, attempts=1 if failure is None else failure.attempts + 1)
            raise
        self._failures.pop(key, None)
        return self._devices[key]

    def target(self, board: Board, engine: str | None, buffers: int, settings: EngineSettings) -> Target:
        """What to deploy to, with the engine of the whole run where none is given."""
        return Target(board=board.argument, engine=engine or self._chosen.engine, buffers=buffers, settings=settings)

    def close(self) -> None:
        """Ends all emulators and connections, and gives the ports back."""
        for place in self._places.values():
            place.release()

    def _chosen_id(self, argument: str) -> str:
        return next(board.id for board in self._chosen.boards if board.argument == argument)

    def _place(self, board: Board, room: Room) -> Place:
        ports = self._chosen.ports.get(board.id, ())
        if board.is_virtual and not ports:
            return Emulators(board, room)
        return BoardAtPort(
            board, ports, wait_s=self._chosen.port_timeout_s, give_up_others=lambda: self._give_up_others(board.id)
        )

    def _give_up_others(self, board_id: str) -> None:
        for other, place in self._places.items():
            if other != board_id and isinstance(place, BoardAtPort):
                place.release()

    def _is_used(self, device: RunningDevice) -> None:
        if device not in self.used:
            self.used.append(device)
            device.forget()
            device.log.note(f"test {self._test}")


class Deploy:
    """The fixture `deployment`: call it to have a model on ``board``."""

    def __init__(self, deployments: Deployments, board: Board) -> None:
        self.board = board
        self._deployments = deployments

    def __repr__(self) -> str:
        return f"<deployment on {self.board.id}>"

    @facts_only
    def __call__(
        self,
        model: str | Path,
        *,
        engine: str | None = None,
        kernels: Kernels | None = None,
        optimize: Objective | None = None,
        buffers: int = 2,
        samples: AnySamples | None = None,
        tflm_library: str | Path | None = None,
        arena_bytes: int | None = None,
    ) -> RunningDevice:
        """The model on the board: converted where it has to be, built, flashed, and running.

        The same model with the same options is the same device for the whole run. A relative path is that of a file in
        pytest's root folder, or in the folder that it was started in. ``samples`` calibrate a model that is not integer
        yet. The other options are those of `tinydeploy flash`.

        Raises:
            TinydeployError: Of the kind that tells what went wrong.
        """
        library = None if tflm_library is None else str(tflm_library)
        settings = EngineSettings(kernels=kernels, optimize=optimize, tflm_library=library, arena_bytes=arena_bytes)
        target = self._deployments.target(self.board, engine, buffers, settings)
        return self._deployments.device(Path(model), target, samples)


def _content(path: Path) -> object:
    """What a model is known by: a file, or a folder's files, by their content; what is not there by its name."""
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        return tree_digest({PurePosixPath(file.relative_to(path)): file.read_bytes() for file in files})
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return path


def _fingerprint(samples: AnySamples | None) -> object:
    """What tells samples for the conversion of a model from others: files by name, arrays by content."""
    if isinstance(samples, np.ndarray):
        return (samples.dtype.str, samples.shape, hashlib.sha256(samples.tobytes()).digest())
    if isinstance(samples, Mapping):
        return tuple((name, _fingerprint(array)) for name, array in sorted(samples.items()))
    return str(samples) if isinstance(samples, str | Path) else samples
