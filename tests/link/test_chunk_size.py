"""The size of chunks, by what is lost of a simulated line."""

import random

import pytest

from tinydeploy.link.chunk_size import INPUT_OVERHEAD_BYTES, ChunkSize

MANY = 1 << 20


def on_line(sizes: ChunkSize, rate: float, *, frames: int, largest: int = 512, seed: int = 1) -> float:
    """Sends frames on a line that damages each byte at this rate; gives the bytes of data per byte sent."""
    source = random.Random(seed)
    sent = moved = 0
    for _ in range(frames):
        size = sizes.of_next(MANY, largest)
        arrives = source.random() < (1 - rate) ** (size + INPUT_OVERHEAD_BYTES)
        (sizes.arrived if arrives else sizes.lost)(size)
        sent += size + INPUT_OVERHEAD_BYTES
        moved += size * arrives
    return moved / sent


def best(rate: float, largest: int = 512) -> float:
    """The most that any constant size moves."""
    return max(
        size / (size + INPUT_OVERHEAD_BYTES) * (1 - rate) ** (size + INPUT_OVERHEAD_BYTES)
        for size in range(1, largest + 1)
    )


def test_a_clean_line_has_the_largest_chunks() -> None:
    sizes = ChunkSize()
    assert [sizes.of_next(left, 512) for left in (1000, 513, 512, 10)] == [512, 512, 512, 10]
    on_line(sizes, 0.0, frames=1000)
    assert sizes.of_next(1000, 512) == 512
    assert sizes.rate == 0


@pytest.mark.parametrize("rate", [0.0001, 0.001, 0.003, 0.01, 0.03])
def test_a_line_moves_nearly_as_much_as_with_the_best_size(rate: float) -> None:
    sizes = ChunkSize()
    on_line(sizes, rate, frames=500)
    assert on_line(sizes, rate, frames=4000, seed=2) > 0.9 * best(rate)


@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_the_rate_is_known_after_some_frames(rate: float) -> None:
    sizes = ChunkSize()
    known = []
    for seed in range(50):
        on_line(sizes, rate, frames=50, seed=seed)
        known.append(sizes.rate)
    assert sum(known) / len(known) == pytest.approx(rate, rel=0.3)


def test_a_single_loss_costs_next_to_nothing() -> None:
    sizes = ChunkSize()
    on_line(sizes, 0.0, frames=100)
    sizes.lost(512)
    assert sizes.of_next(MANY, 512) > 400


def test_the_size_grows_back_when_the_line_is_clean_again() -> None:
    sizes = ChunkSize()
    on_line(sizes, 0.01, frames=300)
    assert sizes.of_next(MANY, 512) < 64
    on_line(sizes, 0.0, frames=300)
    assert sizes.of_next(MANY, 512) == 512


def test_what_is_left_goes_in_equal_parts() -> None:
    sizes = ChunkSize()
    on_line(sizes, 0.01, frames=2000)
    assert 25 < sizes.of_next(MANY, 512) < 50
    assert sizes.of_next(64, 512) == 32
    assert sizes.of_next(20, 512) == 20
    assert sizes.of_next(64, 16) == 16


@pytest.mark.parametrize("size", [1, 16, 512])
def test_no_line_is_so_bad_that_nothing_is_sent(size: int) -> None:
    sizes = ChunkSize()
    for _ in range(10_000):
        sizes.lost(size)
        assert 1 <= sizes.of_next(100, size) <= size
