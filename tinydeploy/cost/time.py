"""Plan → milliseconds of one inference on a real board, only where somebody has published what that core takes.

No figure here was measured by this project: each is a range of cycles, by its source, over what the engine's kernels
execute. Boards whose flash is slower or cached otherwise take others, so a range is for the boards named, and no more.
"""

from dataclasses import dataclass

from tinydeploy.cost.instructions import InstructionsEstimate
from tinydeploy.cost.usual import usual_per_mac
from tinydeploy.model.macs import op_macs
from tinydeploy.plan import Plan


@dataclass(frozen=True, kw_only=True)
class TimeEstimate:
    """One inference takes between ``low_ms`` and ``high_ms``; ``source`` is a sentence on whose figures these are."""

    low_ms: float
    high_ms: float
    source: str


@dataclass(frozen=True, kw_only=True)
class _CyclesPerInstruction:
    low: float
    high: float
    source: str


_MLPERF = "MLPerf Tiny's published times on a Cortex-M4 at 120 MHz"

# microTVM with CMSIS-NN: 8.6, 390, 99.8 and 301 ms for ad01, resnet8, kws and vww, over the 582,261, 29,873,939,
# 7,846,133 and 24,719,927 instructions that TensorFlow Lite Micro with CMSIS-NN takes on qemu-cortex-m4: 1.77, 1.57,
# 1.53 and 1.46 cycles each. X-CUBE-AI: 5.3, 165, 43.2 and 88.9 ms, Plumerai: 4.1, 168, 47.8 and 98.8 ms, over the
# 380,455, 14,754,370, 4,326,273 and 8,549,975 instructions of the fastest commercial code known: 1.20 to 1.67.
_MEASURED: dict[tuple[str, str, str], _CyclesPerInstruction] = {
    ("nucleo_l4r5zi", "tflm", "optimized"): _CyclesPerInstruction(
        low=1.4,
        high=1.8,
        source=f"{_MLPERF} (microTVM with CMSIS-NN: 1.46 to 1.77 cycles for each of CMSIS-NN's instructions)",
    ),
    ("nucleo_l4r5zi", "aot", "optimized"): _CyclesPerInstruction(
        low=1.2,
        high=1.8,
        source=f"{_MLPERF} (commercial compilers and CMSIS-NN: 1.20 to 1.77 cycles for each instruction)",
    ),
}
"""By board, engine and kernels. The board is the one on which MLPerf Tiny's reference ran."""

_ESP_NN = "cycles per multiply-accumulate of ESP-NN as Espressif publishes them"

_PUBLISHED_NETWORK = "of one network only: it may be half or twice as long"
_PUBLISHED_KERNELS = "of single kernels: it may be two thirds or one and a half times as long"

_ESP_RANGES = {
    "xtensa-lx6": (0.5, 2.0, _PUBLISHED_NETWORK),
    "rv32imc": (0.5, 2.0, _PUBLISHED_NETWORK),
    "xtensa-lx7": (0.67, 1.5, _PUBLISHED_KERNELS),
}
"""Times the sum over the layers of what `usual` has, by core. How far it may be off is a judgement, not measured."""


def estimate_time(plan: Plan, instructions: InstructionsEstimate | None) -> TimeEstimate | None:
    """None where no published figure backs it: nearly everywhere, and on virtual boards, which have no speed."""
    board, engine = plan.board, plan.engine
    if board.is_virtual:
        return None
    found = _MEASURED.get((board.id, engine.engine, engine.kernels))
    if found is not None and instructions is not None:
        per_ms = board.clock_hz / 1000
        spread = instructions.error
        return TimeEstimate(
            low_ms=instructions.total * (1 - spread) * found.low / per_ms,
            high_ms=instructions.total * (1 + spread) * found.high / per_ms,
            source=found.source,
        )
    is_esp_nn = engine.engine == "tflm" and engine.kernels == "optimized" and board.tflm.kernels == "esp_nn"
    return _by_macs(plan) if is_esp_nn and board.core in _ESP_RANGES else None


def _by_macs(plan: Plan) -> TimeEstimate | None:
    """None where a layer with multiply-accumulates is one that nobody has published."""
    cycles = 0.0
    for op in plan.graph.ops:
        macs = op_macs(plan.graph, op)
        each = usual_per_mac(plan.board.core, plan.graph, op, "cycles") if macs else 0.0
        if each is None:
            return None
        cycles += macs * each
    if not cycles:
        return None
    low, high, doubt = _ESP_RANGES[plan.board.core]
    ms = cycles * 1000 / plan.board.clock_hz
    return TimeEstimate(low_ms=low * ms, high_ms=high * ms, source=f"{_ESP_NN}, {doubt}")
