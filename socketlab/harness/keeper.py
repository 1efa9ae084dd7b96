"""Starts one program inside its box, says how it ended, and ends all that it has started.

python -I -S keeper.py NAME=VALUE... -- COMMAND...: it says "started PID" on the socket `control`
just before the command takes the place of its process, then "runs", or "failed WHY" if it does
not, and at last "ended CODE" (below zero: a signal).
The end of `control` ends everything below this process, and then this process itself.
Standard library only, and little of it: it is started before each program.
"""

import _signal
import os
import select
import sys

try:
    import resource
except ImportError:  # Windows, where nothing starts a keeper
    resource = None

LOOK = 0.25  # seconds between two looks at what the processes use
SUBREAPER, DUMPABLE = 36, 4  # PR_SET_CHILD_SUBREAPER and PR_SET_DUMPABLE of <linux/prctl.h>
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
KEEP = ("PATH", "LANG", "TZ")  # of the environment


def main():
    """Keep one program."""
    at = sys.argv.index("--")
    pairs = [word.split("=", 1) for word in sys.argv[1:at]]
    words = {name: value for name, value in pairs if name != "read"}
    words["read"] = [value for name, value in pairs if name == "read"]
    command = sys.argv[at + 1 :]
    control = int(words["control"])
    os.set_inheritable(control, False)
    first_to_go()
    guard()
    woken, wake = os.pipe()
    failure, fails = os.pipe()
    os.set_blocking(wake, False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.set_wakeup_fd(wake)
    child = os.fork()
    if not child:
        become(command, words, control, fails)
    os.close(fails)
    why = os.read(failure, 1000)
    os.write(control, b"failed %b\n" % why if why else b"runs\n")
    leave_streams(words)
    keep(child, control, woken, words)
    if os.getpid() != 1:  # else the kernel ends all others with this process
        end_below()


def leave_streams(words):
    """Let go of the program's output, and of whatever this process was given itself."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2, int(words["stdout"]), int(words["stderr"])):
        os.dup2(nothing, number)


def keep(child, control, woken, words):
    """Wait for children, and say how `child` ended, until `control` ends or too much is used."""
    while not too_much(words):
        readable, _, _ = select.select([control, woken], [], [], LOOK)
        if control in readable:
            return
        if woken in readable:
            os.read(woken, 1000)
        for pid, status in ended():
            if pid == child:
                os.write(control, b"ended %d\n" % os.waitstatus_to_exitcode(status))


def too_much(words):
    """Whether the processes together use more memory or more disk than they may."""
    processes = below(os.getpid())
    most = int(words["memory"])
    if sum(map(resident, processes)) > most and sum(map(share, processes)) > most:
        return True
    return size(words["folder"]) + sum(map(unnamed, processes)) > int(words["disk"])


def resident(pid):
    """How many bytes of memory a process has, those that it shares with others too (Linux)."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def share(pid):
    """The same, but what several processes share is divided among them: slower to find out."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            lines = [line.split() for line in file]
    except OSError:
        return 0
    return sum(int(words[1]) * 1024 for words in lines if words[0] == b"Pss:")


def unnamed(pid):
    """How many bytes the files have that a process has open and that are in no folder (Linux)."""
    total = 0
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            about = entry.stat()
            if not about.st_nlink:
                total += about.st_size
    except OSError:  # it is gone, or is none of ours
        pass
    return total


def size(folder):
    """How many bytes the files below a folder have."""
    total = 0
    try:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                total += size(entry.path)
            else:
                total += entry.stat(follow_symlinks=False).st_size
    except OSError:  # something is gone
        pass
    return total


def ended():
    """(pid, status) of each child that has ended."""
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found
    except ChildProcessError:
        pass


def become(command, words, control, fails):
    """Become the program: this process is its own, with its limits. Say to `fails` why not."""
    try:
        os.setsid()
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        for number in _signal.valid_signals():  # a shell lets "&" ignore some
            if _signal.getsignal(number) == _signal.SIG_IGN:
                _signal.signal(number, _signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(int(words["stdout"]), 1)
        os.dup2(int(words["stderr"]), 2)
        limit(words)
        os.write(control, b"started %d\n" % os.getpid())
        os.set_inheritable(int(words["stdout"]), False)
        os.set_inheritable(int(words["stderr"]), False)
        os.execve(command[0], command, environment(words))
    except BaseException as error:
        os.write(fails, ascii(error)[:500].encode())
    finally:
        os._exit(127)


def limit(words):
    """Give this process its folder, its limits, its fences and its user, in this order."""
    os.chdir(words["folder"])
    if "landlock" in words:
        confine(words["folder"], words["read"], words["landlock"])
    for name, value in words.items():
        if name.startswith("RLIMIT_") and hasattr(resource, name):
            lower(getattr(resource, name), int(value))
    if uid := int(words.get("uid", 0)):
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def lower(limit, value):
    """Lower one limit; a lower one stays."""
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(limit, (value, value))
    except (OSError, ValueError):  # macOS knows some limits by name only
        return


def first_to_go():
    """When the machine has no memory left, the kernel ends this process and those below first."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:  # not Linux
        pass


def environment(words):
    """What the program sees: nothing of who grades it."""
    kept = {name: os.environ[name] for name in KEEP if name in os.environ}
    folder = words.get("folder", "/")
    return {"LANG": "C.UTF-8", **kept, "HOME": folder, "TMPDIR": folder, "NO_COLOR": "1"}


def guard():
    """Become the parent of all orphans below, and nobody's to trace (Linux only)."""
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(SUBREAPER, 1, 0, 0, 0)
        prctl(DUMPABLE, 0, 0, 0, 0)


def end_below():
    """End every process below this one. They are stopped first, so that none can start others."""
    stopped = set()
    while fresh := below(os.getpid()) - stopped:
        for pid in fresh:
            send(pid, _signal.SIGSTOP)
        stopped |= fresh
    while left := below(os.getpid()):
        for pid in left:
            send(pid, _signal.SIGKILL)
    try:
        while True:  # until none is left that somebody else would have to wait for
            os.waitpid(-1, 0)
    except ChildProcessError:
        return


def send(pid, number):
    """A signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except OSError:
        return


def below(root):
    """The processes below one that have not ended."""
    parents = dict(living())
    found = set()
    fresh = {root}
    while fresh := {pid for pid, parent in parents.items() if parent in fresh} - found:
        found |= fresh
    return found


def living():
    """(pid, its parent's pid) of each process that is no zombie."""
    if not os.path.isdir("/proc/self"):
        yield from listed()
        return
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue
            if state not in b"ZX":
                yield int(name), int(parent)


def listed():
    """The same where there is no /proc."""
    for line in os.popen("ps -Ao pid=,ppid=,state="):
        pid, parent, state = line.split()
        if not state.startswith("Z"):
            yield int(pid), int(parent)


def confine(folder, read, library):
    """Let this process read what `read` names, have files in its folder, signal its own only.
    The means for it are installed in the folder `library`."""
    import ctypes.util

    sys.path.append(library)
    ctypes.util.find_library = {}.get  # else it starts programs to find what is loaded already
    from landlockpy import AccessFS, AccessNet, Ruleset, Scope

    reading = AccessFS.READ_FILE | AccessFS.READ_DIR | AccessFS.EXECUTE
    adding = AccessFS.WRITE_FILE | AccessFS.MAKE_REG | AccessFS.MAKE_DIR | AccessFS.TRUNCATE
    adding |= AccessFS.REMOVE_FILE | AccessFS.REMOVE_DIR | AccessFS.MAKE_SOCK
    scopes = Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET
    with Ruleset(handled_net=AccessNet.NONE, scoped=scopes) as rules:
        for path in read:
            files = reading if os.path.isdir(path) else reading & ~AccessFS.READ_DIR
            rules.allow_path(path, files)
        for path in DEVICES:
            rules.allow_path(path, AccessFS.READ_FILE | AccessFS.WRITE_FILE)
        rules.allow_path(folder, AccessFS.READ_FILE | AccessFS.READ_DIR | adding)
        rules.restrict()


if __name__ == "__main__":
    main()
