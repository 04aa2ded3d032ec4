"""A JSON file that an earlier run of tinydeploy wrote, given back by the user: it may be any file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinydeploy.errors import UsageError


@contextmanager
def json_of(verb: str, path: Path, *, purpose: str) -> Iterator[Any]:
    """What ``verb`` wrote to the file, for a block that takes from it what it needs.

    Raises:
        UsageError: It cannot be read, or the block does not find what it looks for (KeyError, TypeError,
            AttributeError): then it is another file.
    """
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _another(verb, path, purpose, f"it cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:  # of JSON and of UTF-8; of a thousand brackets
        raise _another(verb, path, purpose, f"it is not JSON: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise _another(verb, path, purpose, f"it is no {verb}: {type(error).__name__}: {error}") from error


def _another(verb: str, path: Path, purpose: str, problem: str) -> UsageError:
    return UsageError(
        f"not a {verb} to {purpose}: {path}",
        where={"reason": problem},
        hint=f"give a file that `tinydeploy {verb} MODEL --board ID --json FILE` wrote",
    )
