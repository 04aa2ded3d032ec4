"""What functions link, each on its own → what is common to all of them, and to some, as few figures as that takes.

The linker keeps what can be reached from what it was told to keep (--gc-sections). What two functions need together is
therefore what either needs alone: from a link with each of them, the size with any number of them is known.
"""

from collections.abc import Callable, Iterable, Mapping

from tinydeploy.benchmark.linking import Piece

Links = Mapping[str, Mapping[Piece, int]]
"""By root what was linked with it; by the empty name what is linked without any."""

Bytes = Mapping[str, int]
"""By column: a core, or a core with its kernels."""


def base_of(columns: Mapping[str, Links], is_counted: Callable[[Piece], bool]) -> Bytes:
    """Bytes of what is always there, by column."""
    return {
        column: sum(size for piece, size in links[""].items() if is_counted(piece)) for column, links in columns.items()
    }


def parts_of(
    columns: Mapping[str, Links], is_counted: Callable[[Piece], bool]
) -> dict[tuple[str, ...], dict[str, int]]:
    """Bytes that are there as soon as one of some roots is, by these roots, and by column."""
    parts: dict[tuple[str, ...], dict[str, int]] = {}
    for column, links in columns.items():
        for users, size in _by_users(links, is_counted):
            sizes = parts.setdefault(users, {})
            sizes[column] = sizes.get(column, 0) + size
    return dict(sorted(parts.items(), key=lambda part: (len(part[0]), part[0])))


def _by_users(links: Links, is_counted: Callable[[Piece], bool]) -> Iterable[tuple[tuple[str, ...], int]]:
    """Each piece that is not always there: the roots that need it, and its bytes.

    A piece may be larger in one link than in another, where strings of equal text are merged: the largest counts.
    """
    users: dict[Piece, list[str]] = {}
    sizes: dict[Piece, int] = {}
    for root, linked in sorted(links.items()):
        for piece, size in linked.items():
            if root and piece not in links[""] and is_counted(piece):
                users.setdefault(piece, []).append(root)
                sizes[piece] = max(size, sizes.get(piece, 0))
    return ((tuple(found), sizes[piece]) for piece, found in users.items())
