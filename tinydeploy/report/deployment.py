"""What came out of building, flashing, verifying and benchmarking, as text for people and as values for JSON."""

import shlex

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinydeploy.bench import Latency, Streaming
from tinydeploy.deployment import Build, Deployment
from tinydeploy.devices.emulator import VirtualBoard
from tinydeploy.errors import visible
from tinydeploy.image import Image
from tinydeploy.model.macs import op_macs
from tinydeploy.model.text import printable, shape_text
from tinydeploy.plan import Plan
from tinydeploy.report.plan import model_json
from tinydeploy.report.values import Json
from tinydeploy.verify.compare import Accuracy, Comparison

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
        "model": model_json(built.model, built.plan),
        "board": built.plan.board.id,
        "engine": built.plan.engine.engine,
        "firmware": str(built.image.elf),
        "memory": _memory(built.plan, built.image, None, None),
        "seconds": _seconds(built.seconds),
    }


def deployment_text(deployment: Deployment) -> RenderableType:
    """What came back from the board, and what it cost."""
    parts: list[RenderableType] = []
    if deployment.image is not None:
        parts.append(_built(deployment.plan, deployment.image))
    parts += deployment.notes
    parts.append(_device_facts(deployment))
    if deployment.comparison.accuracy is not None:
        parts.append(_classes(deployment.comparison.accuracy))
    parts.append(_verdict(deployment))
    if deployment.streaming is not None:
        parts += ["", _layers(deployment.plan, deployment.latency), "", _streaming(deployment.streaming)]
    if deployment.kept is not None:
        parts.append(_kept(deployment, deployment.kept))
    return Group(*parts)


def deployment_json(deployment: Deployment) -> dict[str, Json]:
    """The same as values."""
    kept, latency = deployment.kept, deployment.latency
    layers: list[Json] = [
        {"layer": op.index, "op": printable(op.kind), latency.unit: cost}
        for op, cost in zip(deployment.plan.graph.ops, latency.layers, strict=True)
    ]
    return {
        "ok": deployment.ok,
        "model": model_json(deployment.model, deployment.plan),
        "board": deployment.plan.board.id,
        "engine": deployment.plan.engine.engine,
        "memory": _memory(
            deployment.plan, deployment.image, deployment.arena.used_bytes, deployment.stack_bytes or None
        ),
        "verification": _verification(deployment.comparison),
        "latency": {"per_inference": latency.per_inference, "unit": latency.unit, "layers": layers},
        "streaming": None if deployment.streaming is None else _streaming_json(deployment.streaming),
        "device": None if kept is None else {"port": kept.port, "pid": kept.pid},
        "seconds": _seconds(deployment.seconds),
    }


def _built(plan: Plan, image: Image) -> Text:
    board = plan.board
    return Text.assemble(
        ("built\n", "bold"),
        f"  RAM    {image.ram_bytes:>9,} B of {board.ram_bytes:,}  (arena {plan.engine.arena_bytes:,}, "
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
        f"  arena      {deployment.arena.used_bytes:,} B\n",
        f"  stack      {stack if deployment.stack_bytes else 'unknown'}",
    )


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
    return (
        f"\nthe virtual board goes on running: process {device.pid}, port {device.port}\n"
        f"  verify it again  tinydeploy verify {model} --board {board} --buffers {plan.buffers} "
        f"--port {device.port}\n"
        f"  end it           kill {device.pid}"
    )


def _layers(plan: Plan, latency: Latency) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer")
    for heading in ("output", "MACs", latency.unit, "per MAC", "share"):
        table.add_column(heading, justify="right")
    total = sum(latency.layers) or 1
    for op, cost in zip(plan.graph.ops, latency.layers, strict=True):
        macs = op_macs(plan.graph, op)
        table.add_row(
            f"{op.index:>3} {printable(op.kind)}",
            " + ".join(shape_text(plan.graph.tensors[index].shape) for index in op.outputs),
            f"{macs:,}",
            f"{cost:,}",
            f"{cost / macs:.2f}" if macs else "",
            f"{cost / total:.1%}",
        )
    return table


def _streaming(streaming: Streaming) -> Text:
    plural = "s" if streaming.buffers > 1 else ""
    return Text.assemble(
        ("streamed", "bold"),
        f" {streaming.inferences} inputs through {streaming.buffers} buffer{plural} (the emulator's real time)\n",
        f"  period     {streaming.period_us:>11,.0f} µs per inference\n",
        f"  transfer   {streaming.transfer_us:>11,.0f} µs for one input and its result alone\n",
        f"  computing  {streaming.computing_us:>11,.0f} µs, as the board sees it "
        f"({streaming.computing_alone_us:,.0f} while nothing arrives)\n",
        f"  waiting    {streaming.waiting_us:>11,.0f} µs for input, as the board sees it",
    )


def _verification(comparison: Comparison) -> dict[str, Json]:
    first, accuracy = comparison.first_difference, comparison.accuracy
    return {
        "oracle": comparison.oracle,
        "samples": comparison.samples,
        "exact": comparison.exact,
        "tolerance": comparison.tolerance,
        "max_abs_diff": comparison.max_abs_diff,
        "first_difference": None
        if first is None
        else {
            "layer": None,  # outputs are compared, so the layer is not known
            "sample": first.sample,
            "output": first.output,
            "index": list(first.index),
            "device": first.device,
            "reference": first.reference,
        },
        "accuracy": None
        if accuracy is None
        else {
            "samples": accuracy.samples,
            "device_correct": accuracy.device_correct,
            "reference_correct": accuracy.reference_correct,
        },
    }


def _memory(plan: Plan, image: Image | None, arena_device: int | None, stack: int | None) -> dict[str, Json]:
    return {
        "arena_bytes": plan.engine.arena_bytes,
        "arena_device_bytes": arena_device,
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
