"""What eats the memory, as a picture: from left to right the arena's bytes, from top to bottom the layers.

A block is as wide as it is large and as high as it lives long, where the planner put it. What the arena holds at its
fullest stands out. The link's buffers, where tensors stay in them, are beside the arena, on the same scale.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from tinydeploy.memory.memory_map import MapBlock, MemoryMap
from tinydeploy.model.graph import Graph
from tinydeploy.model.text import printable, shape_text
from tinydeploy.plan import Plan
from tinydeploy.report.budget_words import peak_text, plan_name
from tinydeploy.report.memory_scene import GAP, MARGIN, SMALL, USUAL, WIDE, Scene, make_scene
from tinydeploy.report.picture import Box, Line, Picture, Words, stacked, standalone_svg, text_width

_TITLE, _LEGEND_ROW = 54.0, 18.0

_LEGEND: Mapping[str, str] = {
    "tensor": "tensor",
    "tensor at-peak": "tensor at the peak",
    "scratch": "working memory",
    "persistent": "kept by the library",
    "link": "link's buffers",
}
_STYLES = {"tensor": "tensor", "scratch": "scratch", "persistent": "persistent", "input": "link", "output": "link"}


def memory_maps_svg(plans: Sequence[Plan]) -> str:
    """The pictures of one or more plans, each with a title, as one file. Equal plans give equal text."""
    return standalone_svg(stacked([draw_memory_map(plan, with_title=True) for plan in plans]))


def draw_memory_map(plan: Plan, *, width: float = WIDE, with_title: bool = False) -> Picture:
    """The picture. Names out of the model are made printable, and escaped where the SVG is written."""
    scene = make_scene(plan, width, _TITLE if with_title else 0.0)
    bottom = scene.bottom + 10
    legend_boxes, legend_words, height = _legend(scene, bottom)
    return Picture(
        width=width,
        height=height,
        description=f"memory map: {peak_text(plan)}",
        ground=tuple(_ground(scene)),
        lines=tuple(_lines(scene)),
        boxes=(*_blocks(scene), *legend_boxes),
        words=(*(_title(plan) if with_title else ()), *_axis_words(scene), *_row_words(scene), *legend_words),
    )


def _ground(scene: Scene) -> Iterator[Box]:
    """The lanes, and a band across them where the arena is fullest."""
    height = scene.bottom - scene.top
    for lane in scene.lanes.values():
        yield Box(x=lane.left, y=scene.top, width=lane.width, height=height, style="empty")
    peak = scene.memory.peak_step
    if peak is not None:
        yield Box(x=0, y=scene.y(peak), width=scene.width, height=scene.row, style="band")


def _blocks(scene: Scene) -> Iterator[Box]:
    yield from (_kept(scene, region) for region in _regions(scene.memory))
    heirs = {block.takes_over for block in scene.memory.blocks} - {None}
    for block in scene.memory.blocks:
        if block.kind != "persistent":
            yield _block(scene, block, has_heir=block.tensor in heirs)


def _regions(memory: MemoryMap) -> list[list[MapBlock]]:
    """What is kept for good, in rows without gaps: many small parts that are not told apart in the picture."""
    parts = sorted((block for block in memory.blocks if block.kind == "persistent"), key=lambda block: block.offset)
    regions = [parts[:1]] if parts else []
    for before, part in pairwise(parts):
        if part.offset > before.end:
            regions.append([])
        regions[-1].append(part)
    return regions


def _kept(scene: Scene, parts: Sequence[MapBlock]) -> Box:
    begin, end = parts[0].offset, parts[-1].end
    largest = sorted(parts, key=lambda part: -part.nbytes)[:6]
    lines = [f"kept by the library: {end - begin:,} B", *(f"{part.nbytes:>7,} B  {part.label}" for part in largest)]
    if len(parts) > len(largest):
        lines.append(f"and {len(parts) - len(largest)} smaller parts")
    lane = scene.lanes["arena"]
    x, width = lane.at(begin), lane.at(end) - lane.at(begin)
    box = Box(
        x=x,
        y=scene.top,
        width=max(width, 1.5),
        height=scene.bottom - scene.top,
        style="block persistent",
        title="\n".join(lines),
    )
    return _worded(box, (f"kept: {end - begin:,} B", "kept"))


def _block(scene: Scene, block: MapBlock, *, has_heir: bool) -> Box:
    """A block from where it begins to where it ends; where one is written over another, each has half of the row."""
    lane = scene.lanes["arena" if block.is_in_arena else block.kind]
    top = scene.y(block.first + (0.5 if block.takes_over is not None else 0))
    bottom = scene.y(block.last + (0.5 if has_heir else 1))
    peak = scene.memory.peak_step
    at_peak = block.is_in_arena and peak is not None and block.is_alive(peak)
    box = Box(
        x=lane.at(block.offset),
        y=top,
        width=max(lane.at(block.end) - lane.at(block.offset), 1.5),
        height=bottom - top,
        style=f"block {_STYLES[block.kind]}{' at-peak' if at_peak else ''}",
        title=_block_title(scene, block),
        layers=_layers(scene.graph, block),
    )
    size = f"{block.nbytes:,} B"
    if block.tensor is None or block.tensor >= len(scene.graph.tensors):
        return _worded(box, (size,))
    return _worded(box, (f"{shape_text(scene.graph.tensors[block.tensor].shape)}  {size}", size))


def _worded(box: Box, choices: Sequence[str]) -> Box:
    """The box with the first of the texts that has room in it, if any has."""
    for text in choices:
        if text_width(text, SMALL) + 8 <= box.width and box.height >= 12:
            y = box.y + min(box.height, 24.0) / 2 + 3.5
            return replace(box, words=Words(x=box.x + 5, y=y, text=text, style="small"))
    return box


def _block_title(scene: Scene, block: MapBlock) -> str:
    where = "the arena" if block.is_in_arena else f"the {block.kind} buffer"
    lines = [block.label, f"{block.nbytes:,} B at {block.offset:,} of {where}"]
    if block.tensor is not None and block.tensor < len(scene.graph.tensors):
        tensor = scene.graph.tensors[block.tensor]
        lines.insert(1, f"tensor {block.tensor}: {shape_text(tensor.shape)} {tensor.dtype.value.lower()}")
        if block.nbytes > tensor.nbytes:
            lines.append(f"{tensor.nbytes:,} B are values, the rest lies around them for the kernels' sake")
    ends = [_step_name(scene, step) for step in (block.first, block.last)]
    lines.append(ends[0] if block.first == block.last else f"{ends[0]} to {ends[1]}")
    if block.takes_over is not None:
        lines.append(f"written over tensor {block.takes_over}")
    return "\n".join(lines)


def _step_name(scene: Scene, step: int) -> str:
    op = scene.memory.steps[step]
    return "before the first op" if op is None else f"op {op} {printable(scene.graph.ops[op].kind)}"


def _layers(graph: Graph, block: MapBlock) -> tuple[int, ...]:
    """The ops that read or write it."""
    if block.op is not None:
        return (block.op,)
    users = _users(graph)
    return tuple(sorted({op for tensor in (block.tensor, *block.aliases) for op in users.get(tensor, ())}))


@lru_cache(maxsize=1)
def _users(graph: Graph) -> Mapping[int | None, Sequence[int]]:
    """The ops that read or write each tensor."""
    found: dict[int | None, list[int]] = {}
    for op in graph.ops:
        for tensor in (*op.inputs, *op.outputs):
            found.setdefault(tensor, []).append(op.index)
    return found


def _lines(scene: Scene) -> Iterator[Line]:
    """Marks of bytes above the arena, and a line under each layer."""
    for offset in scene.ticks():
        arena = scene.lanes["arena"]
        yield Line(x1=arena.at(offset), y1=scene.top - 5, x2=arena.at(offset), y2=scene.top, style="grid")
    for step in range(len(scene.live) + 1):
        if step in (0, len(scene.live)) or scene.memory.steps[step] != scene.memory.steps[step - 1]:
            yield Line(x1=MARGIN, y1=scene.y(step), x2=scene.width - MARGIN, y2=scene.y(step), style="between")


def _axis_words(scene: Scene) -> Iterator[Words]:
    short = {"arena": "arena", "input": "in", "output": "out"}
    for lane in scene.lanes.values():
        full = f"{lane.name}{'' if lane.name == 'arena' else ' buffer'} {lane.nbytes:,} B"
        fits = text_width(full, USUAL) <= lane.width + GAP / 2
        anchor, x = ("start", lane.left) if fits else ("middle", lane.left + lane.width / 2)
        yield Words(x=x, y=scene.top - 24, text=full if fits else short[lane.name], style="usual", anchor=anchor)
    if scene.is_wide:
        yield Words(x=scene.width - MARGIN, y=scene.top - 24, text="alive, B", style="small quiet", anchor="end")
    ticks = scene.ticks()
    for offset in ticks:
        arena = scene.lanes["arena"]
        anchor = "start" if offset == 0 else "middle"
        text = f"{offset // 1024} KiB" if offset and ticks[1] >= 1024 else f"{offset:,}"
        yield Words(x=arena.at(offset), y=scene.top - 9, text=text, style="small quiet", anchor=anchor)


def _row_words(scene: Scene) -> Iterator[Words]:
    """The layer of each row, where it is another than that of the row above, and what is alive in it."""
    for step, op in enumerate(scene.memory.steps):
        is_peak = step == scene.memory.peak_step
        y, style = scene.y(step) + scene.row / 2 + 3.5, "peak-words" if is_peak else ""
        if step == 0 or op != scene.memory.steps[step - 1] or is_peak:
            number = "" if op is None else str(op)
            size = "usual" if scene.is_wide else "small"
            yield Words(x=MARGIN + 20, y=y, text=number, style=f"{size} {style or 'quiet'}", anchor="end")
            yield Words(x=MARGIN + 26, y=y, text=scene.layer_name(op), style=f"{size} {style}".strip())
        if scene.is_wide:
            text = f"{scene.live[step]:,}"
            yield Words(x=scene.width - MARGIN, y=y, text=text, style=f"small {style or 'quiet'}", anchor="end")


def _legend(scene: Scene, top: float) -> tuple[list[Box], list[Words], float]:
    """What the colours mean, as far as they occur, in as many rows as it takes; and where it ends."""
    styles = {box.style.removeprefix("block ") for box in _blocks(scene)}
    used = {style if style in _LEGEND else style.split()[0] for style in styles}
    boxes, words, x, y = [], [], MARGIN, top
    for style, text in ((style, text) for style, text in _LEGEND.items() if style in used):
        width = 16 + text_width(text, USUAL) + 14
        if x + width > scene.width:
            x, y = MARGIN, y + _LEGEND_ROW
        boxes.append(Box(x=x, y=y, width=11, height=11, style=f"block {style}"))
        words.append(Words(x=x + 16, y=y + 9.5, text=text, style="usual quiet"))
        x += width
    return boxes, words, y + _LEGEND_ROW


def _title(plan: Plan) -> tuple[Words, ...]:
    about = f"{plan.board.id}, {plan_name(plan)}: {peak_text(plan)}"
    return (
        Words(x=MARGIN, y=22, text=printable(plan.graph.name), style="large"),
        Words(x=MARGIN, y=41, text=about, style="usual quiet"),
    )
