"""A program that tries what it must not be able to do, one case at a time, and tells."""

import ctypes
import glob
import json
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress

GIVEN = {}  # where things are that are not this program's


def attempt(kind, address):
    """Say what becomes of some bytes to an address."""
    with socket.socket(type=kind) as sock:
        try:
            sock.settimeout(5)
            sock.connect(address)
            print("sent", sock.send(b"secret"))
        except OSError as error:
            print(error.strerror)


def case_calls_out():
    attempt(socket.SOCK_STREAM, ("127.0.0.1", GIVEN["port"]))
    attempt(socket.SOCK_STREAM, ("192.0.2.1", 80))
    attempt(socket.SOCK_DGRAM, ("192.0.2.1", 53))


def case_reads():
    for path in GIVEN["files"]:
        for what, where in ((open, path), (os.listdir, os.path.dirname(path))):
            try:
                found = what(where)
            except OSError:
                continue
            if what is open or os.path.basename(path) in found:
                print("reached", path)


def case_looks_at_its_environment():
    print([name for name in os.environ if "SECRET" in os.environ[name]])


def case_imports():
    for name in ("socketlab", "pytest", "psutil"):
        try:
            __import__(name)
            print(name)
        except ImportError:
            pass


def case_writes():
    with open("server.log", "w") as log:
        log.write("hello")
    with tempfile.TemporaryFile() as file, open("server.log") as log:
        print(log.read(), file.write(b"hello"), tempfile.gettempdir() == os.getcwd())


def case_changes_its_file():
    try:
        with open(__file__, "a") as file:
            file.write("changed")
        print("changed")
    except OSError:
        pass


def case_inherits():
    there = []
    for number in range(2000):
        try:
            os.fstat(number)
            there.append(number)
        except OSError:
            pass
    ignored = [each.name for each in signal.valid_signals() if ignores(each)]
    print(there, ignored, os.getsid(0) == os.getpid(), os.read(0, 1))


def ignores(number):
    return signal.getsignal(number) == signal.SIG_IGN


def case_kills():
    for pid in [-1, os.getppid(), *range(2, 40000)]:
        if pid != os.getpid():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    print("still here")


def case_traces():
    libc, attach = ctypes.CDLL(None), 16
    others = [pid for pid in range(1, 40000) if not is_mine(pid)]
    print([pid for pid in others if libc.ptrace(attach, pid, 0, 0) == 0])


def is_mine(pid):
    try:
        return pid == os.getpid() or os.stat(f"/proc/{pid}").st_uid == os.getuid() != GIVEN["uid"]
    except OSError:
        return False


def case_forges():
    empty = ("happened", "sent", "got", "wanted", "program", "means", "read", "seed")
    verdict = dict.fromkeys(empty, "")
    verdict |= {"name": "test_tells", "title": "t", "outcome": "pass", "steps": [], "signs": []}
    lines = json.dumps({"verdict": verdict}) + '\n{"end": 1}\n'
    written = 0
    for number in range(3, 1024):
        with suppress(OSError):
            written += os.write(number, lines.encode()) > 0
    for path in forgeable():
        try:
            with open(path, "a") as file:
                file.write(lines)
        except (OSError, ValueError):
            pass
    print(written)


def forgeable():
    for path in glob.glob("/proc/[0-9]*/fd/[0-9]*"):
        if not path.startswith(f"/proc/{os.getpid()}/"):
            yield path
    for top in ("/tmp", "/dev/shm", "/var/tmp"):
        for folder, _, names in os.walk(top):
            yield from (os.path.join(folder, name) for name in names if "socketlab" in folder)


def case_leaves_a_daemon():
    listener = socket.create_server(("127.0.0.1", 0))
    os.set_inheritable(listener.fileno(), True)
    print(listener.getsockname()[1], flush=True)
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    code = "import time; time.sleep(1000)"
    os.execv(sys.executable, [sys.executable, "-c", code, GIVEN["mark"]])


def case_exits_130():
    sys.exit(130)


def case_dies_of_ctrl_c():
    sys.excepthook = lambda *_: None
    os.kill(os.getpid(), signal.SIGINT)


def case_dies_of_a_signal():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def case_takes_memory():
    try:
        bytearray(2 << 30)
    except MemoryError:
        print("no more memory")


def case_takes_memory_together():
    for _ in range(4):
        if not os.fork():
            held = bytearray(b"x") * (600 << 20)
            time.sleep(1000)
            print(len(held))
    time.sleep(1000)


def case_hides_memory():
    """Bytes in files without a name, which are part of no process."""
    files = [os.memfd_create("hidden") for _ in range(40)]
    for file in files:
        for _ in range(50):
            os.write(file, bytes(1 << 20))
    time.sleep(1000)


def case_fills_the_disk():
    written = 0
    try:
        with open("big", "wb", buffering=0) as file:
            while True:
                written += file.write(bytes(1 << 20))
    except OSError:
        print(written, flush=True)
    os.unlink("big")


def case_starts_processes():
    count = 0
    try:
        while count < 5000:
            if not os.fork():
                time.sleep(1000)
            count += 1
    except OSError:
        print(count, flush=True)


def case_raises_its_limits():
    for name in ("NPROC", "DATA", "AS", "FSIZE"):
        try:
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), (-1, -1))
            print(name)
        except (OSError, ValueError):
            pass


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]]()
