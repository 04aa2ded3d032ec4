"""``python -m tinydeploy.benchmark``."""

from tinydeploy.benchmark.command import benchmark
from tinydeploy.benchmark.start import start

start(benchmark)
