"""A firmware and samples → Deployment: what a board computes, compared with what it has to be."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tinydeploy.bench import measure_latency
from tinydeploy.building import built_firmware, settled
from tinydeploy.deployment import Deployment, Target
from tinydeploy.engines.interface import EnginePlan, EngineSettings
from tinydeploy.integer_model import IntegerModel
from tinydeploy.link.hello import Arena
from tinydeploy.link.session import Session
from tinydeploy.localize.find import localize
from tinydeploy.plan import Plan
from tinydeploy.progress import SILENT, Stopwatch
from tinydeploy.running import running
from tinydeploy.samples import FIRST_NOISE, Samples
from tinydeploy.verify.compare import compare, lsb_sizes
from tinydeploy.verify.oracle import reference_outputs
from tinydeploy.verify.wire import pack_sample, unpack_outputs


def flashed(
    source: IntegerModel,
    target: Target,
    samples: Samples,
    watch: Stopwatch,
    *,
    port: str | None = None,
    keep: bool = False,
) -> Deployment:
    """What a board that is started with the firmware, or written to, computes beside the oracle."""
    built = settled(source, target, watch, port=port)
    with ExitStack() as stack:
        with watch.stage("flash"):
            device, session = stack.enter_context(running(built, watch, port=port, keep=keep))
        deployment = verified(source, target, built.plan, session, samples, watch)
    return replace(deployment, image=built.image, kept=device if keep else None)


def verified(
    source: IntegerModel, target: Target, plan: Plan, session: Session, samples: Samples, watch: Stopwatch
) -> Deployment:
    """What the board at the other end of a session computes beside the oracle, and what it costs there."""
    with watch.stage("verify"):
        reference = reference_outputs(plan.graph.source, samples)
        packed = (pack_sample(samples[index], session.hello) for index in range(samples.count))
        results = []
        for result in session.run(packed):
            results.append(result.output)
            watch.step(len(results), samples.count)
        comparison = compare(
            unpack_outputs(results, session.hello),
            reference,
            lsb_sizes=lsb_sizes(plan.graph),
            labels=samples.labels,
            quantization=plan.graph.tensors[plan.graph.outputs[0]].quantization,
        )
        latency = measure_latency(session, plan.board, pack_sample(samples[FIRST_NOISE], session.hello))
    return Deployment(
        model=source.path,
        target=target,
        conversion=source.conversion,
        plan=plan,
        image=None,
        comparison=comparison,
        latency=latency,
        streaming=None,
        arena=_arena(plan, session),
        stack_bytes=session.stats().stack_bytes,
        kept=None,
        notes=samples.notes,
        seconds=watch.seconds,
    )


def localized(
    source: IntegerModel, deployment: Deployment, samples: Samples, watch: Stopwatch, *, port: str | None
) -> Deployment:
    """The deployment, whose outputs differ, with the layer that is wrong in it.

    A virtual board is started for it. A real one is flashed for it, and runs in the end what it ran before, also after
    a failure.
    """
    target, board, first = deployment.target, deployment.plan.board, deployment.comparison.first_difference
    assert first is not None
    there = None if board.is_virtual else port
    quiet = Stopwatch(SILENT)  # plans and builds that are told once are not told again

    @contextmanager
    def start(settings: EngineSettings) -> Iterator[tuple[EnginePlan, Session]]:
        with watch.stage("localize"):
            built = settled(source, replace(target, settings=settings), quiet, port=there)
            with running(built, quiet, port=there) as (_, session):
                yield built.plan.engine, session

    try:
        localization = localize(source.graph, samples, first.sample, target.settings, start)
    finally:
        if not board.is_virtual:
            with watch.stage("restore"), running(built_firmware(source, target, quiet), quiet, port=there):
                pass
    return replace(deployment, localization=localization, seconds=watch.seconds)


def _arena(plan: Plan, session: Session) -> Arena:
    """The board's account, and what it said of the smallest arena before that firmware was built."""
    arena, measured = session.hello.arena, plan.engine.arena_measured
    if measured is None or arena.smallest_bytes is not None:
        return arena
    return replace(arena, smallest_bytes=measured.needed_bytes)
