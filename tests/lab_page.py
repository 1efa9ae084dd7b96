"""Real JupyterLab in a real browser: its server, a page in Chromium, the saved notebook."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Page, Response, sync_playwright

ROOT = Path(__file__).parent.parent
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none", "scrollPastEnd": False},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
KERNEL_PORTS = f"""\
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import kernel_ports
kernel_ports.use_them()
"""
# A cell that has run shows its count; the star of those that wait goes at the first error.
EVERY_CELL_RAN = """() => {
    const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputArea-prompt")];
    return prompts.every(prompt => /[0-9]/.test(prompt.textContent));
}"""
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
T = TypeVar("T")


def until(ask: Callable[[], T | None], what: str, seconds: float = 60) -> T:
    """The first answer of ask() that is not None; TimeoutError names what was missing."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not seen within {seconds:g} s")
        time.sleep(0.1)
    return answer


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def copy_course(folder: Path) -> Path:
    """A copy of everything that the notebooks link to, in folder; returns folder."""
    for name in ("notebooks", "labs", "imgs"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
    return folder


def clear_outputs(notebook: Path) -> None:
    """Remove outputs and counts from a notebook file, so that only a new run can fill them."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in code_cells(content):
        cell["outputs"], cell["execution_count"] = [], None
    notebook.write_text(json.dumps(content), encoding="utf-8")


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The code cells of a notebook, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address (with a slash at the end) and its token."""

    url: str
    token: str

    def ask(self, path: str, method: str = "GET") -> Any:
        """The server's answer to an API request, as Python values (None for an empty one)."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            body = reply.read()
        return json.loads(body) if body else None

    def saved(self, notebook: str) -> dict[str, Any]:
        """The notebook as it is on disk now, by way of the server. Not while it is being saved."""
        return self.ask(f"api/contents/{notebook}?type=notebook")["content"]

    def idle_kernel(self) -> bool | None:
        """True once a kernel waits for work, None before."""
        return any(k["execution_state"] == "idle" for k in self.ask("api/kernels")) or None


def private_environment(own: Path) -> dict[str, str]:
    """This process's environment, with everything that Jupyter keeps moved into the folder own."""
    settings = own / "settings"
    for name, values in SETTINGS.items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    folders = {name: str(own / name) for name in ("config", "data", "runtime", "workspaces")}
    (own / "config").mkdir(exist_ok=True)
    (own / "config" / "jupyter_server_config.py").write_text(KERNEL_PORTS, encoding="utf-8")
    return os.environ | {
        "JUPYTER_CONFIG_DIR": folders["config"],
        "JUPYTER_DATA_DIR": folders["data"],
        "JUPYTER_RUNTIME_DIR": folders["runtime"],
        "JUPYTERLAB_WORKSPACES_DIR": folders["workspaces"],
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "IPYTHONDIR": str(own / "ipython"),
    }


def lab_command(folder: Path) -> list[str]:
    """The command that serves folder; Jupyter itself looks for a free port."""
    # Below 32768 no system hands a port to somebody else between Jupyter's look and its bind.
    port = 20_000 + os.getpid() % 10_000
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    return command + ["--allow-root"] * IS_ROOT


def answering(process: subprocess.Popen[bytes], own: Path) -> Lab | None:
    """The server, once it answers; None before. RuntimeError with its log if it has ended."""
    if process.poll() is not None:
        log = (own / "log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"JupyterLab ended before it answered:\n{log}")
    for file in (own / "runtime").glob("jpserver-*.json"):
        try:
            info = json.loads(file.read_text(encoding="utf-8"))
            lab = Lab(info["url"], info["token"])
            lab.ask("api/status")
        except (ValueError, urllib.error.URLError):  # half written, or not listening yet
            return None
        return lab
    return None


@contextmanager
def jupyterlab(folder: Path, own: Path) -> Iterator[Lab]:
    """Serve folder with JupyterLab while the block runs; config, data and log are kept in own."""
    environment = private_environment(own)
    with open(own / "log", "wb") as log:
        process = subprocess.Popen(
            lab_command(folder), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        lab = until(lambda: answering(process, own), "an answer from JupyterLab")
        try:
            yield lab
        finally:
            lab.ask("api/shutdown", method="POST")  # ends the kernels too
            process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()


@contextmanager
def chromium(width: int = 1280, height: int = 900) -> Iterator[Page]:
    """One empty page of an installed Chromium."""
    arguments = QUIET + ["--no-sandbox"] * IS_ROOT
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()


def started_session(reply: Response) -> bool:
    """Whether this reply tells the page that a kernel has been started for its notebook."""
    return reply.request.method == "POST" and "/api/sessions" in reply.url


def open_notebook(page: Page, lab: Lab, notebook: str) -> None:
    """Open a notebook in JupyterLab and wait until its kernel is ready for work."""
    # Not asked sooner: the list of kernels fails (500) while a kernel of it is half made.
    with page.expect_response(started_session):
        page.goto(f"{lab.url}lab/tree/{notebook}?token={lab.token}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    until(lab.idle_kernel, "an idle kernel")


def run_all_cells(page: Page, seconds: float = 60) -> None:
    """Choose Run > Run All Cells, as a learner does, and wait until every cell has run."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(EVERY_CELL_RAN, timeout=1000 * seconds)


def made_checkpoint(reply: Response) -> bool:
    """Whether this reply is the last one of a save."""
    return reply.request.method == "POST" and "/checkpoints" in reply.url


def save(page: Page) -> None:
    """Save the notebook by its key; to be done once, a second key too soon would be ignored."""
    with page.expect_response(made_checkpoint):
        page.keyboard.press("ControlOrMeta+S")
