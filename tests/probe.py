"""What a process holds at this moment; test_nothing_left loads it into a notebook's kernel."""

import collections
import gc
import os
import socket
import tempfile
import threading
import warnings
from pathlib import Path

import psutil

unclosed: list[str] = []


def watch_for_unclosed() -> None:
    """From now on, keep each warning that a socket or a file was dropped instead of closed."""
    warnings.simplefilter("always", ResourceWarning)
    show = warnings.showwarning

    def keep(message, category, *place, **more):
        if category is ResourceWarning:
            unclosed.append(str(message))
        else:
            show(message, category, *place, **more)

    warnings.showwarning = keep


def kernel_ports() -> set[int]:
    """The ports of the kernel's own channels: their peers come and go by themselves."""
    from ipykernel.connect import get_connection_info

    return {port for name, port in get_connection_info(unpack=True).items() if "_port" in name}


def connections() -> list:
    """The sockets of this process that are not the kernel's channels."""
    own = kernel_ports()
    found = psutil.Process().net_connections("inet")
    return [each for each in found if each.laddr and each.laddr.port not in own]


def descriptors() -> list[str]:
    """What every open descriptor leads to; fonts are left out, matplotlib keeps those it used."""
    table = Path("/proc/self/fd")
    if not table.is_dir():  # no such table: sockets by their addresses, and files
        open_files = [file.path for file in psutil.Process().open_files()]
        return [f"{s.type.name} {s.laddr} {s.raddr}" for s in connections()] + open_files
    mine = {str(s.fd) for s in psutil.Process().net_connections("inet")}
    mine -= {str(s.fd) for s in connections()}
    numbers = [entry.name for entry in table.iterdir() if entry.name not in mine]
    return [os.readlink(table / n) for n in numbers if os.path.lexists(table / n)]


def files() -> list[str]:
    """Every file in the working folder and in the folder for temporary files."""
    folders = (Path.cwd(), Path(tempfile.gettempdir()))
    return [str(path) for folder in folders for path in folder.rglob("*")]


def held() -> dict[str, dict[str, int]]:
    """Everything that a notebook must give back, each thing with how often it is there."""
    gc.collect()
    things = {
        "threads": [f"{t.name} ({t.ident})" for t in threading.enumerate()],
        "processes": [str(child) for child in psutil.Process().children(recursive=True)],
        "listening": [str(s.laddr) for s in connections() if s.status == psutil.CONN_LISTEN],
        "descriptors": [name for name in descriptors() if not name.endswith((".ttf", ".otf"))],
        "files": files(),
        "dropped without close": unclosed,
        "socket class": [f"{name}: {value}" for name, value in vars(socket.socket).items()],
    }
    return {kind: dict(collections.Counter(names)) for kind, names in things.items()}
