"""What is said of samples that cannot be used."""

from pathlib import Path

from tinydeploy.errors import UsageError
from tinydeploy.model.graph import Tensor
from tinydeploy.model.text import printable


def misfit(path: Path, what: str, *, hint: str = "") -> UsageError:
    """Samples that are there, but are not what the model takes. ``path`` is as the user gave it."""
    return UsageError(f"samples do not fit: {what}", where={"file": str(path)}, hint=hint)


def bad_member(path: Path, what: str, *, hint: str = "") -> UsageError:
    """One file among those that were found in a folder: its name is not the user's, and may hold anything."""
    return UsageError(f"samples do not fit: {what}", where={"file": printable(str(path), limit=240)}, hint=hint)


def unreadable(path: Path, error: OSError) -> UsageError:
    """A file or a folder that the system does not let be read."""
    reason = (error.strerror or str(error)).lower()
    return bad_member(path, f"it cannot be read: {reason}", hint="check the file's permissions")


def input_name(tensor: Tensor) -> str:
    """How an input is named in messages."""
    return f"input {printable(tensor.name)}"
