"""The example's files do what they say: the workflow's steps and the hook, run in a repository with two commits."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_models import small_model

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "budget"
TOOL = '#!/bin/sh\nexec "{python}" -m tinydeploy "$@"\n'


@pytest.fixture
def run(tmp_path):
    """Runs a shell command in the project's folder, as GitHub's runners do, with tinydeploy on the PATH."""
    tools, project = tmp_path / "bin", tmp_path / "project"
    tools.mkdir()
    project.mkdir()
    (tools / "tinydeploy").write_text(TOOL.format(python=sys.executable))
    (tools / "tinydeploy").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "MODEL": "model.tflite",
        **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(command, code=0):
        finished = subprocess.run(
            ["bash", "-e", "-c", command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert finished.returncode == code, finished.stdout + finished.stderr
        return finished.stdout + finished.stderr

    run("git init -q -b main")
    return run


@pytest.fixture
def project(run, tmp_path):
    """A project whose main branch has a model, and which is on a branch of its own."""
    project = tmp_path / "project"
    (project / "tinydeploy.toml").write_text('max-growth = "2%"\n\n[boards.pico]\nmax-arena = "1K"\n')
    (project / "model.tflite").write_bytes(small_model())
    run("git add -A && git commit -q -m model && git update-ref refs/remotes/origin/main HEAD && git switch -q -c new")
    return project


@pytest.fixture(scope="module")
def steps():
    """The commands of the workflow by their names."""
    workflow = yaml.safe_load((EXAMPLE / "budget.yml").read_text())
    assert workflow[True] == "pull_request"  # YAML 1.1 reads `on` as a truth
    return {step["name"]: step["run"] for step in workflow["jobs"]["budget"]["steps"] if "run" in step}


def test_a_pull_request_that_costs_nothing_passes_and_is_summed_up(run, project, steps, tmp_path):
    run(steps["before"])
    run(steps["now"])
    run(steps["summary"])
    assert (tmp_path / "summary.md").read_text() == (project / "budget.md").read_text()
    assert "pico" in (project / "budget.md").read_text()
    assert (project / "budget.html").read_text().startswith("<!")


def test_one_that_grows_fails_and_is_summed_up_all_the_same(run, project, steps, tmp_path):
    (project / "model.tflite").write_bytes(small_model(inputs=4096))
    run(steps["before"])
    assert "more than is allowed" in run(steps["now"], code=1)
    run(steps["summary"])
    assert "more than is allowed" in (tmp_path / "summary.md").read_text()


@pytest.mark.usefixtures("project")
def test_a_model_that_was_not_there_before_has_nothing_to_be_compared_with(run, steps):
    run("git update-ref refs/remotes/origin/main $(git commit-tree -m empty $(git hash-object -t tree /dev/null))")
    run(steps["before"])
    assert "changed since" not in run(steps["now"])


def test_the_comment_is_the_markdown(steps):
    assert steps["comment"].split()[:3] == ["gh", "pr", "comment"]
    assert steps["comment"].endswith("--body-file budget.md")


@pytest.mark.skipif(shutil.which("pre-commit", path=str(Path(sys.executable).parent)) is None, reason="no pre-commit")
def test_the_hook_refuses_a_commit_that_breaks_a_limit(run, project):
    given = (EXAMPLE / ".pre-commit-config.yaml").read_text()
    # The version under test instead of the one that is published.
    installed = re.sub("language: python\n +additional_dependencies: .*", "language: system", given)
    assert installed != given
    (project / ".pre-commit-config.yaml").write_text(installed)
    hook = f"{Path(sys.executable).parent / 'pre-commit'} run"
    run("git add -A")
    assert "the model keeps to its budget" in run(hook)
    (project / "tinydeploy.toml").write_text('[boards.pico]\nmax-flash = "1K"\n')
    run("git add -A")
    assert "at most 1,024 B allowed" in run(hook, code=1)


def test_the_examples_own_settings_hold_for_the_digits(run):
    digits = EXAMPLE.parent / "digits" / "digits_int8.tflite"
    said = run(f"cd {EXAMPLE} && tinydeploy budget {digits}")
    assert "nucleo_f446re" in said
    assert "qemu-cortex-m4" in said
