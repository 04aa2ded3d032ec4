import pytest

from tinydeploy.budget.project_file import ProjectFile, parse_share, read_project_file
from tinydeploy.errors import UsageError

TABLES = """\
max-arena = "64K"
max_ram = 131072
max-instructions = "10M"
max-growth = "2 %"
engine = "both"

[{0}boards.nucleo_f446re]
max-ram = "100K"

[{0}boards.pico]
"""


def assert_read(found):
    assert found.limits.of("pico") == {"arena": 65_536, "ram": 131_072, "instructions": 10_000_000}
    assert found.limits.of("nucleo_f446re")["ram"] == 102_400
    assert found.boards == ("nucleo_f446re", "pico")
    assert (found.engine, found.growth) == ("both", 0.02)


def test_a_file_of_the_projects_own_is_read(tmp_path):
    (tmp_path / "tinydeploy.toml").write_text(TABLES.format(""))
    assert_read(read_project_file(tmp_path))


def test_so_is_a_table_of_pyproject_from_a_folder_below(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.tinydeploy]\n" + TABLES.format("tool.tinydeploy."))
    below = tmp_path / "models" / "new"
    below.mkdir(parents=True)
    (below.parent / "pyproject.toml").write_text("[tool.other]\n")
    assert_read(read_project_file(below))


def test_the_file_of_ones_own_goes_before_pyproject(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.tinydeploy]\nengine = "aot"\n')
    (tmp_path / "tinydeploy.toml").write_text('engine = "tflm"\n')
    assert read_project_file(tmp_path).engine == "tflm"


def test_without_a_file_nothing_is_asked_for(tmp_path):
    (tmp_path / "tinydeploy.toml").write_text("")
    assert read_project_file(tmp_path) == ProjectFile(path=tmp_path / "tinydeploy.toml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max-arena = ", "it is not TOML: Invalid value"),
        ("max-arenas = 1", "max-arenas: no such key (did you mean max-arena?)"),
        ("zzz = 1", "zzz: no such key (there is max-arena, max-ram, max-flash, max-instructions, max-growth, engine"),
        ("max-arena = true", "max-arena: a number or a text is needed, not True"),
        ('max-arena = "much"', "max-arena: 'much' is no limit of arena; a number such as 64K: K is 1024 bytes"),
        ("max-growth = 2", "max-growth: '2' is no share to grow by; a percentage such as 2%"),
        ('engine = "tensorrt"', "engine: 'tensorrt' is not one of aot, tflm, both"),
        ('boards = ["pico"]', "boards: a table for each board is needed, such as [boards.pico]"),
        ("[boards]\npico = 1", "boards.pico: a table is needed, not 1"),
        ("[boards.pico]\nengine = 1", "boards.pico.engine: no such key"),
        ('[boards.pico]\nmax-ram = "x"', "boards.pico.max-ram: 'x' is no limit of RAM"),
    ],
)
def test_what_means_nothing_is_told_with_its_key(tmp_path, text, problem):
    path = tmp_path / "tinydeploy.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_project_file(tmp_path)
    assert caught.value.summary.startswith(f"the project's settings are not usable: {problem}")
    assert caught.value.where == {"file": str(path)}
    assert caught.value.hint == "docs/budget.md has all keys with examples"


def test_a_table_that_is_none_is_told(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool]\ntinydeploy = 1\n")
    with pytest.raises(UsageError, match=r"tool\.tinydeploy: a table is needed, not 1"):
        read_project_file(tmp_path)


@pytest.mark.parametrize("text", ["2", "%", "-1%", "two %"])
def test_a_share_is_a_percentage(text):
    with pytest.raises(UsageError, match="is no share to grow by"):
        parse_share(text)
