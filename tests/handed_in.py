"""For tests: folders and archives as learners and platforms make them, and as attackers do."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from socketlab.grading.archives import list_archive
from socketlab.grading.files import Budget, Limits, Listing, UnreadableError
from socketlab.learner import Lab

ROOT = Path(__file__).parent.parent
LAB = Lab(ROOT, "01_echo_server")
GOOD = (ROOT / "solutions" / "01_echo_server.py").read_bytes()
OTHER = GOOD + b"# another attempt\n"
SMALL = Limits(entries=50, entry=10_000, archive=1 << 20, total=4 << 20)


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The folder, with these files in it."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(files: Mapping[str, bytes | tarfile.TarInfo], how: str = "") -> bytes:
    """A tar archive of these files and entries, packed with "gz", "bz2", "xz" or not."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{how}") as archive:
        for name, data in files.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size, info.mtime = len(data), 1_770_000_000
                archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """An entry of a tar that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def listed(data: bytes, name: str = "a.zip", limits: Limits = SMALL) -> Listing:
    """What list_archive() says of these bytes."""
    return list_archive(io.BytesIO(data), name, limits, lambda name: True)


def contents(data: bytes, name: str = "a.zip", limits: Limits = SMALL) -> dict[str, bytes | str]:
    """What is read out of an archive, and the reason for each entry that is refused."""
    listing = listed(data, name, limits)
    found: dict[str, bytes | str] = {each.name: each.reason for each in listing.refusals}
    for file in listing.files:
        try:
            found[file.name] = file.read(limits.entry, Budget(limits.total))
        except UnreadableError as error:
            found[file.name] = str(error)
    return found
