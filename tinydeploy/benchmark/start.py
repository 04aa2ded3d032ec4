"""How the benchmark's programs are started: ``python -m tinydeploy.benchmark.NAME``."""

import sys

import click

from tinydeploy.errors import TinydeployError


def start(command: click.Command, name: str = "") -> None:
    """Runs a command of this package, and exits; a failure is told as the tool's own commands tell it."""
    try:
        command(prog_name=f"python -m tinydeploy.benchmark{name and '.'}{name}")
    except TinydeployError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
