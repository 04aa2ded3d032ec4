"""How a function becomes a verb of the command line."""

import functools
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from tinydeploy import __version__
from tinydeploy.cli.options import Outcome
from tinydeploy.errors import InternalError, TinydeployError, UsageError, failure_of

if TYPE_CHECKING:
    from tinydeploy.report.terminal import Terminal

# What a verb needs is imported when it runs, so that `tinydeploy --help` answers at once.

EXIT_CODES = """\b
Exit codes:
  0  done and verified           5  tool missing, or build failed
  1  not as expected             6  flashing failed
  2  usage                       7  no device, or it does not answer
  3  model not usable            8  the link broke
  4  does not fit                9  a different firmware answers
 70  a bug in tinydeploy

\b
Builds are kept in the user's cache folder, or in TINYDEPLOY_CACHE_DIR.
"""


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def tinydeploy(context: click.Context) -> int:
    """Deploy neural networks to microcontrollers as int8 and verify them there, bit for bit.

    Start with:  tinydeploy flash MODEL.tflite --board qemu-cortex-m4
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
    return UsageError.exit_code


def verb(function: Callable[..., Outcome]) -> click.Command:
    """Makes a command of a function, which gets the terminal and its options and returns what there is to say."""

    @tinydeploy.command(function.__name__)
    @click.option("--json", "json_path", metavar="PATH", help="Also write the result as JSON; - is standard output.")
    @click.option("-v", "--verbose", is_flag=True, help="Show what the tools print.")
    @functools.wraps(function)
    def command(json_path: str | None, *, verbose: bool, **options: Any) -> int:  # noqa: ANN401 - click's
        from tinydeploy.report.terminal import Terminal

        with Terminal(json_path=json_path, verbose=verbose) as terminal:
            try:
                outcome = function(terminal, **options)
                terminal.write(outcome.text, outcome.json)
            except BrokenPipeError:
                raise
            except (Exception, KeyboardInterrupt) as error:
                _tell_programs(terminal, error)
                raise
        return outcome.exit_code

    command.params.sort(key=lambda option: option.name in ("json_path", "verbose", "help"))  # behind the verb's own
    return command


def _tell_programs(terminal: "Terminal", error: BaseException) -> None:
    """Writes a failure as JSON, so that the result of an earlier run is never taken for that of this one."""
    failure = failure_of(error)
    if isinstance(failure, InternalError):
        for line in traceback.format_exception(error):
            terminal.line(line.rstrip())  # which shows it with -v
    with suppress(TinydeployError, OSError):  # that this cannot be written is no reason to tell another failure
        terminal.write_error(failure)
