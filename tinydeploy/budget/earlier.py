"""What earlier runs told of a model on a board: the lock file, and the JSON files that `bench` wrote."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinydeploy.budget.json_file import json_of
from tinydeploy.errors import visible
from tinydeploy.lock.entry import LockEntry
from tinydeploy.lock.file import read_lock
from tinydeploy.plan import Plan

Unit = Literal["instructions", "us"]

_ENGINE_KEYS = ("engine", "kernels", "optimize", "library_identity")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What one inference took, and each op of it where that is known, in ``unit``; ``origin`` is the file."""

    per_inference: int
    unit: Unit
    layers: tuple[int, ...] | None
    origin: str


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a firmware took, in bytes, from its ELF; ``origin`` is the file that says so."""

    ram_bytes: int
    flash_bytes: int
    origin: str


_Key = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """All that is known of earlier runs; asked for what was run exactly as a plan has it."""

    lock: Mapping[_Key, LockEntry]
    lock_name: str
    benches: Mapping[_Key, Timing]

    def timing(self, plan: Plan) -> Timing | None:
        """What an inference took: by layer where a bench is there."""
        bench = self.benches.get(_bench_key(plan))
        entry = self._entry(plan)
        if bench is not None or entry is None or entry.latency is None:
            return bench
        return Timing(per_inference=entry.latency, unit=entry.latency_unit, layers=None, origin=self.lock_name)

    def memory(self, plan: Plan) -> Memory | None:
        """What the firmware took."""
        entry = self._entry(plan)
        if entry is None or entry.ram_bytes is None or entry.flash_bytes is None:
            return None
        return Memory(ram_bytes=entry.ram_bytes, flash_bytes=entry.flash_bytes, origin=self.lock_name)

    def _entry(self, plan: Plan) -> LockEntry | None:
        """The plan's entry; one with another arena is of a firmware that another version of tinydeploy made."""
        entry = self.lock.get(_lock_key(plan))
        is_same = entry is not None and entry.arena_reserved_bytes == plan.engine.arena_reserved_bytes
        return entry if is_same else None


def read_earlier(lock: Path | None, benches: Sequence[Path]) -> Earlier:
    """What the files say; a lock file that is not there says nothing.

    Raises:
        UsageError: One cannot be read, or is another file.
    """
    entries: Iterable[LockEntry] = read_lock(lock).entries if lock else ()
    return Earlier(
        lock={entry.key: entry for entry in entries},
        lock_name=visible(lock.name) if lock else "",
        benches=dict(_read_bench(path) for path in benches),
    )


def _lock_key(plan: Plan) -> _Key:
    engine = plan.engine
    return (
        plan.graph.sha256,
        plan.board.id,
        engine.engine,
        engine.kernels,
        engine.optimize or "",
        engine.library_identity or "",
        plan.buffers,
    )


def _bench_key(plan: Plan) -> _Key:
    return plan.graph.sha256, plan.board.id, *(getattr(plan.engine, key) for key in _ENGINE_KEYS)


def _read_bench(path: Path) -> tuple[_Key, Timing]:
    with json_of("bench", path, purpose="take figures from") as found:
        key = (found["model"]["sha256"], found["board"], *(found[name] for name in _ENGINE_KEYS))
        return key, _timing(found["latency"], visible(path.name))


def _timing(latency: Mapping[str, Any], name: str) -> Timing:
    unit = latency["unit"]
    layers = tuple(layer[unit] for layer in latency["layers"])
    figures = (latency["per_inference"], *layers)
    if unit not in ("instructions", "us") or not all(type(figure) is int and figure >= 0 for figure in figures):
        raise TypeError(f"no whole numbers of instructions or us: {figures}")
    return Timing(per_inference=figures[0], unit=unit, layers=layers, origin=name)
