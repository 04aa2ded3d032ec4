"""The command line: one short command per verb, which parses, calls the function of that name and shows the result."""

import gc
import io
import os
import signal
import sys
from typing import NoReturn

import click

from tinydeploy.cli import board, desk
from tinydeploy.cli.verb import tinydeploy
from tinydeploy.errors import InterruptedRunError, TinydeployError, UsageError, failure_of

__all__ = ["board", "desk", "main", "tinydeploy"]  # the first two add their verbs to the last

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READER_GONE = 141
"""The exit code on a broken pipe, as shells have it."""

OBJECTS_PER_COLLECTION = 50_000
"""Nearly all that a command makes, modules above all, lasts as long as it does: looking for cycles among it at Python's
own pace, every 700 objects, is a tenth of a short command's time."""


def main() -> NoReturn:
    """Runs the command line and exits; every failure is printed as facts, place and next step."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the user's locale cannot show is no reason to fail
    try:
        code = _run()
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = InterruptedRunError.exit_code
    except (BrokenPipeError, SystemExit) as error:
        # Rich, and click before 8.5, make the latter of a broken pipe.
        if not isinstance(error, BrokenPipeError) and not isinstance(error.__context__, BrokenPipeError):
            raise
        code = READER_GONE
        for stream in (sys.stdout, sys.stderr):  # what is still to be flushed goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _run() -> int:
    """Runs the command line; returns its exit code when every failure has been told."""
    try:
        return int(tinydeploy.main(prog_name="tinydeploy", standalone_mode=False))
    except click.UsageError as error:
        hint = f"{error.ctx.command_path if error.ctx else 'tinydeploy'} --help"
        message = error.format_message().rstrip(".")
        failure: TinydeployError = UsageError(f"{message[:1].lower()}{message[1:]}", hint=hint)
    except (BrokenPipeError, click.Abort):
        raise
    except Exception as error:
        failure = failure_of(error)
    click.echo(f"error: {failure}", err=True)
    return failure.exit_code


def _end(_signal: int, _frame: object) -> NoReturn:
    """Ends through every ``finally``, so that no emulator stays behind; further signals do not disturb that."""
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda _signal, _frame: None)
    raise KeyboardInterrupt
