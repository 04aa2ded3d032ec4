"""What came out of building, flashing, verifying and benchmarking, as text for people and as values for JSON."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from tinydeploy.bench import Streaming
from tinydeploy.deployment import Build, Deployment, Target
from tinydeploy.devices.emulator import VirtualBoard
from tinydeploy.errors import visible
from tinydeploy.image import Image
from tinydeploy.link.hello import Arena
from tinydeploy.lock.check import LockCheck
from tinydeploy.model.text import printable
from tinydeploy.plan import Plan
from tinydeploy.report.layers import layers_json, layers_text
from tinydeploy.report.localization import localization_json, localization_text
from tinydeploy.report.lock import lock_json, lock_text
from tinydeploy.report.plan import arena_source, engine_json, model_json
from tinydeploy.report.values import Json
from tinydeploy.verify.compare import Accuracy

if TYPE_CHECKING:
    from tinydeploy.convert.conversion import Conversion

_WRAPPED = "unknown: longer than the board's timer"

_SHOWN_CLASSES = 30
"""Labelled samples whose classes are shown one by one."""


def build_text(built: Build) -> RenderableType:
    """What the firmware takes, and where it is."""
    return Text.assemble(_built(built.plan, built.image), f"\n  file   {visible(str(built.image.elf))}")


def build_json(built: Build) -> dict[str, Json]:
    """The same as values."""
    return {
        "ok": True,
        "model": model_json(built.model, built.plan.graph),
        "conversion": _conversion(built.conversion),
        "board": built.plan.board.id,
        **engine_json(built.plan),
        "firmware": str(built.image.elf),
        "memory": _memory(built.plan, built.image, None, None),
        "seconds": _seconds(built.seconds),
    }


def deployment_text(deployment: Deployment, lock: LockCheck | None = None) -> RenderableType:
    """What came back from the board, what it cost, and in what that differs from the lock file."""
    parts: list[RenderableType] = []
    if deployment.image is not None:
        parts.append(_built(deployment.plan, deployment.image))
    parts += deployment.notes
    parts.append(_device_facts(deployment))
    if deployment.comparison.accuracy is not None:
        parts.append(_classes(deployment.comparison.accuracy))
    parts.append(_verdict(deployment))
    if deployment.localization is not None:
        parts.append(localization_text(deployment.plan.graph, deployment.localization))
    if lock is not None:
        parts.append(lock_text(lock))
    if deployment.streaming is not None:
        is_virtual = deployment.plan.board.is_virtual
        parts += ["", layers_text(deployment.plan, deployment.latency)]
        parts += ["", _streaming(deployment.streaming, is_virtual=is_virtual)]
    if deployment.kept is not None:
        parts.append(_kept(deployment, deployment.kept))
    return Group(*parts)


def deployment_json(deployment: Deployment, lock: LockCheck | None = None) -> dict[str, Json]:
    """The same as values."""
    plan, kept, latency = deployment.plan, deployment.kept, deployment.latency
    return {
        "ok": deployment.ok and (lock is None or lock.ok),
        "model": model_json(deployment.model, plan.graph),
        "conversion": _conversion(deployment.conversion),
        "board": plan.board.id,
        **engine_json(plan),
        "memory": _memory(plan, deployment.image, deployment.arena, deployment.stack_bytes or None),
        "verification": _verification(deployment),
        "latency": {
            "per_inference": latency.per_inference,
            "unit": latency.unit,
            "layers": layers_json(plan, latency),
        },
        "streaming": None if deployment.streaming is None else _streaming_json(deployment.streaming),
        "lock": lock_json(lock),
        "device": None if kept is None else {"port": kept.port, "pid": kept.pid},
        "seconds": _seconds(deployment.seconds),
    }


def _conversion(conversion: "Conversion | None") -> dict[str, Json] | None:
    """How the model became integer; None where it was."""
    if conversion is None:
        return None
    from tinydeploy.report.conversion import conversion_json

    return conversion_json(conversion)


def _built(plan: Plan, image: Image) -> Text:
    board = plan.board
    return Text.assemble(
        ("built\n", "bold"),
        f"  RAM    {image.ram_bytes:>9,} B of {board.ram_bytes:,}  (arena {plan.engine.arena_reserved_bytes:,}, "
        f"stack {board.stack_bytes:,})\n",
        f"  flash  {image.flash_bytes:>9,} B of {board.flash_bytes:,}{_shares(image)}",
    )


def _shares(image: Image) -> str:
    """What the flash is taken by, where that can be told apart."""
    if image.model_bytes is None or image.code_bytes is None:
        return ""
    return f"  (model {image.model_bytes:,}, code {image.code_bytes:,})"


def _device_facts(deployment: Deployment) -> Text:
    latency = deployment.latency
    unit = "instructions, emulated" if latency.unit == "instructions" else "µs, measured"
    inference = f"{latency.per_inference:,} {unit}" if latency.per_inference is not None else _WRAPPED
    stack = f"{deployment.stack_bytes:,} B of {deployment.plan.board.stack_bytes:,} at most"
    return Text.assemble(
        ("on the board\n", "bold"),
        f"  inference  {inference}\n",
        f"  arena      {_arena(deployment.plan, deployment.arena)}\n",
        f"  stack      {stack if deployment.stack_bytes else 'unknown'}",
    )


def _arena(plan: Plan, arena: Arena) -> str:
    """The board's account of its arena, and what was planned where that is another figure."""
    text = f"{arena.used_bytes:,} B"
    if arena.reserved_bytes != arena.used_bytes:
        text += f" used, {arena.reserved_bytes:,} B reserved"
    if arena.smallest_bytes is not None:
        text += f", {arena.smallest_bytes:,} B at least to start"
    if arena.used_bytes != plan.engine.arena_bytes:
        text += f" ({plan.engine.arena_bytes:,} B {'estimated' if plan.engine.arena_estimated else 'planned'})"
    return text


def _classes(accuracy: Accuracy) -> RenderableType:
    """The classes of the first labelled samples, wrong ones marked, and how many are right in all."""
    shown = slice(0, _SHOWN_CLASSES)
    width = len(str(max(accuracy.labels + accuracy.device + accuracy.reference)))
    text = Text.assemble(
        ("what came back", "bold"),
        f" (classes of the first {len(accuracy.labels[shown])} of {accuracy.samples} labelled samples)",
    )
    for name, classes in (("label", accuracy.labels), ("board", accuracy.device), ("reference", accuracy.reference)):
        text.append(f"\n  {name:<9} ")
        for got, label in zip(classes[shown], accuracy.labels[shown], strict=True):
            text.append(f" {got:>{width}}", "" if got == label else "bold red")
    text.append(
        f"\n  accuracy   board {accuracy.device_correct}/{accuracy.samples}, "
        f"reference {accuracy.reference_correct}/{accuracy.samples}"
    )
    return text


def _verdict(deployment: Deployment) -> Text:
    comparison, outputs = deployment.comparison, deployment.plan.graph.outputs
    facts = f"{comparison.samples} inferences, {comparison.values:,} values, against {comparison.oracle}"
    if comparison.exact:
        return Text.assemble(("verified", "bold green"), f": bit-identical ({facts})")
    first = comparison.first_difference
    assert first is not None
    name = printable(deployment.plan.graph.tensors[outputs[first.output]].name)
    where = (
        f"\n  {comparison.differing_values:,} values in {comparison.differing_samples:,} inferences differ, by "
        f"{comparison.max_abs_diff:g} at most\n"
        f"  first in sample {first.sample}, output {name}{list(first.index)}: "
        f"board {first.device:g}, reference {first.reference:g}"
    )
    if comparison.passed:
        return Text.assemble(
            ("verified", "bold green"), f": within the reference's tolerance of {comparison.tolerance} ({facts})", where
        )
    return Text.assemble(("not as expected", "bold red"), f": outputs differ ({facts})", where)


def _kept(deployment: Deployment, device: VirtualBoard) -> str:
    """What to do with the board that goes on running; the firmware is another one for each number of buffers."""
    plan = deployment.plan
    model, board = (visible(shlex.quote(str(argument))) for argument in (deployment.model, plan.board.argument))
    engine = "".join(f"{option} " for option in _engine_options(deployment.target))
    return (
        f"\nthe virtual board goes on running: process {device.pid}, port {device.port}\n"
        f"  verify it again  tinydeploy verify {model} --board {board} {engine}--buffers {plan.buffers} "
        f"--port {device.port}\n"
        f"  end it           kill {device.pid}"
    )


def _engine_options(target: Target) -> Iterator[str]:
    """What was said of the engine at the command line, as it has to be said again."""
    settings = target.settings
    for option, value in (
        ("--engine", target.engine),
        ("--kernels", settings.kernels),
        ("--optimize", settings.optimize),
        ("--tflm-lib", settings.tflm_library),
        ("--arena-bytes", settings.arena_bytes),
    ):
        if value is not None:
            yield f"{option} {visible(shlex.quote(str(value)))}"
    if settings.probe_arena:
        yield "--probe-arena"


def _streaming(streaming: Streaming, *, is_virtual: bool) -> Text:
    plural = "s" if streaming.buffers > 1 else ""
    whose_time = " (the emulator's real time)" if is_virtual else ""
    return Text.assemble(
        ("streamed", "bold"),
        f" {streaming.inferences} inputs through {streaming.buffers} buffer{plural}{whose_time}\n",
        f"  period     {streaming.period_us:>11,.0f} µs per inference\n",
        f"  transfer   {streaming.transfer_us:>11,.0f} µs for one input and its result alone\n",
        f"  computing  {streaming.computing_us:>11,.0f} µs, as the board sees it "
        f"({streaming.computing_alone_us:,.0f} while nothing arrives)\n",
        f"  waiting    {streaming.waiting_us:>11,.0f} µs for input, as the board sees it",
    )


def _verification(deployment: Deployment) -> dict[str, Json]:
    comparison, localization = deployment.comparison, deployment.localization
    first, accuracy = comparison.first_difference, comparison.accuracy
    wrong = localization.difference if localization else None
    return {
        "oracle": comparison.oracle,
        "samples": comparison.samples,
        "exact": comparison.exact,
        "tolerance": comparison.tolerance,
        "max_abs_diff": comparison.max_abs_diff,
        "first_difference": None
        if first is None
        else {
            "layer": wrong.layer if wrong else None,  # outputs are compared: unless it is looked for, it is not known
            "sample": first.sample,
            "output": first.output,
            "index": list(first.index),
            "device": first.device,
            "reference": first.reference,
        },
        "localization": localization_json(deployment.plan.graph, localization) if localization else None,
        "accuracy": None
        if accuracy is None
        else {
            "samples": accuracy.samples,
            "device_correct": accuracy.device_correct,
            "reference_correct": accuracy.reference_correct,
        },
    }


def _memory(plan: Plan, image: Image | None, arena: Arena | None, stack: int | None) -> dict[str, Json]:
    return {
        "arena_bytes": plan.engine.arena_bytes,
        "arena_source": arena_source(plan),
        "arena_device_bytes": arena.used_bytes if arena else None,
        "arena_reserved_bytes": arena.reserved_bytes if arena else plan.engine.arena_reserved_bytes,
        "arena_smallest_bytes": arena.smallest_bytes if arena else None,
        "ram_bytes": image.ram_bytes if image else None,
        "flash_bytes": image.flash_bytes if image else None,
        "code_bytes": image.code_bytes if image else None,
        "stack_bytes": stack,
    }


def _streaming_json(streaming: Streaming) -> dict[str, Json]:
    return {
        "buffers": streaming.buffers,
        "inferences": streaming.inferences,
        "period_us": round(streaming.period_us, 1),
        "transfer_us": round(streaming.transfer_us, 1),
        "computing_us": round(streaming.computing_us, 1),
        "computing_alone_us": round(streaming.computing_alone_us, 1),
        "waiting_us": round(streaming.waiting_us, 1),
    }


def _seconds(seconds: dict[str, float]) -> dict[str, Json]:
    names = ("plan", "generate", "build", "flash", "verify")
    known = {name: None if name not in seconds else round(seconds[name], 3) for name in names}
    return {**known, **{name: round(value, 3) for name, value in seconds.items() if name not in names}}
