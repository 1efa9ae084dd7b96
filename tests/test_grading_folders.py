"""Folders on disk are read without following a link, opening a pipe or running anything."""

import os
import shutil
import subprocess
import sys
import zlib
from datetime import datetime
from pathlib import Path

import pytest
from handed_in import GOOD, SMALL, put

from socketlab.grading.files import Budget, Limits, Listing, UnreadableError
from socketlab.grading.folders import last_commit, list_folder, read_bytes

COMMITTED = "2026-11-20T14:05:33+00:00"
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")


def look(folder: Path, limits: Limits = SMALL) -> Listing:
    """What is in a folder that is called class."""
    return list_folder(folder, "class", limits)


def names(listing: Listing) -> list[str]:
    """The files' names."""
    return [file.name for file in listing.files]


def reasons(listing: Listing) -> dict[str, str]:
    """The refusals by name."""
    return {refusal.name: refusal.reason for refusal in listing.refusals}


def test_all_files_in_a_fixed_order(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "b/x/lab.py": b"1",
            "a.py": GOOD,
            "b/a.py": b"2",
            "c/.DS_Store": b"",
            "c/__pycache__/a.py": b"",
        },
    )
    listing = look(tmp_path)
    assert names(listing) == ["class/a.py", "class/b/a.py", "class/b/x/lab.py"]
    assert listing.files[0].read(SMALL.entry, Budget(10_000)) == GOOD
    assert listing.files[0].when


def test_a_folder_that_is_named_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "ada" / "lab.py").mkdir(parents=True)
    assert look(tmp_path).folders == ("class/ada/lab.py",)


@needs_links
def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    put(tmp_path, {"secret.py": b"answers", "in/ada/lab.py": GOOD})
    for name, target in {
        "ada/out.py": "../../secret.py",
        "bob": "..",
        "ada/same.py": "lab.py",
        "loop": "loop",
    }.items():
        (tmp_path / "in" / name).symlink_to(target)
    listing = look(tmp_path / "in")
    assert names(listing) == ["class/ada/lab.py"]
    assert set(reasons(listing)) == {"class/ada/out.py", "class/bob", "class/loop"}
    with pytest.raises(OSError, match="symbolic link"):
        read_bytes(tmp_path / "in" / "ada" / "out.py", 100)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lab.py")
    assert "pipe" in reasons(look(tmp_path))["class/lab.py"]
    with pytest.raises(UnreadableError, match="pipe"):
        read_bytes(tmp_path / "lab.py", 100)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    put(tmp_path, {"ada/lab.py": GOOD, "bob/lab.py": GOOD})
    (tmp_path / "ada").chmod(0)
    try:
        listing = look(tmp_path)
    finally:
        (tmp_path / "ada").chmod(0o700)
    assert names(listing) == ["class/bob/lab.py"]
    assert "Permission denied" in reasons(listing)["class/ada"]


@pytest.mark.skipif(sys.platform != "linux", reason="only here a name may be any bytes")
def test_odd_names_are_refused_alone(tmp_path: Path) -> None:
    put(tmp_path, {"a\nb.py": b"1", "NUL.py": b"1", "lab.py": b"2"})
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.py"))).write_bytes(b"3")
    listing = look(tmp_path)
    assert names(listing) == ["class/lab.py"]
    assert set(reasons(listing)) == {"class/a\\nb.py", "class/NUL.py", "class/\\udce9.py"}


def test_one_learners_many_files_cost_nobody_elses(tmp_path: Path) -> None:
    put(tmp_path, {f"ada/{number:03}.py": b"" for number in range(SMALL.entries + 5)})
    put(tmp_path, {"bob/lab.py": GOOD})
    listing = look(tmp_path)
    assert len(names(listing)) == SMALL.entries  # the folder itself counts, too
    assert names(listing)[-1] == "class/bob/lab.py"
    assert ["Only the first 50" in reason for reason in reasons(listing).values()] == [True]


def git(folder: Path, *words: str) -> str:
    """What a git command prints, in a folder, with nobody's configuration."""
    when = {"GIT_COMMITTER_DATE": COMMITTED, "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}
    who = [
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@school.org",
        "-c",
        "init.defaultBranch=main",
    ]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"} | when
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, env=env, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one commit, whose file was written later."""
    folder = put(tmp_path / "ada", {"lab.py": GOOD})
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "done"]):
        git(folder, *words)
    return folder


def committed(checkout: Path) -> str:
    """The time that a checkout's file gets."""
    (file,) = look(checkout.parent).files
    assert file.when
    return file.when.isoformat()


@needs_git
def test_a_file_of_a_checkout_has_the_time_of_its_commit(checkout: Path) -> None:
    assert committed(checkout) == COMMITTED


@needs_git
def test_the_commit_is_found_however_it_is_kept(checkout: Path) -> None:
    git(checkout, "pack-refs", "--all")
    git(checkout, "gc", "-q")
    assert committed(checkout) == COMMITTED
    git(checkout, "checkout", "-q", "--detach")
    assert committed(checkout) == COMMITTED


HOSTILE = """
[core]
    fsmonitor = {trap}
    hooksPath = {folder}
    pager = {trap}
    sshCommand = {trap}
    gitProxy = {trap}
    alternateRefsCommand = {trap}
[pager]
    cat-file = {trap}
[alias]
    cat-file = !{trap}
[gpg]
    program = {trap}
[log]
    showSignature = true
[extensions]
    partialClone = origin
[remote "origin"]
    url = ext::{trap}
    promisor = true
[protocol]
    allow = always
"""


@needs_git
def test_nothing_of_a_hostile_checkout_is_run(checkout: Path) -> None:
    folder = checkout.parent
    trap = folder / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {folder}/sprung\n")
    trap.chmod(0o700)
    (checkout / ".git" / "config").write_text(HOSTILE.format(trap=trap, folder=folder))
    for hook in ("post-checkout", "reference-transaction", "fsmonitor-watchman"):
        shutil.copy(trap, folder / hook)
        shutil.copy(trap, checkout / ".git" / "hooks" / hook)
    subprocess.run(["git", "-C", checkout, "status"], capture_output=True, check=False)
    (folder / "sprung").unlink()  # that was what happens to who is not careful
    assert last_commit(checkout / ".git") == datetime.fromisoformat(COMMITTED)
    shutil.rmtree(checkout / ".git" / "objects" / git_object(checkout)[:2])
    assert last_commit(checkout / ".git") is None  # no object is fetched, either
    assert not (folder / "sprung").exists()


def git_object(checkout: Path) -> str:
    """The commit's name."""
    return (checkout / ".git" / "refs" / "heads" / "main").read_text().strip()


@needs_git
@pytest.mark.parametrize(
    "head",
    [
        "",
        "ref: refs/heads/../../../../secret",
        "ref: /etc/passwd",
        "f" * 40,
        "ref: refs/heads/none",
        "\xff",
    ],
)
def test_a_head_that_leads_nowhere_gives_no_time(checkout: Path, head: str) -> None:
    (checkout / ".git" / "HEAD").write_text(head, encoding="latin-1")
    assert last_commit(checkout / ".git") is None
    assert committed(checkout) != COMMITTED


@needs_git
def test_a_commit_that_unpacks_to_far_too_much_gives_no_time(checkout: Path) -> None:
    size = 200 << 20
    packer = zlib.compressobj()
    data = packer.compress(b"commit %d\0" % size)
    data += b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    name = git_object(checkout)
    path = checkout / ".git" / "objects" / name[:2] / name[2:]
    path.chmod(0o600)
    path.write_bytes(data)
    assert last_commit(checkout / ".git") is None


@needs_git
@needs_links
def test_a_repository_that_is_a_link_is_not_looked_at(checkout: Path, tmp_path: Path) -> None:
    shutil.move(checkout / ".git", tmp_path / "elsewhere")
    (checkout / ".git").symlink_to(tmp_path / "elsewhere")
    listing = look(checkout.parent)
    assert "class/ada/lab.py" in names(listing)
    times = {file.name: file.when for file in listing.files}
    assert times["class/ada/lab.py"].isoformat() != COMMITTED  # type: ignore[union-attr]
