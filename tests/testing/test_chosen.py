"""Which port is which board's."""

import pytest

from tinydeploy.errors import UsageError
from tinydeploy.testing.chosen import chosen


def ports(boards, given):
    return chosen(boards, given, None, 1.0).ports


def test_a_port_is_the_only_boards():
    assert ports(["pico"], ["/dev/ttyACM0", "/dev/ttyACM1"]) == {"pico": ("/dev/ttyACM0", "/dev/ttyACM1")}
    assert ports(["qemu-cortex-m4"], ["/dev/pts/3"]) == {"qemu-cortex-m4": ("/dev/pts/3",)}


def test_a_port_is_the_only_real_boards():
    assert ports(["qemu-cortex-m4", "pico", "qemu-cortex-m7"], ["/dev/ttyACM0"]) == {"pico": ("/dev/ttyACM0",)}


def test_a_port_may_name_its_board():
    given = ["esp32=/dev/ttyUSB0", "pico=/dev/ttyACM0"]
    assert ports(["pico", "esp32"], given) == {"esp32": ("/dev/ttyUSB0",), "pico": ("/dev/ttyACM0",)}


def test_a_path_may_have_an_equals_sign():
    assert ports(["pico"], ["/dev/serial/by-id/a=b"]) == {"pico": ("/dev/serial/by-id/a=b",)}


def test_a_board_that_is_given_twice_is_one():
    assert [board.id for board in chosen(["pico", "pico"], [], None, 1.0).boards] == ["pico"]


@pytest.mark.parametrize(
    ("boards", "given", "summary"),
    [
        ([], ["/dev/ttyACM0"], "there is a port, but nothing says of which board"),
        (["pico"], ["esp32=/dev/ttyUSB0"], "'esp32=/dev/ttyUSB0' is no port of one of the boards: pico"),
        (["pico"], ["pico="], "'pico=' is no port of one of the boards: pico"),
        (["pico", "esp32"], ["/dev/ttyACM0"], "the port /dev/ttyACM0 may be that of pico or esp32"),
    ],
)
def test_a_port_that_is_nobodys_is_told(boards, given, summary):
    with pytest.raises(UsageError) as caught:
        ports(boards, given)
    assert caught.value.summary == summary


def test_a_time_that_is_none_is_told():
    with pytest.raises(UsageError, match="is no time to wait for a port"):
        chosen(["pico"], [], None, -1.0)
