"""Names that would do harm in some output, were they not made harmless there."""

import random

MARK = "tdmark"
"""Stands in every planted name, so that it is found wherever it comes out."""


def hostile_text(rng: random.Random) -> bytes:
    """One of them, in bytes: not all are UTF-8."""
    harm = (
        f"{MARK}\"'<&>*/\n../".encode(),
        f"</script><{MARK} a='\" onload=alert(1)>".encode(),
        f"*/ #error {MARK} /*".encode(),
        f'{MARK}"; system("touch {MARK}"); "'.encode(),
        f"\\\n#include <{MARK}>\n??/".encode(),
        f"../../../../{MARK}/\0x".encode(),
        f"\x1b]0;{MARK}\x07\x1b[2J".encode(),
        f"|{MARK}|`a`|[x](javascript:alert(1)) ![y](http://z) @you http://www.{MARK}.org".encode(),
        f"{{{{ {MARK} }}}} {{% raw %}} %s%n $(touch {MARK})".encode(),
        b"\xff\xfe\xc3\x28" + MARK.encode() + b"\x80",
        f"\u202e{MARK}\u2028\x9b31m\U0001f4a9 ]]> <!-- -->".encode(),
        MARK.encode() * 17_000,  # 100 KB
        b"",
    )
    return rng.choice(harm)
