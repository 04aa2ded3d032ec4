"""The pytest plugin: the fixture `deployment`, its options, and what a failure leaves behind.

Installed with the package, so it is loaded in every run of pytest: what is heavy is imported once it is used.
docs/hardware-in-the-loop.md is its manual.
"""

import hashlib
import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tinydeploy.errors import TinydeployError
from tinydeploy.testing.failures import kind_of

if TYPE_CHECKING:
    from tinydeploy.testing.deployments import Deploy, Deployments
    from tinydeploy.testing.device import RunningDevice

FIXTURE = "deployment"

_PORT_TIMEOUT_S = 600.0
_NAME_CHARS = 120
_DEPLOYMENTS: "pytest.StashKey[Deployments]" = pytest.StashKey()
_TEMPORARY: pytest.StashKey[pytest.TempPathFactory] = pytest.StashKey()
_WITHOUT_BOARD = "no board is given: --tinydeploy-board ID, such as qemu-cortex-m4, which needs no hardware"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; those that a team shares may stand in pytest's configuration file too."""
    group = parser.getgroup("tinydeploy", "models on boards (tinydeploy)")
    group.addoption(
        "--tinydeploy-board",
        action="append",
        default=[],
        metavar="ID",
        help="Run tests on this board: an id (`tinydeploy boards`) or a .toml file. Several: each test runs on each.",
    )
    group.addoption(
        "--tinydeploy-port",
        action="append",
        default=[],
        metavar="[ID=]PORT",
        help="The board's serial port; of several, each has such a board, and a free one is taken. A virtual board at "
        "a port is one that runs already (`tinydeploy flash --keep`).",
    )
    group.addoption("--tinydeploy-engine", metavar="aot|tflm", help="The engine, where a test does not say which.")
    group.addoption(
        "--tinydeploy-require",
        action="store_true",
        default=None,
        help="Without a board, tests that need one fail instead of being skipped.",
    )
    group.addoption(
        "--tinydeploy-log-dir",
        metavar="DIR",
        help="Where the frames of a failed test go. Default: the temporary folder of the run.",
    )
    group.addoption(
        "--tinydeploy-port-timeout",
        type=float,
        metavar="SECONDS",
        help=f"How long to wait for a port that other tests hold. Default: {_PORT_TIMEOUT_S:g}.",
    )
    parser.addini("tinydeploy_board", "Boards, where --tinydeploy-board names none.", type="args", default=[])
    parser.addini("tinydeploy_port", "Ports, where --tinydeploy-port names none.", type="args", default=[])
    parser.addini("tinydeploy_engine", "See --tinydeploy-engine.", default=None)
    parser.addini("tinydeploy_require", "See --tinydeploy-require.", type="bool", default=False)
    parser.addini("tinydeploy_log_dir", "See --tinydeploy-log-dir.", default=None)
    parser.addini("tinydeploy_port_timeout", "See --tinydeploy-port-timeout.", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Options that do not fit are told before anything runs."""
    boards, ports = _option(config, "board"), _option(config, "port")
    if not boards and not ports:
        return
    _require_own_folder(config, [("board", board) for board in boards] + [("port", port) for port in ports])
    from tinydeploy.testing.chosen import chosen
    from tinydeploy.testing.deployments import Deployments

    try:
        timeout_s = float(_option(config, "port_timeout") or _PORT_TIMEOUT_S)
        found = chosen(boards, ports, _option(config, "engine") or None, timeout_s)
    except (TinydeployError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_DEPLOYMENTS] = Deployments(found, (config.rootpath, config.invocation_params.dir))


def _require_own_folder(config: pytest.Config, values: "Sequence[tuple[str, str]]") -> None:
    """Tells where pytest has taken a value of ours for a folder of tests, and so not found the project's own settings.

    It looks for them before it knows the options of plugins, and takes any word that is a path for one of its own
    arguments (_pytest/config/findpaths.py, get_dirs_from_args).
    """
    root, here = config.rootpath, config.invocation_params.dir
    for name, value in values:
        path = here / value
        if path.exists() and path.is_relative_to(root) and not here.is_relative_to(root):
            raise pytest.UsageError(
                f"pytest takes {value} for a folder of tests: its root folder is {root}\n"
                f"  try  --tinydeploy-{name}={value}"
            )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Whatever ended the run, nothing is left running."""
    deployments = config.stash.get(_DEPLOYMENTS, None)
    if deployments is not None:
        deployments.close()


def pytest_report_header(config: pytest.Config) -> str | None:
    """The boards, in pytest's first lines."""
    boards = _option(config, "board")
    return f"tinydeploy: on {', '.join(boards)}" if boards else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test runs on each board, whose ids are in its own. All tests of one board come first, then the next one's."""
    deployments = metafunc.config.stash.get(_DEPLOYMENTS, None)
    if FIXTURE in metafunc.fixturenames and deployments is not None:
        metafunc.parametrize(FIXTURE, deployments.board_ids, indirect=True, scope="session")


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Deploy":
    """Puts models on a board: ``deployment("model.tflite")`` is a running device, built and flashed once a run.

    See docs/hardware-in-the-loop.md.
    """
    deployments = request.config.stash.get(_DEPLOYMENTS, None)
    if deployments is None:
        if _option(request.config, "require"):
            pytest.fail(_WITHOUT_BOARD, pytrace=False)
        pytest.skip(_WITHOUT_BOARD)
    request.config.stash[_TEMPORARY] = tmp_path_factory
    deploy: Deploy = deployments.on(request.param)
    return deploy


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What is used from here on is this test's."""
    deployments = item.config.stash.get(_DEPLOYMENTS, None)
    if deployments is not None:
        deployments.begin(item.nodeid)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Figures of the devices that the test used become properties; a failure tells its kind and keeps the frames."""
    deployments = item.config.stash.get(_DEPLOYMENTS, None)
    used = [] if deployments is None else deployments.used
    for number, device in enumerate(used, start=1):
        for name, value in device.facts().items():
            _set_property(item, f"tinydeploy_{name}" if number == 1 else f"tinydeploy_{number}_{name}", value)
    error = None if call.excinfo is None else call.excinfo.value
    kind = None if error is None else _kind(item, error)
    if error is None or kind is None:
        return (yield)
    logs = _write_logs(item, used)
    _set_property(item, "tinydeploy_failure", kind)
    if logs:
        _set_property(item, "tinydeploy_frame_log", ", ".join(map(str, logs)))
    report = yield
    report.sections.append(("tinydeploy", _failure_text(kind, error, used, logs)))
    return report


def _kind(item: pytest.Item, error: BaseException) -> str | None:
    """Of which kind the failure of a test is; None where it is none, or has nothing to do with boards."""
    if isinstance(error, pytest.fail.Exception) and error.msg == _WITHOUT_BOARD:
        return "no device"
    is_ours = _DEPLOYMENTS in item.config.stash and FIXTURE in getattr(item, "fixturenames", ())
    is_failure = not isinstance(error, pytest.skip.Exception | pytest.xfail.Exception)
    return kind_of(error) if is_ours and is_failure else None


def _set_property(item: pytest.Item, name: str, value: object) -> None:
    """A property, which there is once whatever was known before."""
    item.user_properties[:] = [known for known in item.user_properties if known[0] != name] + [(name, value)]


def _failure_text(kind: str, error: BaseException, used: "Sequence[RunningDevice]", logs: "Sequence[Path]") -> str:
    """Kind, devices, what the error says, and where the frames are."""
    rows = [("kind", kind)]
    for device in used:
        known = device.facts()
        engine = f", {known['engine']} engine" if "engine" in known else ""
        rows.append(("device", f"{known['board']}{engine}, {device.model}"))
    rows += [("frames", str(path)) for path in logs]
    lines = [f"{label:<7} {text}" for label, text in rows]
    if isinstance(error, TinydeployError):
        lines.append(str(error))
    return "\n".join(lines)


def _write_logs(item: pytest.Item, used: "Sequence[RunningDevice]") -> list[Path]:
    """A file for each device that something was said to, named like the test; gives those that could be written."""
    written = []
    for number, device in enumerate(used, start=1):
        if device.log.is_empty:
            continue
        from tinydeploy.files import write_file

        head = [f"# {item.nodeid}", *(f"# {name}: {value}" for name, value in device.facts().items()), ""]
        path = _log_folder(item.config) / f"{_file_name(item.nodeid)}{f'-{number}' if number > 1 else ''}.txt"
        try:
            write_file(path, "\n".join([*head, *device.log.lines(), ""]).encode())
        except TinydeployError as error:
            device.log.note(str(error))
            continue
        written.append(path)
    return written


def _log_folder(config: pytest.Config) -> Path:
    given = _option(config, "log_dir")
    if given:
        return Path(config.invocation_params.dir, given)
    return config.stash[_TEMPORARY].getbasetemp() / "frames"


def _file_name(node_id: str) -> str:
    """A name that no other test has, and that every file system takes."""
    name = re.sub(r"[^\w.-]+", "_", node_id).strip("_")
    digest = hashlib.sha256(node_id.encode()).hexdigest()[:8]
    return name if len(name) <= _NAME_CHARS else f"{name[:_NAME_CHARS]}-{digest}"


def _option(config: pytest.Config, name: str) -> Any:  # noqa: ANN401 - of several types
    """An option of the command line, else of the configuration file."""
    given = config.getoption(f"tinydeploy_{name}")
    return config.getini(f"tinydeploy_{name}") if given in (None, []) else given
