"""What the pipeline holds, and gives back."""

import os
import pty
import threading
import tty
from pathlib import Path

import pytest
from command_line import BOARD
from small_models import small_model

from tinydeploy import pipeline
from tinydeploy.deployment import Target
from tinydeploy.errors import WrongFirmwareError
from tinydeploy.link.frame import Decoder, Frame, encode
from tinydeploy.link.messages import REPLY, Message


def answer_as_another_version(master: int) -> None:
    """Answers the first frame that comes like a device of a protocol of the future."""
    decoder = Decoder()
    while not (frames := list(decoder.feed(os.read(master, 4096)))):
        pass
    asked = frames[0]
    reply = Frame(message=Message.HELLO | REPLY, sequence=asked.sequence, session=asked.session, payload=b"\xff")
    os.write(master, encode(reply))


def test_a_port_that_is_of_no_use_is_given_back(tmp_path):
    model = tmp_path / "small.tflite"
    model.write_bytes(small_model())
    master, slave = pty.openpty()
    tty.setraw(slave)
    port = os.ttyname(slave)
    device = threading.Thread(target=answer_as_another_version, args=(master,), daemon=True)
    device.start()
    with pytest.raises(WrongFirmwareError, match="version 255 of the protocol") as caught:
        pipeline.verify(model, Target(board=BOARD), port=port)
    device.join()
    os.close(slave)
    held = [descriptor for descriptor in Path("/proc/self/fd").iterdir() if os.path.realpath(descriptor) == port]
    os.close(master)
    assert not held
    assert caught.value.where["port"] == port, "the failure is still there, so nothing was given back by its end"
