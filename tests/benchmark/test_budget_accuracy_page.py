from tinydeploy.benchmark.budget_accuracy import Row, Size, page
from tinydeploy.benchmark.code_sizes import with_stand_ins
from tinydeploy.benchmark.linking import Piece

NEAR = Row(
    model="kws", board="microbit", variant="aot", ram=Size(planned=1010, built=1000), flash=Size(planned=98, built=100)
)
FAR = Row(
    model="vww",
    board="qemu-cortex-m4",
    variant="tflm-reference",
    library="tflite-micro 1234",
    ram=Size(planned=1040, built=1000),
    flash=Size(planned=200, built=200),
)
TOO_LARGE = Row(model="vww", board="microbit", variant="aot")


def test_an_error_is_a_share_of_what_was_built_and_negative_where_the_plan_said_too_little():
    assert round(Size(planned=105, built=100).error, 6) == 0.05
    assert round(Size(planned=90, built=100).error, 6) == -0.1


def test_the_page_begins_with_the_largest_errors_and_says_what_it_was_made_with():
    text = page([NEAR, TOO_LARGE, FAR], compiler="GCC 1.2", date="2026-01-01")
    assert "2026-01-01" in text
    assert "GCC 1.2; library: tflite-micro 1234." in text
    assert "**Largest error of 2 firmwares: RAM 4.0%, flash 2.0%.**" in text
    assert text.index("| vww | qemu-cortex-m4 |") < text.index("| kws | microbit | aot | +1.0% | -2.0% |")


def test_the_page_has_a_row_for_each_firmware_and_for_what_does_not_fit():
    text = page([NEAR, TOO_LARGE], compiler="GCC 1.2", date="2026-01-01")
    assert "| kws | microbit | aot | 1,010 | 1,000 | +1.0% | 98 | 100 | -2.0% |" in text
    assert "| vww | microbit | aot | does not fit | | | | | |" in text


def test_a_kind_that_a_core_was_not_measured_with_has_the_figures_of_another_and_shares_nothing():
    main, conv, shared = (Piece(output=".text", name=name, origin="o") for name in ("main", "conv", "shared"))
    known = {"": {main: 9}, "CONV": {main: 9, conv: 5, shared: 2}, "ADD": {main: 9, shared: 2}}
    columns = with_stand_ins({"cortex-m4 reference": known, "cortex-m3 reference": {"": {main: 8}, "ADD": {main: 8}}})
    assert columns["cortex-m4 reference"] == known
    stand_in = columns["cortex-m3 reference"]["CONV"]
    assert sorted(stand_in.values()) == [2, 5]
    assert stand_in.keys().isdisjoint({main, conv, shared})
