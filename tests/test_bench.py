"""Measuring: what a figure is when the board's timer cannot tell it."""

from tinydeploy.bench import measure_latency
from tinydeploy.boards import find_board
from tinydeploy.link.session import Profile


class Device:
    """A session with a device whose inferences take what they take, by its 32-bit timer."""

    def __init__(self, *layers: int, overhead: int = 0) -> None:
        self.layers = layers
        self.overhead = overhead

    def profile(self, _data: bytes, *, layers: bool) -> Profile:
        assert layers
        return Profile(ticks=(sum(self.layers) + self.overhead) % 2**32, layer_ticks=self.layers, output=b"")


def test_an_inference_longer_than_the_boards_timer_has_no_figure():
    board = find_board("netduinoplus2")
    wrapped = measure_latency(Device(3 << 30, 3 << 30), board, b"")
    assert wrapped.per_inference is None
    assert wrapped.layers == tuple(board.instructions(3 << 30) for _ in range(2)), "each of them did not wrap"


def test_an_inference_is_more_than_its_layers():
    board = find_board("netduinoplus2")
    latency = measure_latency(Device(10, 10, overhead=5000), board, b"")
    assert latency.per_inference == board.instructions(5020)
