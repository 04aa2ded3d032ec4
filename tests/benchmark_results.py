"""Results of a benchmark that never ran, with figures of the test's choice."""

from tinydeploy.benchmark.figures import BenchModel, Cost, ModelLayer, Origin, Results, Run

ORIGIN = Origin(date="2026-11-21", tinydeploy="0.1.0", compiler="GCC 12.2.1", emulator="QEMU 7.2.22")
MODEL = BenchModel(
    name="two",
    sha256="ab" * 32,
    layers=(
        ModelLayer(label="CONV_2D 3x3", macs=1_000),
        ModelLayer(label="MAX_POOL_2D", macs=0),
        ModelLayer(label="FULLY_CONNECTED", macs=200),
    ),
)
M4 = "qemu-cortex-m4"


def cost(*layers: int, executed: tuple[int, ...] = (800, 0, 200), arena: int = 256) -> Cost:
    """What each layer takes, and 10 instructions around them."""
    return Cost(
        instructions=sum(layers) + 10,
        layers=layers,
        macs=sum(executed),
        layer_macs=executed,
        arena_bytes=arena,
        state_bytes=16,
        stack_bytes=400,
        constant_bytes=1_000,
        code_bytes=9_000,
    )


def run_of(engine: str = "aot", board: str = M4, *, model: str = "two", **facts: object) -> Run:
    """A run on an emulated Cortex-M4, in which the named facts are others."""
    usual = {"origin": ORIGIN, "oracle": "the oracle", "cost": cost(900, 40, 300)}
    return Run(model=model, board=board, engine=engine, **(usual | facts))


def results(*runs: Run, model: BenchModel = MODEL) -> Results:
    """The results of these runs of one model."""
    found = Results()
    for run in runs:
        found = found.with_run(model, run)
    return found
