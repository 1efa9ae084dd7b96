"""The sandbox of namespaces: the checks in one bubblewrap, each program in another inside it.

The outer one has a network, processes and mounts of its own, and shows the checks, read-only. The
inner one shares the network only; it shows Python and the program, nothing else. As root one more
is around both: it shows folders that only root may enter, and what is in it is a user of its own.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from socketlab.grading.uids import DROP, own_uid
from socketlab.grading.workplace import (
    DISK,
    KEEPER,
    KIT,
    Means,
    Workplace,
    bare_python,
    limits,
    packages,
    settings,
)
from socketlab.harness.box import Box
from socketlab.harness.runner import MARK, environment
from socketlab.learner import Lab

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
)
INSIDE = Path("/lab")  # the folder of the program, as it and its checks see it
VARIABLES = ("LANG", "PATH", "PYTHONPATH", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "TZ", MARK)
APART = [
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--new-session", "--die-with-parent", "--cap-drop", "ALL"),
]
INSTALL = "Install it: apt install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora)."
ALLOW = (
    "In a container, allow user namespaces; on Ubuntu 24.04 and later, put this in a file "
    "/etc/apparmor.d/bwrap and load it with apparmor_parser -r: abi <abi/4.0>, "
    "profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }"
)


def why_no_bubblewrap() -> str:
    """Why this sandbox does not work here and what to do; "" if it does. It is tried."""
    if sys.platform != "linux":
        return "bubblewrap is there on Linux only."
    if not shutil.which("bwrap"):
        return f"bubblewrap is not installed. {INSTALL}"
    with own_uid() as uid:
        nothing = [*_inner(), "--", bare_python(), "-I", "-S", "-c", ""]
        tried = subprocess.run(
            [*_outer({}, uid), "--", *nothing], capture_output=True, text=True, errors="replace"
        )
    if not tried.returncode:
        return ""
    said = (tried.stderr.strip().splitlines() or ["no message"])[0]
    if "nknown option" in said:
        return f"This bubblewrap is too old: 0.8 or later is needed ({said})."
    return f"bubblewrap is installed, but may not make namespaces ({said}). {ALLOW}"


def means(place: Workplace, lab: Lab) -> Means:
    """How a submission of this lab is run at this place."""
    program = INSIDE / place.program.name
    shown = {path: path for path in (str(KIT), *_folders_of(lab))}
    shown[str(place.program)] = str(program)

    def wrap(command: list[str], folder: Path) -> list[str]:
        folder.chmod(0o755)  # its owner may be root, and its reader is not
        return [*_outer(shown | {str(folder): str(folder)}, place.uid, folder), "--", *command]

    keeper = [bare_python(), "-I", "-S", "/keeper.py", "folder=/tmp", *limits()]
    before = (*_inner(), "--ro-bind", str(KEEPER), "/keeper.py")
    last = ("--remount-ro", "/", "--", *keeper)
    return Means(program, wrap, Box(bare_python(), before, ("--ro-bind", "{}", "{}"), last))


def _outer(shown: Mapping[str, str], uid: int, mark: Path = Path()) -> list[str]:
    """The words that start the outer sandbox: it shows each path of `shown`, under that name."""
    python = [path for path in (sys.prefix, sys.base_prefix) if not _is_shown(path)]
    python += _libraries()
    everything = _read_only({path: path for path in python} | dict(shown))
    # What is shown may lie in /tmp, and is put into the sandbox's own.
    words = [_bwrap(), *APART, "--unshare-net", *_system(), *_own_folders(), *everything]
    words += ["--remount-ro", "/", "--chdir", "/", "--clearenv", *_variables(mark)]
    if not uid:
        return words
    proc = ["--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev", "--dir", "/tmp"]
    seen = _read_only({path: path for path in (*python, *shown)})
    layer = [_bwrap(), "--die-with-parent", *_system(), *proc, *seen]
    return [*layer, "--", bare_python(), "-I", "-S", "-c", DROP, str(uid), *words]


def _inner() -> tuple[str, ...]:
    """The words that start the inner sandbox, up to the files that it shows."""
    prefix = sys.base_prefix
    words = [_bwrap(), *APART, "--disable-userns", "--as-pid-1", *_system(), *_own_folders()]
    words += [] if _is_shown(prefix) else _read_only({prefix: prefix})
    for path in packages():  # what has been installed there is not the program's
        words += ["--size", "4096", "--tmpfs", path, "--remount-ro", path]
    return (*words, "--chdir", "/tmp", "--clearenv")


def _own_folders() -> list[str]:
    """Folders that a sandbox has for itself; what is written to them is bounded."""
    small = ["--size", str(DISK), "--tmpfs"]
    shm = [*small, "/dev/shm", "--remount-ro", "/dev"]
    return ["--proc", "/proc", "--dev", "/dev", *shm, *small, "/tmp"]


def _system() -> list[str]:
    """The system's folders, read-only; those that are links to others stay links."""
    words = _read_only({path: path for path in settings()})
    for path in filter(os.path.exists, SYSTEM):
        linked = os.path.islink(path)
        words += ["--symlink", os.readlink(path), path] if linked else ["--ro-bind", path, path]
    return words


def _libraries() -> list[str]:
    """The folders of what is installed for Python elsewhere, as by pip install --user."""
    own = [*SYSTEM, sys.prefix, sys.base_prefix]
    names = {Path(path).name for path in (*site.getsitepackages(), site.getusersitepackages())}
    folders = [path for path in sys.path if Path(path).name in names]
    apart = [path for path in folders if not any(Path(path).is_relative_to(each) for each in own)]
    return list(filter(os.path.isdir, apart))


def _is_shown(path: str) -> bool:
    return any(Path(path).is_relative_to(each) for each in SYSTEM)


def _read_only(shown: Mapping[str, str]) -> list[str]:
    """The words that show each path under its name, in folders that everybody may enter."""
    parents = {str(each) for name in shown.values() for each in Path(name).parents[:-1]}
    words = [word for folder in sorted(parents) for word in ("--dir", folder)]
    return words + [word for path, name in shown.items() for word in ("--ro-bind", path, name)]


def _variables(mark: Path) -> Iterator[str]:
    env = environment(mark)
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], *_libraries()])
    for name in VARIABLES:
        if name in env:
            yield from ("--setenv", name, env[name])


def _folders_of(lab: Lab) -> list[str]:
    """What the checks of a lab read: labs, hidden checks, and the scripts that are clients."""
    folders = [lab.root / name for name in ("labs", "solutions/checks", "scripts")]
    return [str(folder) for folder in folders if folder.is_dir()]


def _bwrap() -> str:
    return shutil.which("bwrap") or "bwrap"
