"""Temporary folders: gone in the end, in use for as long as somebody has them."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from socketlab import temporary
from socketlab.temporary import PREFIX, own_folder

locks = pytest.mark.skipif(sys.platform == "win32", reason="nothing is removed for others there")
MAKES = """
from socketlab.temporary import own_folder
with own_folder() as folder:
    (folder / "work").write_text("of a student")
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The folder for temporary files, where nobody has been."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    temporary._remove_left_over.cache_clear()
    return tmp_path


@pytest.fixture
def another():
    """Another process that has a folder until its input ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", MAKES], text=True, **pipes) as process:
        with closing(process.stdin):
            yield process
        process.kill()


def there(place: Path) -> list[Path]:
    return sorted(place.glob("*"))


@pytest.mark.skipif(os.name != "posix", reason="no permissions to take away")
def test_nothing_is_left_of_it_whatever_is_in_it(place):
    with own_folder() as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "c").touch()
        (folder / "a").chmod(0)
        assert there(place) == [folder]
    assert there(place) == []


@locks
def test_what_a_killed_process_leaves_the_next_one_removes(place, another):
    left = Path(another.stdout.readline().strip())
    another.kill()
    another.wait()
    assert there(place) == [left]
    with own_folder() as folder:
        assert there(place) == [folder]


@locks
def test_what_somebody_has_stays(place, another):
    theirs = Path(another.stdout.readline().strip())
    with own_folder():
        assert (theirs / "work").read_text() == "of a student"
    another.communicate("\n")
    assert there(place) == []


@locks
def test_what_is_no_such_folder_stays(place):
    (place / "mine").mkdir()
    (place / "mine" / "kept").touch()
    (place / f"{PREFIX}file").touch()
    (place / f"{PREFIX}link").symlink_to(place / "mine")
    before = there(place)
    with own_folder():
        pass
    assert there(place) == before
    assert (place / "mine" / "kept").exists()


@locks
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_what_is_another_users_stays(place):
    (place / f"{PREFIX}theirs").mkdir()
    os.chown(place / f"{PREFIX}theirs", 60578, 60578)
    with own_folder():
        pass
    assert there(place) == [place / f"{PREFIX}theirs"]


@locks
def test_many_at_once_never_take_each_others(place):
    def work(number: int) -> None:
        for _ in range(50):
            temporary._remove_left_over.cache_clear()
            with own_folder() as folder:
                (folder / "mine").write_text(str(number))
                assert (folder / "mine").read_text() == str(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert there(place) == []


@locks
def test_a_file_system_without_locks_will_do(place, monkeypatch):
    def unsupported(*_: object) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr(temporary.fcntl, "flock", unsupported)
    with own_folder() as one, own_folder() as other:
        assert there(place) == sorted([one, other])
    assert there(place) == []
