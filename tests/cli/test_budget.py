"""What a budget says and how it ends: limits, the project's file, an earlier budget, firmware that was built."""

import json

import pytest
from command_line import BOARD, CHECKOUT, DIGITS


@pytest.fixture
def budget(tool):
    """Runs ``budget`` of the digits; returns the lines that people read and the JSON."""

    def run(*options, code=0):
        finished = tool("budget", DIGITS, "--json", "-", *options)
        assert finished.code == code, finished.err
        values = json.loads(finished.out)
        assert values["ok"] is (code == 0)
        lines = [line for line in finished.err.splitlines() if not line.endswith("...")]
        return lines, values

    return run


def test_every_board_and_both_engines_without_building_anything(tool, budget):
    before = set(tool.cache.glob("projects/*"))
    _, values = budget("--engine", "both")
    known = json.loads(tool("boards", "--json", "-").out)["boards"]
    told = {(entry["board"], entry["engine"]) for entry in values["boards"]}
    assert told == {(board["board"], engine) for board in known for engine in ("aot", "tflm")}
    assert set(tool.cache.glob("projects/*")) == before
    for entry in values["boards"]:
        assert entry["ram_bytes"] == sum(entry["ram_uses"].values())
        assert entry["flash_bytes"] == sum(entry["flash_uses"].values())
        assert entry["ram_bytes"] > entry["arena_reserved_bytes"] >= entry["arena_bytes"]


def test_what_is_built_is_what_the_elf_says_and_near_the_estimate(tool, budget):
    _, before = budget("--board", BOARD)
    _, after = budget("--board", BOARD, "--build")
    estimated, exact = before["boards"][0], after["boards"][0]
    assert (estimated["ram_source"], exact["ram_source"]) == ("estimated", "exact")
    built = json.loads(tool("build", DIGITS, "--board", BOARD, "--json", "-").out)["memory"]
    assert (exact["ram_bytes"], exact["flash_bytes"]) == (built["ram_bytes"], built["flash_bytes"])
    for figure in ("ram_bytes", "flash_bytes"):
        assert estimated[figure] == pytest.approx(exact[figure], rel=0.05)


def test_a_run_on_the_board_is_what_the_next_budget_tells(tool, budget):
    deployed = tool("flash", DIGITS, "--board", BOARD, "--json", "-")
    assert deployed.code == 0, deployed.err
    (entry,) = budget("--board", BOARD)[1]["boards"]
    assert entry["ram_source"] == entry["flash_source"] == entry["instructions_source"] == "measured"
    assert entry["instructions"] == json.loads(deployed.out)["latency"]["per_inference"]
    assert budget("--board", BOARD, "--optimize", "size")[1]["boards"][0]["ram_source"] == "estimated"


def test_a_limit_that_is_not_kept_is_the_first_line_and_exit_code_1(budget):
    lines, values = budget("--board", BOARD, "--max-arena", "100", "--max-ram", "1M", code=1)
    (excess,) = values["exceeded"]
    assert (excess["quantity"], excess["limit"]) == ("arena", 100)
    assert lines[0].startswith(f"{BOARD}, aot engine: arena {excess['value']:,} B (exact), at most 100 B allowed: ")


def test_a_board_that_is_asked_for_and_too_small_is_exit_code_4(tool, model_file):
    finished = tool("budget", model_file("vww_int8.tflite"), "--board", "microbit", "--json", "-")
    assert finished.code == 4
    (entry,) = json.loads(finished.out)["boards"]
    assert entry["fits"] is False
    assert entry["ram_free_bytes"] < 0
    assert f"does not fit: {-entry['ram_free_bytes']:,} B of RAM short" in finished.err


def test_limits_and_boards_of_the_projects_file(tool, budget):
    (tool.folder / "tinydeploy.toml").write_text(
        f'max-ram = "1M"\nengine = "both"\n\n[boards.{BOARD}]\nmax-arena = 100\n\n[boards.qemu-cortex-m4]\n'
    )
    _, values = budget(code=1)
    assert [(entry["board"], entry["engine"]) for entry in values["boards"]] == [
        (BOARD, "aot"),
        (BOARD, "tflm"),
        ("qemu-cortex-m4", "aot"),
        ("qemu-cortex-m4", "tflm"),
    ]
    assert {(excess["board"], excess["quantity"]) for excess in values["exceeded"]} == {(BOARD, "arena")}
    assert budget("--max-arena", "1M")[1]["exceeded"] == []
    assert len(budget("--board", "pico", "--engine", "aot")[1]["boards"]) == 1


def test_growth_since_an_earlier_budget_is_exit_code_1_and_less_is_not(tool, budget):
    old = tool.folder / "old.json"
    _, values = budget("--board", BOARD, "--buffers", "1")
    old.write_text(json.dumps(values))
    lines, values = budget("--board", BOARD, "--against", old, code=1)
    (grew,) = (change for change in values["changes"] if change["exceeded"])
    assert (grew["quantity"], grew["kind"]) == ("ram", "grew")
    assert "more than is allowed" in lines[0]
    budget("--board", BOARD, "--against", old, "--max-growth", "10%")
    old.write_text(json.dumps(values))
    lines, _ = budget("--board", BOARD, "--against", old)
    assert lines[-1] == "as in the earlier budget"
    lines, _ = budget("--board", BOARD, "--against", old, "--buffers", "1")
    assert any("RAM" in line and "(-" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--board", "nothing"], "unknown board 'nothing'"),
        (["--build"], "nothing says what to build for"),
        (["--max-ram", "much"], "'much' is no limit of RAM"),
        (["--max-growth", "2%"], "--max-growth is of an earlier budget"),
        (["--against", "none.json"], "not a budget to compare with: none.json"),
        (["--bench", "none.json"], "not a bench to take figures from: none.json"),
        (["--report", "report.pdf"], "a report is no .pdf: report.pdf"),
        (["--engine", "aot", "--arena-bytes", "99"], "the aot engine takes no --arena-bytes"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(tool, options, message):
    assert message in tool.refuses("budget", DIGITS, *options, code=2)


def test_with_both_engines_each_takes_the_settings_that_it_knows(budget):
    _, values = budget("--board", BOARD, "--engine", "both", "--optimize", "size", "--arena-bytes", "9984")
    assert [entry["optimize"] for entry in values["boards"]] == ["size", None]
    assert values["boards"][1]["arena_reserved_bytes"] == 9984


def test_the_boards_on_which_a_model_fits(tool, model_file):
    model = model_file("vww_int8.tflite")
    finished = tool("boards", "--fits", model, "--engine", "aot", "--json", "-")
    assert finished.code == 0
    fitting = [board["board"] for board in json.loads(finished.out)["boards"]]
    planned = json.loads(tool("inspect", model, "--engine", "aot", "--json", "-").out)["boards"]
    assert sorted(fitting) == sorted(entry["board"] for entry in planned if entry["fits"])
    assert "microbit" not in fitting
    large = json.loads(tool("boards", "--fits", model, "--engine", "aot", "--min-ram", "1M", "--json", "-").out)
    assert {board["board"] for board in large["boards"]} == {f"qemu-cortex-m{core}" for core in (3, 4, 7)}
    nothing = tool("boards", "--min-ram", "1G")
    assert (nothing.code, nothing.out) == (4, "none of the boards that come with tinydeploy\n")
    assert "--engine is of a model that has to fit" in tool.refuses("boards", "--engine", "aot", code=2)


def test_reports_are_written_and_the_readmes_picture_is_one(tool, budget):
    budget("--board", "qemu-cortex-m4", *(f"--report=report.{kind}" for kind in ("html", "md", "svg")))
    assert (tool.folder / "report.svg").read_text() == (CHECKOUT / "docs" / "memory-map.svg").read_text()
    page, comment = ((tool.folder / f"report.{kind}").read_text() for kind in ("html", "md"))
    for text in (page, comment):
        assert "digits_int8.tflite" in text
        assert "qemu-cortex-m4" in text
        assert "CONV_2D" in text


def test_all_keys_of_the_projects_file_are_explained_and_the_explanation_is_read(tool, budget):
    page = (CHECKOUT / "docs" / "budget.md").read_text()
    block = page.partition("```toml\n")[2].partition("```")[0]
    (tool.folder / "tinydeploy.toml").write_text(block)
    _, values = budget()
    assert {entry["board"] for entry in values["boards"]} == {"nucleo_f446re", "qemu-cortex-m4"}
