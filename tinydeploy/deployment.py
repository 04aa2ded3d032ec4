"""What goes into a deployment and what comes out of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tinydeploy.bench import Latency, Streaming
from tinydeploy.devices.emulator import VirtualBoard
from tinydeploy.engines.interface import EngineSettings
from tinydeploy.image import Image
from tinydeploy.link.hello import Arena
from tinydeploy.localize.localization import Localization
from tinydeploy.plan import Plan
from tinydeploy.project import FirmwareProject
from tinydeploy.verify.compare import Comparison

if TYPE_CHECKING:  # which takes a tenth of a second to load, for those commands that convert
    from tinydeploy.convert.conversion import Conversion


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a model is deployed to: a board by its id or file, an engine and its settings, the number of input buffers.

    Without an ``engine``, it is `aot` on virtual boards and `tflm` on all others. ``lock`` is the file with what boards
    reported before, if that is to count.
    """

    board: str
    engine: str | None = None
    buffers: int = 2
    settings: EngineSettings = field(default_factory=EngineSettings)
    lock: Path | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Build:
    """What came out of `build`.

    ``conversion`` is how the model became integer, None where it was. ``folder`` is where it was built, ``seconds`` has
    the time of each stage.
    """

    model: Path
    conversion: "Conversion | None"
    plan: Plan
    project: FirmwareProject
    folder: Path
    image: Image
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Deployment:
    """What came out of `flash`, `verify` or `bench`.

    ``conversion`` is how the model became integer, None where it was. ``arena`` and ``stack_bytes`` are what the device
    itself reports, the latter its high-water mark (0 where it cannot tell). ``image`` is None where the firmware was
    not built here. ``kept`` is the virtual board that goes on running. ``localization`` is what was found out where
    outputs differ, if it was looked for. ``seconds`` has the time of each stage.
    """

    model: Path
    target: Target
    conversion: "Conversion | None"
    plan: Plan
    image: Image | None
    comparison: Comparison
    latency: Latency
    streaming: Streaming | None
    arena: Arena
    stack_bytes: int
    kept: VirtualBoard | None
    notes: tuple[str, ...]
    seconds: dict[str, float]
    localization: Localization | None = None

    @property
    def ok(self) -> bool:
        """Whether every output is what the oracle says."""
        return self.comparison.passed
