"""Projects for real boards: the upload step of PlatformIO runs a script in place of esptool, openocd and their kind."""

from dataclasses import replace
from pathlib import PurePosixPath

from stub_project import COPY_MODEL, stub_project

from tinydeploy.boards import find_board
from tinydeploy.project import FirmwareProject

BOARD = replace(find_board("qemu-cortex-m3"), emulator=None)

_BUILDER = PurePosixPath("platforms/tinydeploy/builder/main.py")
_UPLOAD = b"""
tool = env.VerboseAction("sh $PROJECT_DIR/tool.sh $UPLOAD_PORT $SOURCE", "Uploading $SOURCE")
AlwaysBuild(env.Alias("upload", program, tool))
"""


def project_with_tool(script: str, source: bytes = COPY_MODEL) -> FirmwareProject:
    """The complete firmware of a model that copies its input; the script gets port and firmware."""
    project = stub_project(BOARD, source)
    files = dict(project.files)
    files[_BUILDER] += _UPLOAD
    files[PurePosixPath("tool.sh")] = script.encode()
    return replace(project, files=files)
