"""A board that is watched: as a view that is drawn anew, as a line, and at the end as text and JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.text import Text

from tinydeploy.errors import visible
from tinydeploy.monitor.histogram import Bucket, Distribution
from tinydeploy.monitor.snapshot import RECENT_S, Monitored, Score, Snapshot
from tinydeploy.report.values import Json

_LABEL = 12
_ROWS = 10
"""Rows of a histogram at most."""

_WIDEST_BAR = 60
_NAME = 24
"""Characters of a class's name."""


def monitor_view(snapshot: Snapshot, width: int) -> Text:
    """The run so far, in lines of at most ``width`` columns."""
    lines = [*_lines(snapshot, width)]
    view = Text("\n").join(lines)
    view.no_wrap, view.overflow = True, "ellipsis"
    return view


def monitor_line(snapshot: Snapshot) -> str:
    """The same on one line, for a log."""
    latency, (waiting, _, computing) = snapshot.latency, snapshot.shares
    parts = [f"{snapshot.seconds:.1f} s", f"{snapshot.inferences:,} inferences", _rate(snapshot)]
    if latency is not None:
        parts.append(
            f"p50 {_number(latency.p50)}, p95 {_number(latency.p95)}, max {_number(latency.most)} {_unit(snapshot)}"
        )
    parts += [f"waiting {waiting:.0%}, computing {computing:.0%}"]
    parts.append(f"dropped {snapshot.stats.dropped:,}, repeated {_repeated(snapshot):,}")
    if snapshot.against is not None:
        parts.append(f"{snapshot.against.differ:,} of {snapshot.against.compared:,} differ")
    parts += [f"{_name(score)} {score.value:.3g}" for score in snapshot.top[:1]]
    return "  ".join(parts)


def monitored_text(monitored: Monitored, width: int) -> Text:
    """What is left when it has ended."""
    text = monitor_view(monitored.last, width)
    text.no_wrap = False
    if monitored.record is not None:
        text.append(f"\nrecorded to {visible(str(monitored.record))}")
    return text


def monitored_json(monitored: Monitored) -> dict[str, Json]:
    """All figures of the run; latencies in ``latency.unit``."""
    last = monitored.last
    waiting, blocked, computing = last.shares
    against = last.against
    return {
        "ok": monitored.ok,
        "board": last.hello.board,
        "engine": last.hello.engine,
        "build_id": last.hello.build_id.hex(),
        "model": {"path": str(monitored.model) if monitored.model else None, "sha256": last.hello.model_sha256},
        "seconds": last.seconds,
        "inferences": last.inferences,
        "per_second": last.inferences / last.seconds if last.seconds > 0 else None,
        "latency": None if last.latency is None else {"unit": last.unit, **_latency_json(last.latency)},
        "shares": {"waiting": waiting, "blocked": blocked, "computing": computing},
        "device": {name: getattr(last.stats, name) for name in ("frames", "damaged", "dropped", "overruns")},
        "host": asdict(last.traffic),
        "top": [{"class": score.name, "value": score.value} for score in last.top],
        "record": str(monitored.record) if monitored.record else None,
        "against": None
        if against is None
        else {
            "compared": against.compared,
            "differ": against.differ,
            "first": against.first,
            "earlier_latency": None if against.earlier is None else _latency_json(against.earlier),
        },
    }


def _latency_json(latency: Distribution) -> dict[str, Json]:
    return {
        "min": latency.least,
        "p50": latency.p50,
        "p95": latency.p95,
        "max": latency.most,
        "histogram": [{"from": b.low, "to": b.high, "count": b.count} for b in latency.buckets],
    }


def _lines(snapshot: Snapshot, width: int) -> Iterator[Text]:
    hello, stats, traffic = snapshot.hello, snapshot.stats, snapshot.traffic
    waiting, blocked, computing = snapshot.shares
    yield _row("board", f"{hello.board}, {hello.engine} engine, model {hello.model_sha256[:12]}")
    yield _row(
        "inferences",
        f"{snapshot.inferences:,} in {snapshot.seconds:.1f} s, {_rate(snapshot)} over the last {RECENT_S:.0f} s",
    )
    if snapshot.latency is not None:
        latency = snapshot.latency
        figures = f"p50 {_number(latency.p50)}  p95 {_number(latency.p95)}  max {_number(latency.most)}"
        yield _row("latency", f"{figures}  {_unit(snapshot)}")
        yield from _histogram(latency, width)
    yield _row("device", f"waiting {waiting:.1%}  blocked {blocked:.1%}  computing {computing:.1%}")
    lost = (stats.damaged, stats.dropped, stats.overruns)
    yield _row("lost there", "damaged {:,}  dropped {:,}  overruns {:,}".format(*lost), style=_warning(lost))
    again = (traffic.frames_damaged, traffic.chunks_repeated, traffic.results_repeated)
    told = "damaged {:,}  inputs sent again {:,}  results again {:,}".format(*again)
    yield _row("lost here", told, style=_warning(again))
    for place, score in enumerate(snapshot.top):
        yield _row(f"top {len(snapshot.top)}" if place == 0 else "", f"{_name(score):<{_NAME}} {score.value:>10.4g}")
    yield from _against(snapshot)


def _row(label: str, text: str, *, style: str = "") -> Text:
    return Text.assemble((f"{label:<{_LABEL}}", "bold"), (text, style))


def _warning(counts: Sequence[int]) -> str:
    return "yellow" if any(counts) else ""


def _histogram(latency: Distribution, width: int) -> Iterator[Text]:
    rows = _joined(latency.buckets)
    largest = max(row.count for row in rows)
    edges = [f"{_number(row.low)} to {_number(row.high)}" for row in rows]
    room = max(map(len, edges))
    bar = max(4, min(_WIDEST_BAR, width - _LABEL - room - 2 - 11))
    for edge, row in zip(edges, rows, strict=True):
        drawn = "\N{FULL BLOCK}" * max(1, round(bar * row.count / largest))
        yield Text.assemble(f"{'':<{_LABEL}}{edge:>{room}}  ", (drawn, "cyan"), f" {row.count:,}")


def _joined(buckets: Sequence[Bucket]) -> list[Bucket]:
    """As few rows as there is room for, each of as many neighbouring buckets as the others may have."""
    share = -(-len(buckets) // _ROWS)
    groups = [buckets[start : start + share] for start in range(0, len(buckets), share)]
    return [Bucket(low=group[0].low, high=group[-1].high, count=sum(b.count for b in group)) for group in groups]


def _against(snapshot: Snapshot) -> Iterator[Text]:
    against = snapshot.against
    if against is None:
        return
    if against.differ:
        told = f"{against.differ:,} of {against.compared:,} outputs differ, the first at inference {against.first:,}"
        yield _row("against", told, style="bold red")
    else:
        yield _row("against", f"{against.compared:,} outputs compared, all equal")
    if against.earlier is not None and snapshot.latency is not None:
        before, now = against.earlier, snapshot.latency
        yield _row(
            "",
            f"p50 {_number(before.p50)} before, {_number(now.p50)} now ({now.p50 / before.p50 - 1:+.1%})  "
            f"p95 {_number(before.p95)} before, {_number(now.p95)} now ({now.p95 / before.p95 - 1:+.1%})",
        )


def _rate(snapshot: Snapshot) -> str:
    return "" if snapshot.per_second is None else f"{_number(snapshot.per_second)}/s"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _unit(snapshot: Snapshot) -> str:
    return "\N{MICRO SIGN}s" if snapshot.unit == "us" else snapshot.unit


def _repeated(snapshot: Snapshot) -> int:
    return snapshot.traffic.chunks_repeated + snapshot.traffic.results_repeated


def _name(score: Score) -> str:
    name = visible(score.name)
    return name if len(name) <= _NAME else f"{name[: _NAME - 3]}..."
