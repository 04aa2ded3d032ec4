"""Ways to run a graph on a microcontroller."""

from collections.abc import Mapping

from tinydeploy.engines.aot.engine import AotEngine
from tinydeploy.engines.interface import Engine

ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (AotEngine(),)}
"""All engines by name, the default first."""
