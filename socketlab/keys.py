"""Single keys from a terminal, without Enter and without waiting longer than asked."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

END = "\x04"  # Ctrl-D, and what is read when the terminal has gone


@contextmanager
def single_keys() -> Iterator[None]:
    """The terminal gives each key at once and does not show it; afterwards it is as before."""
    if os.name == "nt":
        yield
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def key(wait: float) -> str:
    """The key that is pressed within `wait` seconds; "" if none, END if the terminal has gone."""
    if os.name == "nt":
        return _windows_key(wait)
    import select

    if not select.select([sys.stdin], [], [], wait)[0]:
        return ""
    try:
        pressed = os.read(sys.stdin.fileno(), 1)
    except OSError:
        return END
    return pressed.decode("ascii", "replace").lower() or END


def _windows_key(wait: float) -> str:
    import msvcrt

    end = time.monotonic() + wait
    while not msvcrt.kbhit():  # type: ignore[attr-defined]
        if time.monotonic() >= end:
            return ""
        time.sleep(0.02)
    return str(msvcrt.getwch()).lower()  # type: ignore[attr-defined]
