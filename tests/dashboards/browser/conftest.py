import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_SECONDS = 120
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
# On a busy machine a page is drawn some time after its run has ended, and an element whose part of
# Streamlit's program is still being loaded is a skeleton until then.
UNCHANGED = """() => new Promise(resolve => {
    let timer;
    const observer = new MutationObserver(() => wait());
    const look = () => {
        if (document.querySelector('[data-testid="stSkeleton"]')) return wait();
        observer.disconnect();
        resolve();
    };
    const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(look, 300);
    };
    observer.observe(document.body, {subtree: true, childList: true, characterData: true});
    wait();
})"""


@pytest.fixture(scope="session")
def address(answered):
    """The address at which ``python -m dashboards`` shows the lake with its answers."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "dashboards", "--lake", str(answered.path), "--port", str(port)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"COLUMNS": "500"},
    )  # fmt: skip
    try:
        address = f"http://localhost:{port}"
        assert address in server.stdout.readline()
        _wait_for(f"{address}/_stcore/health", server)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _wait_for(url, server):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the dashboards ended by themselves"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} doesn't answer")


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory):
    """The folder of the pictures: LEAM_SCREENSHOTS, or pytest's own."""
    named = os.environ.get("LEAM_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Tab:
    """A tab of the browser, and what it complained of."""

    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.complaints = []
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._watch)

    def open(self, path):
        self.page.goto(path if path.startswith("http") else f"{self.address}/{path}")
        self.page.wait_for_selector("h2")
        self.settle()
        return self

    def settle(self):
        """Wait until nothing is drawn any more; a run begins a moment after what caused it."""
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector(IDLE)
        self.page.evaluate(UNCHANGED)

    def download(self, label, within):
        buttons = self.page.locator(f".st-key-{within} button:visible")
        with self.page.expect_download() as waiting:
            buttons.filter(has_text=label).first.click()
        return Path(waiting.value.path()).read_bytes()

    def choose(self, label, option):
        self.page.get_by_role("combobox", name=label).click()
        self.page.get_by_role("option", name=option, exact=True).click()
        self.settle()

    def _hear(self, message):
        # Where a page's own address is opened, Streamlit tries its server's paths below it first.
        probe = "/_stcore/" in message.location.get("url", "") and "404" in message.text
        if message.type == "error" and not probe:
            self.complaints.append(f"{message.text} ({message.location})")

    def _watch(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.complaints.append(f"asked for {request.url}")


@pytest.fixture
def new_tab(chromium, address):
    contexts = []

    def new_tab(width=1280, theme="light"):
        size = {"width": width, "height": 900}
        contexts.append(chromium.new_context(viewport=size, color_scheme=theme))
        return Tab(contexts[-1].new_page(), address)

    yield new_tab
    for context in contexts:
        context.close()
