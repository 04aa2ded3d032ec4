from dataclasses import replace

import pytest

from tinydeploy.boards import find_board
from tinydeploy.engines.size_table import Part, SizeTable, firmware_state_bytes, read_size_table

TABLE = SizeTable(
    base={"cortex-m0": 1000, "cortex-m4": 2000},
    state={"cortex-m0": 100, "cortex-m4": 120},
    ports={"cmsdk/uart.c": {"cortex-m4": 70}, "nrf51/port.c": {"cortex-m0": 90}},
    parts=(
        Part(users=frozenset({"conv"}), bytes={"cortex-m0": 40, "cortex-m4": 30}),
        Part(users=frozenset({"conv", "dense"}), bytes={"cortex-m0": 8}),
    ),
    variables=(Part(users=frozenset({"dense"}), bytes={"cortex-m0": 4, "cortex-m4": 4}),),
    instances={"tile_shift": {"cortex-m4": 500}},
    parameters={},
)
BOARD = find_board("qemu-cortex-m4")


def test_a_part_counts_once_however_many_of_its_users_are_there():
    assert TABLE.parts_bytes("cortex-m0", {"conv"}) == 48
    assert TABLE.parts_bytes("cortex-m0", {"conv", "dense"}) == 48
    assert TABLE.parts_bytes("cortex-m0", {"dense"}) == 8
    assert TABLE.parts_bytes("cortex-m0", {"pool"}) == 0


def test_a_core_takes_nothing_of_what_only_others_need():
    assert TABLE.parts_bytes("cortex-m4", {"dense"}) == 0
    assert TABLE.state_bytes("cortex-m4", {"dense"}) == 124


def test_a_core_without_a_column_has_that_of_one_with_its_instructions():
    assert TABLE.column("cortex-m0plus") == "cortex-m0"
    assert TABLE.column("cortex-m33") == "cortex-m4"


def test_a_core_of_which_nothing_is_known_takes_a_quarter_more_than_the_largest():
    column = TABLE.column("xtensa-lx6")
    assert TABLE.parts_bytes(column, {"conv"}) == 50 + 10
    assert TABLE.instance_bytes(column, "tile_shift") == 625


def test_flash_has_the_boards_port_and_its_vectors():
    port = replace(BOARD.port, sources=("cortex_m/startup.c", "cmsdk/uart.c"), irqs=32)
    board = replace(BOARD, port=port)
    assert TABLE.flash_bytes(board, "cortex-m4", {"conv"}) == 2000 + 30 + 70 + 4 * (16 + 32)


def test_a_frameworks_port_counts_as_the_largest_that_was_measured():
    assert TABLE.flash_bytes(find_board("pico2"), "cortex-m4", ()) == 2090


@pytest.mark.parametrize("name", ["aot", "tflm"])
def test_the_tables_have_a_figure_for_all_that_is_always_there(name):
    table = read_size_table(name)
    assert set(table.base) == set(table.state)
    assert all(size > 0 for size in (*table.base.values(), *table.state.values()))
    assert all(part.users and part.bytes for part in (*table.parts, *table.variables))


def test_the_firmwares_own_variables_are_a_few_hundred_bytes_on_every_core():
    assert {board: 400 < firmware_state_bytes(find_board(board)) < 600 for board in ("microbit", "esp32")} == {
        "microbit": True,
        "esp32": True,
    }
