"""What the lock file holds: an entry for each model on a board, made of a Deployment."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from tinydeploy.engines.interface import ArenaSizes, Kernels
from tinydeploy.model.macs import graph_macs
from tinydeploy.model.text import printable

if TYPE_CHECKING:  # which loads all stages, and a plan reads the lock file too
    from tinydeploy.deployment import Deployment

Key = tuple[str, str, str, str, str, str, int]
"""What tells one entry from another: the model's hash, board, engine, kernels, objective, library, buffers."""


@dataclass(frozen=True, kw_only=True)
class LockEntry:
    """What a board reported of a model that was verified on it; its fields are the keys in the file, in their order.

    ``model`` is the file's name when the entry was made. ``optimize`` is what the engine was asked to give up the rest
    for, ``library`` is None where the engine needs none. Memory is in
    bytes: ``arena_bytes`` is used, ``arena_reserved_bytes`` the size of the array, ``arena_smallest_bytes`` the
    smallest with which the model starts, found by trying. ``stack_bytes`` is the high-water mark. ``latency`` is of one
    inference, in ``latency_unit``. None stands for what no run has told yet.
    """

    model: str
    model_sha256: str
    board: str
    engine: str
    kernels: Kernels
    optimize: str | None = None
    library: str | None = None
    library_identity: str | None = None
    buffers: int
    macs: int
    arena_bytes: int
    arena_reserved_bytes: int
    arena_smallest_bytes: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    stack_bytes: int | None = None
    latency: int | None = None
    latency_unit: Literal["instructions", "us"]

    @property
    def key(self) -> Key:
        """Two entries of one lock never have the same."""
        return (
            self.model_sha256,
            self.board,
            self.engine,
            self.kernels,
            self.optimize or "",
            self.library_identity or "",
            self.buffers,
        )

    def completed_by(self, other: "LockEntry") -> "LockEntry":
        """This entry, and what only the other knows."""
        unknown = [field.name for field in fields(self) if getattr(self, field.name) is None]
        return replace(self, **{name: getattr(other, name) for name in unknown})


@dataclass(frozen=True, kw_only=True)
class Lock:
    """All entries, in the order in which they stand in the file; no two with the same key."""

    entries: tuple[LockEntry, ...] = ()

    def entry(self, key: Key) -> LockEntry | None:
        """The entry with this key."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def with_entry(self, entry: LockEntry) -> "Lock":
        """A lock with this entry in place of the one with the same key; what only that one knew is kept."""
        before = self.entry(entry.key)
        others = [other for other in self.entries if other.key != entry.key]
        return Lock(entries=tuple(sorted((*others, entry.completed_by(before or entry)), key=_order)))


def entry_of(deployment: "Deployment") -> LockEntry:
    """What a deployment has to say about its board and model. It names no place on this machine."""
    plan, image = deployment.plan, deployment.image
    return LockEntry(
        model=printable(plan.graph.name),
        model_sha256=plan.graph.sha256,
        board=plan.board.id,
        engine=plan.engine.engine,
        kernels=plan.engine.kernels,
        optimize=plan.engine.optimize,
        library=plan.engine.library,
        library_identity=plan.engine.library_identity,
        buffers=plan.buffers,
        macs=graph_macs(plan.graph),
        arena_bytes=deployment.arena.used_bytes,
        arena_reserved_bytes=deployment.arena.reserved_bytes,
        arena_smallest_bytes=deployment.arena.smallest_bytes,
        ram_bytes=image.ram_bytes if image else None,
        flash_bytes=image.flash_bytes if image else None,
        stack_bytes=deployment.stack_bytes or None,
        latency=deployment.latency.per_inference,
        latency_unit=deployment.latency.unit,
    )


def measured_arenas(lock: Lock, model_sha256: str) -> Mapping[tuple[str, str | None, Kernels], ArenaSizes]:
    """For `EngineSettings.measured`: the arenas of this model whose smallest size a board has found by trying."""
    return {
        (entry.board, entry.library_identity, entry.kernels): ArenaSizes(
            used_bytes=entry.arena_bytes, needed_bytes=entry.arena_smallest_bytes
        )
        for entry in lock.entries
        if entry.model_sha256 == model_sha256 and entry.arena_smallest_bytes is not None
    }


def _order(entry: LockEntry) -> tuple[str, str, str, str, str, str, str, int, str]:
    """By what people look for; unique, since it holds the key."""
    return (
        entry.model,
        entry.board,
        entry.engine,
        entry.kernels,
        entry.optimize or "",
        entry.library or "",
        entry.library_identity or "",
        entry.buffers,
        entry.model_sha256,
    )
