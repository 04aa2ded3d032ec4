import pytest
from deployments import plan_of, write_model

from tinydeploy.budget.figures import BoardBudget, Figure
from tinydeploy.budget.limits import Limits, excesses, parse_limit
from tinydeploy.errors import UsageError


@pytest.fixture
def budget(tmp_path):
    return BoardBudget(
        plan=plan_of(write_model(tmp_path)),
        arena=Figure(value=1_000, source="exact"),
        ram=Figure(value=20_000, source="estimated"),
        flash=Figure(value=30_000, source="measured", origin="tinydeploy.lock"),
    )


@pytest.mark.parametrize(
    ("quantity", "text", "value"),
    [
        ("arena", "65536", 65_536),
        ("ram", "64K", 65_536),
        ("ram", "64 KiB", 65_536),
        ("ram", "64kB", 65_536),
        ("flash", "1.5M", 1_572_864),
        ("instructions", "10M", 10_000_000),
        ("instructions", "2.5k", 2_500),
    ],
)
def test_limits_are_read_as_people_write_them(quantity, text, value):
    assert parse_limit(quantity, text) == value


@pytest.mark.parametrize("text", ["", "K", "-1", "64X", "1e3", "64 K B", "inf", "nan"])
def test_what_is_no_limit_is_refused_with_an_example(text):
    with pytest.raises(UsageError) as caught:
        parse_limit("ram", text)
    assert caught.value.summary == f"{text!r} is no limit of RAM"
    assert caught.value.hint == "a number such as 64K: K is 1024 bytes"


def test_instructions_are_no_bytes():
    with pytest.raises(UsageError) as caught:
        parse_limit("instructions", "10MB")
    assert caught.value.hint == "a number such as 10M: K is 1000"


def test_a_limit_is_kept_up_to_the_last_byte(budget):
    assert excesses([budget], Limits(most={"arena": 1_000, "ram": 20_000, "flash": 30_000})) == ()
    (excess,) = excesses([budget], Limits(most={"arena": 999}))
    assert excess.text == "qemu-cortex-m4, aot engine: arena 1,000 B (exact), at most 999 B allowed: 1 B too many"
    assert (excess.quantity, excess.value, excess.limit) == ("arena", 1_000, 999)


def test_a_figure_that_nobody_knows_keeps_no_limit(budget):
    (excess,) = excesses([budget], Limits(most={"instructions": 10}))
    assert excess.text == "qemu-cortex-m4, aot engine: instructions not known, at most 10 allowed"
    assert excess.value is None


def test_a_boards_own_limit_goes_before_that_of_all(budget):
    limits = Limits(most={"ram": 1, "flash": 1}, boards={"qemu-cortex-m4": {"ram": 20_000}, "pico": {"flash": 2}})
    assert [(excess.quantity, excess.limit) for excess in excesses([budget], limits)] == [("flash", 1)]


def test_the_command_lines_limits_go_before_all_of_the_files():
    file = Limits(most={"ram": 1, "arena": 2}, boards={"pico": {"ram": 3, "flash": 4}})
    limits = Limits(most={"ram": 5}).before(file)
    assert limits.of("pico") == {"arena": 2, "ram": 5, "flash": 4}
    assert limits.of("another") == {"arena": 2, "ram": 5}
