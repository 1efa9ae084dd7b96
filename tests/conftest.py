"""Every test has a deadline: one that hangs fails and shows where. None touches your progress."""

import signal

import hypothesis
import kernel_ports
import pytest
from running import servers

__all__ = ["servers"]  # a fixture

SECONDS = 120

kernel_ports.use_them()
hypothesis.settings.register_profile("socketlab", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("socketlab")

# Started in the background by a shell, this process ignores Ctrl-C, and all it starts would too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test, cells of notebooks included, the same generous deadline."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(autouse=True)
def own_progress(request: pytest.FixtureRequest, tmp_path_factory, monkeypatch) -> None:
    """What a test does in a lab is not what you have done in it."""
    folder = tmp_path_factory.getbasetemp() / "progress"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("SOCKETLAB_PROGRESS", str(folder / f"{id(request.node)}.json"))
