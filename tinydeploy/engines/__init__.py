"""Ways to run a graph on a microcontroller."""

from collections.abc import Mapping

from tinydeploy.boards import Board
from tinydeploy.engines.aot.engine import AotEngine
from tinydeploy.engines.interface import Engine
from tinydeploy.engines.tflm.engine import TflmEngine

ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (AotEngine(), TflmEngine())}
"""All engines by name, the default first."""

BOTH = "both"
"""Asks for every engine."""


def default_engine(board: Board) -> str:
    """Virtual boards need no download with `aot`; every real board runs TensorFlow Lite Micro."""
    return "aot" if board.is_virtual else "tflm"
