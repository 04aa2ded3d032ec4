"""The errors of the link, in words."""

import struct

from tinydeploy.errors import (
    DeviceNotFoundError,
    FitError,
    LinkError,
    TinydeployError,
    VerificationError,
    WrongFirmwareError,
)
from tinydeploy.link.hello import Hello
from tinydeploy.link.messages import PROTOCOL_VERSION, ErrorCode, Message, Refusal
from tinydeploy.link.status import TflmStatus, status_text

FLASH_AGAIN = "flash it again: tinydeploy flash MODEL --board ID"

_BOOT_LOADER = "the board waits in its boot loader: press its reset button, or unplug it and plug it in again"
_TEXT_CHARS = 12


def no_answer(
    port: str, timeout_s: float, *, received: int, frames: int, seen: bytes, heard: bytes, damaged: int, echoes: bool
) -> TinydeployError:
    """Nobody said hello: what was seen instead."""
    words = _words(heard)
    if echoes:
        saw, hint = "everything that is sent comes back", "this port is a loopback or an echoing terminal: try another"
    elif received == 0:
        saw, hint = "not a single byte", "is it the right port, is the board powered, and has it been flashed?"
    elif frames:
        saw = f"{received:,} B with {frames:,} valid frames, all of another conversation"
        hint = "another program talks to it, or it has not yet heard this one: close the other, then start again"
    elif words:
        saw = f"{received:,} B of text; the last lines:\n{words}"
        hint = _BOOT_LOADER if "waiting for download" in words else "another firmware runs there; " + FLASH_AGAIN
    else:
        saw = f"{received:,} B, but no valid frame ({damaged:,} damaged); the first: {seen.hex(' ')}"
        hint = "something else talks on this port, or at another speed; " + FLASH_AGAIN
    return DeviceNotFoundError(f"no answer within {timeout_s:g} s", where={"port": port, "received": saw}, hint=hint)


def _words(heard: bytes) -> str:
    """The last lines of what was heard where it is text, such as the log of a chip that starts over and over again."""
    text = heard.decode("ascii", errors="replace")
    readable = sum(char.isascii() and (char.isprintable() or char.isspace()) for char in text)
    lines = [line.strip("\0 \t\r") for line in text.splitlines()]
    return "\n".join(list(filter(None, lines))[-3:]) if readable >= max(_TEXT_CHARS, 0.9 * len(text)) else ""


def wrong_version(port: str, version: int) -> TinydeployError:
    """The device speaks, but another language."""
    return WrongFirmwareError(
        f"the device speaks version {version} of the protocol, this program version {PROTOCOL_VERSION}",
        where={"port": port},
        hint=FLASH_AGAIN,
    )


def another_firmware(hello: Hello, build_id: bytes, model_sha256: str) -> TinydeployError:
    """The device runs something else than what was expected: another model, or this one built in another way."""
    engine = f"{hello.engine} on {hello.board}"
    is_of_model = hello.model_sha256 == model_sha256
    return WrongFirmwareError(
        "the device runs another firmware" + (" of the same model" if is_of_model else ""),
        where={
            "device": f"model {hello.model_sha256}\nengine {engine}\nbuild {hello.build_id.hex()}",
            "expected": f"model {model_sha256}\nbuild {build_id.hex()}",
        },
        hint=("give the options that it was flashed with, or " if is_of_model else "") + FLASH_AGAIN,
    )


def model_not_started(hello: Hello) -> TinydeployError:
    """The device runs the right firmware, but its engine could not start the model."""
    where = {"device": f"{hello.engine} on {hello.board}", "reason": status_text(hello.engine, hello.model_status)}
    reserved = hello.arena.reserved_bytes
    if hello.engine == "tflm" and hello.model_status == TflmStatus.ARENA_TOO_SMALL:
        smallest = hello.arena.smallest_bytes
        needed = f", {smallest:,} B needed" if smallest else ""
        return FitError(
            f"the arena of {reserved:,} B is too small for the model to start{needed}",
            where=where,
            hint="leave out --arena-bytes, or give more",
        )
    if hello.engine == "tflm" and hello.model_status == TflmStatus.MODEL_ALTERED:
        return altered_model(hello)
    return VerificationError("the engine could not start the model on the device", where=where, hint=FLASH_AGAIN)


def altered_model(hello: Hello) -> TinydeployError:
    """The firmware is the one that was built, but not the model beside it."""
    return WrongFirmwareError(
        "the model in the device's flash is not the one that its firmware was built with",
        where={"device": f"model {hello.model_sha256}\nengine {hello.engine} on {hello.board}"},
        hint=FLASH_AGAIN + "\nif it happens again: the flash is damaged, or something writes to it",
    )


def not_understood(port: str, what: str) -> TinydeployError:
    """An intact reply that makes no sense."""
    return WrongFirmwareError(f"the device's reply makes no sense: {what}", where={"port": port}, hint=FLASH_AGAIN)


def silent(port: str, seconds: float) -> TinydeployError:
    """The device answered before, but not any more."""
    return LinkError(
        f"the device has stopped answering: nothing for {seconds:g} s",
        where={"port": port},
        hint="check the cable; if it happens again, the firmware may have crashed: look at its stack in bench",
    )


def stuck(port: str, seconds: float, inference: int) -> TinydeployError:
    """The device answers, but does not get on."""
    return LinkError(
        f"inference {inference} has made no progress for {seconds:g} s, though the device answers",
        where={"port": port},
        hint="the model may be too slow for this board, or the firmware hangs in it",
    )


def engine_failed(port: str, inference: int, status: int) -> TinydeployError:
    """The engine refused to compute."""
    return VerificationError(
        f"the engine failed at inference {inference}: status {status}",
        where={"port": port},
        hint="the engine's source says what the status means",
    )


def refused(port: str, payload: bytes) -> TinydeployError:
    """What a reply of kind ERROR means."""
    try:
        refusal = Refusal.unpack(payload)
    except struct.error:
        return not_understood(port, "ERROR")
    if refusal.code == ErrorCode.MODEL_FAILED:
        return VerificationError(
            f"the engine could not start the model on the device: status {refusal.model_status}",
            where={"port": port},
            hint="the engine's source says what the status means; too small an arena is the usual reason",
        )
    if refusal.code == ErrorCode.NO_SESSION:
        return LinkError(
            "the device restarted in the middle of the conversation, or another program talks to it",
            where={"port": port},
            hint="check its power and stack, close other programs, then start again",
        )
    code = ErrorCode(refusal.code).name if refusal.code in set(ErrorCode) else str(refusal.code)
    message = Message(refusal.message).name if refusal.message in set(Message) else str(refusal.message)
    return LinkError(f"the device refused {message}: {code}", where={"port": port}, hint=FLASH_AGAIN)
