"""What this machine has of what the tool needs, and which package brings the rest."""

import contextlib
import grp
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tinydeploy.boards import load_boards
from tinydeploy.build import COMPILER_PACKAGE, LIBSTDCXX_PACKAGE, NEWLIB_PACKAGE
from tinydeploy.devices.emulator import QEMU_PACKAGE
from tinydeploy.devices.ports import PortInfo, group_of, list_ports
from tinydeploy.engines.tflm.library import describe_named_library
from tinydeploy.errors import TinydeployError
from tinydeploy.files import cache_dir, remove_tree, write_file
from tinydeploy.process import run

_TIMEOUT_S = 20.0
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that the tool needs: what was found, or what to do about it.

    ``found`` is a version or a place, empty where the thing is missing. ``missing`` says what does not work without it.
    """

    name: str
    found: str = ""
    missing: str = ""
    hint: str = ""
    required: bool = True

    @property
    def ok(self) -> bool:
        """Whether it is there."""
        return bool(self.found)


def check_tools() -> tuple[Check, ...]:
    """Looks at everything that a deployment needs, in the order in which it needs it. Raises nothing."""
    return tuple(_checks())


def _checks() -> Iterator[Check]:
    yield _python()
    yield _python_package("LiteRT", "ai-edge-litert", "ai-edge-litert", "no model can be read")
    yield _python_package("PlatformIO", "platformio", "platformio", "no firmware can be built")
    yield _python_package("SCons", "SCons", "scons", "PlatformIO downloads it, which needs a network")
    yield _program("Arm GCC", "arm-none-eabi-gcc", COMPILER_PACKAGE, "no firmware can be built for Arm boards")
    yield _library("C library for Arm", "nano.specs", NEWLIB_PACKAGE, "no firmware can be linked")
    yield replace(
        _library("C++ library for Arm", "libstdc++.a", LIBSTDCXX_PACKAGE, "no TensorFlow Lite Micro on virtual boards"),
        required=False,
    )
    yield _program("QEMU", "qemu-system-arm", QEMU_PACKAGE, "virtual boards do not run")
    yield _oracle()
    yield _tflm_library()
    yield from _extras()
    yield _serial_ports()
    yield _cache()


def _apt(package: str) -> str:
    return f"sudo apt install {package} (Debian, Ubuntu); elsewhere look for a package of that name"


def _python() -> Check:
    return Check(name="Python", found=f"{platform.python_version()}, {sys.executable}")


def _python_package(name: str, distribution: str, package: str, missing: str) -> Check:
    from importlib.metadata import PackageNotFoundError, version  # which loads the parser of e-mails

    try:
        found = version(distribution)
    except PackageNotFoundError:
        return Check(name=name, missing=missing, hint=f"{sys.executable} -m pip install {package}")
    return Check(name=name, found=found)


def _program(name: str, program: str, package: str, missing: str) -> Check:
    if shutil.which(program) is None:
        return Check(name=name, missing=missing, hint=_apt(package))
    version = _VERSION.search(_output(program, "--version"))
    if version is None:
        return Check(name=name, missing=f"{program} does not run", hint=_apt(f"--reinstall {package}"))
    return Check(name=name, found=f"{version[0]}, {shutil.which(program)}")


def _library(name: str, file: str, package: str, missing: str) -> Check:
    """GCC answers with the bare name where it does not find a file."""
    found = _output("arm-none-eabi-gcc", f"-print-file-name={file}").strip()
    if Path(found).is_absolute() and Path(found).is_file():
        return Check(name=name, found=str(Path(found).resolve().parent))
    return Check(name=name, missing=missing, hint=_apt(package))


def _oracle() -> Check:
    if importlib.util.find_spec("tflite_micro") is not None:
        from importlib.metadata import version

        return Check(name="Reference", found=f"tflite-micro {version('tflite-micro')}")
    return Check(
        name="Reference",
        missing="outputs are compared with LiteRT, with a tolerance instead of bit for bit",
        hint=f"{sys.executable} -m pip install tflite-micro (Linux on x86-64 only)",
        required=False,
    )


def _tflm_library() -> Check:
    """The library that the user has named, if any. A deployment needs none: boards name their own, or run `aot`."""
    name = "TensorFlow Lite Micro"
    try:
        found = describe_named_library()
    except TinydeployError as error:
        facts = "\n".join(f"{label}: {text}" for label, text in error.where.items())
        return Check(name=name, missing=error.summary, hint=facts, required=False)
    return Check(name=name, found=found or "none named; boards without one of their own run aot", required=False)


def _extras() -> Iterator[Check]:
    """What a deployment of an int8 model needs nothing of."""
    for name, distribution, extra, missing in (
        ("TensorFlow", "tensorflow", "convert", "models that are not int8 yet cannot be converted"),
        ("PyTorch", "litert-torch", "torch", "no PyTorch program can be converted"),
        ("ONNX", "onnx", "onnx", "no ONNX model can be converted"),
    ):
        found = _python_package(name, distribution, f"'tinydeploy[{extra}]'", missing)
        yield replace(found, required=False)


def _serial_ports() -> Check:
    """The ports, each with the boards that it may be. Debian gives serial adapters to the group dialout."""
    name = "Serial ports"
    ports = list_ports()
    refused = [port.name for port in ports if not os.access(port.name, os.R_OK | os.W_OK)]
    group = group_of(refused[0]) if refused else ""
    if refused and not _in_group(group):
        return Check(
            name=name,
            missing=f"no permission to open {', '.join(refused)}",
            hint=f"sudo usermod -a -G {group} $USER, then log out and in again",
            required=False,
        )
    return Check(name=name, found=", ".join(map(_port_with_boards, ports)) or "none connected", required=False)


def _in_group(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return grp.getgrnam(name).gr_gid in os.getgroups()
    return False


def _port_with_boards(port: PortInfo) -> str:
    boards = [board.id for board in load_boards() if port.usb in board.usb]
    return f"{port.name} ({' or '.join(boards)})" if boards else port.name


def _cache() -> Check:
    try:
        folder = cache_dir("doctor")
        write_file(folder / "probe", b"")
        remove_tree(folder)
    except TinydeployError as error:
        hint = "set TINYDEPLOY_CACHE_DIR to a folder that can be written to"
        return Check(name="Cache folder", missing=f"nothing can be built: {error.summary}", hint=hint)
    return Check(name="Cache folder", found=str(folder.parent))


def _output(program: str, argument: str) -> str:
    """What a program prints; empty where it does not run."""
    with contextlib.suppress(TinydeployError, TimeoutError, OSError):
        return run([program, argument], package=program, timeout_s=_TIMEOUT_S).stdout.decode(errors="replace")
    return ""
