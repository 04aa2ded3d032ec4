"""A real board as far as there is one without hardware: a virtual one whose file has no emulator.

A script starts that when PlatformIO's upload step writes to the board, and what ran there before ends.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from tinydeploy.files import data_dir

ADDED_TO_BUILDER = """
tool = env.VerboseAction("sh {script} $UPLOAD_PORT $SOURCE", "Uploading $SOURCE")
AlwaysBuild(env.Alias("upload", program, tool))
"""

# Writes to the board: whatever ran at the port ends, and the port is there again once the new firmware runs.
WRITE = """
[ -e "$1.refuses" ] && { echo "Failed to connect to ESP32: Wrong boot mode detected"; exit 1; }
[ -e "$1.pid" ] && kill -9 "$(cat "$1.pid")"
rm -f "$1" "$1.qemu"
echo written >> "$1.log"
qemu="qemu-system-arm -machine mps2-an385 -display none -monitor none -serial pty -kernel $2"
setsid sh -c "exec $qemu" > "$1.qemu" 2>&1 &
echo $! > "$1.pid"
until grep -qs /dev/pts "$1.qemu"; do sleep 0.05; done
ln -s "$(grep -o '/dev/pts/[0-9]*' "$1.qemu")" "$1"
"""


def add_upload(firmware: Path) -> None:
    """Has the projects made of this copy of firmware/ write to such a board."""
    script = firmware.parent / "write.sh"
    script.write_text(WRITE)
    with (firmware / "platform" / "builder" / "main.py").open("a") as builder:
        builder.write(ADDED_TO_BUILDER.format(script=script))


@contextlib.contextmanager
def bare_board(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The board's file and its port, in this folder; what runs there ends with the block."""
    text = (data_dir("boards") / "qemu-cortex-m3.toml").read_text().replace('id = "qemu-cortex-m3"', 'id = "bare"')
    before, _, emulator = text.partition("[emulator]")
    path, port = folder / "bare.toml", folder / "ttyBARE"
    path.write_text(before + emulator[emulator.index("\n[") :])
    port.symlink_to("nothing")
    try:
        yield path, port
    finally:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int(Path(f"{port}.pid").read_text()), signal.SIGKILL)
