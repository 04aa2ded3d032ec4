"""``python -m tinydeploy.benchmark``."""

import sys

import click

from tinydeploy.benchmark.command import benchmark
from tinydeploy.errors import TinydeployError

try:
    benchmark(prog_name="python -m tinydeploy.benchmark")
except TinydeployError as error:
    click.echo(f"error: {error}", err=True)
    sys.exit(error.exit_code)
