"""Every way in which the tool can fail, with its exit code.

An error carries what a person needs: the facts (``summary``), the place (``where``) and the next step (``try``).
Code that raises one fills these in; ``cli.main`` prints them and exits. Nothing else is shown to the user as a
failure; an exception that is not a `TinydeployError` is a bug, and is told as an `InternalError`.
"""

import os
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path


def visible(text: str) -> str:
    """One line of text, such as a path, with nothing in it that a terminal would obey instead of showing it."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def near_key(key: str, known: Iterable[str]) -> str:
    """What may have been meant by a key that there is not, in parentheses; else all that there are."""
    import difflib  # which few need

    keys = tuple(known)
    near = difflib.get_close_matches(key, keys, n=1)
    return f"(did you mean {near[0]}?)" if near else f"(there is {', '.join(keys)})"


class TinydeployError(Exception):
    """A failure with facts, place and next step.

    Args:
        summary: One line: what is wrong, with figures. Starts in lower case, no full stop.
        where: Labelled facts printed under it, such as ``{"model": "person.tflite, op 3 CONV_2D"}``. A value may
            have several lines.
        hint: What to do next; printed under the label ``try``. Empty where there is nothing to do.
    """

    exit_code = 1

    def __init__(self, summary: str, *, where: Mapping[str, str] | None = None, hint: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.where = dict(where or {})
        self.hint = hint

    def __str__(self) -> str:
        """The whole message as it is printed, without the leading ``error:``."""
        rows = {**self.where, **({"try": self.hint} if self.hint else {})}
        width = max((len(label) for label in rows), default=0)
        lines = [visible(self.summary)]
        for label, text in rows.items():
            first, *rest = [visible(line) for line in text.splitlines()] or [""]
            lines.append(f"  {label:<{width}}  {first}")
            lines += [f"  {'':<{width}}  {line}" for line in rest]
        return "\n".join(lines)


class VerificationError(TinydeployError):
    """The device computed something else than the reference, or a budget was missed."""

    exit_code = 1


class UsageError(TinydeployError):
    """The command line, a samples file or a setting is not usable."""

    exit_code = 2


def os_failure(error: OSError) -> UsageError:
    """A failure of the system that no stage foresees, such as a full disk: it can happen anywhere."""
    reason = (error.strerror or str(error)).lower()
    where = {"file": os.fsdecode(error.filename)} if isinstance(error.filename, str | bytes) else {}
    return UsageError(f"the system refused: {reason}", where=where, hint="free disk or memory, or check permissions")


class ModelError(TinydeployError):
    """The model file is damaged, or is not something that can be deployed."""

    exit_code = 3


class FitError(TinydeployError):
    """The model does not fit on the board."""

    exit_code = 4


class BuildError(TinydeployError):
    """A tool is missing, or the firmware does not build."""

    exit_code = 5


class FlashError(TinydeployError):
    """The firmware could not be written to the board, or its emulator does not start."""

    exit_code = 6


class DeviceNotFoundError(TinydeployError):
    """There is no device, its port cannot be opened, or it does not answer."""

    exit_code = 7


class LinkError(TinydeployError):
    """The connection broke in the middle of a conversation."""

    exit_code = 8


class WrongFirmwareError(TinydeployError):
    """The device answers, but runs a different firmware than the one expected."""

    exit_code = 9


class InterruptedRunError(TinydeployError):
    """Ctrl-C, or another signal that ends programs; 130, as shells have it."""

    exit_code = 130


class InternalError(TinydeployError):
    """A bug in this program; EX_SOFTWARE of sysexits.h."""

    exit_code = 70


def failure_of(error: BaseException) -> TinydeployError:
    """What is told of any exception that ends a command."""
    if isinstance(error, TinydeployError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("interrupted")
    return os_failure(error) if isinstance(error, OSError) else _internal_failure(error)


def _internal_failure(error: BaseException) -> InternalError:
    """An exception that nobody foresaw: what it is, and the last place in this package that it came by."""
    package = Path(__file__).parent
    places = [
        f"{package.name}/{Path(frame.filename).relative_to(package)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(package)
    ]
    return InternalError(
        f"an internal error: {type(error).__name__}: {' '.join(str(error).split())}",
        where={"place": places[-1]} if places else {},
        hint="this is a bug; please report it with: the command, the model, and what it prints with -v",
    )
