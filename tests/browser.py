"""Chromium without a window, for tests of pages: any size of the screen, light or dark, and no network.

    with Browser() as browser:
        page = browser.open(path, width=390, height=844, dark=True)
        page.run("document.title")
        page.picture()                  # PNG of all of it
        page.requests                   # what it has asked for, by URL

It is talked to over a pipe (--remote-debugging-pipe): JSON with a zero byte behind each message.
"""

import base64
import contextlib
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not here: apt-get install chromium")

_PATIENCE_S = 60


class Page:
    """A page that is loaded."""

    def __init__(self, browser, session):
        self._browser = browser
        self._session = session
        self.requests = []

    def send(self, method, **parameters):
        return self._browser.send(method, session=self._session, page=self, **parameters)

    def run(self, expression):
        """The value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, *, whole=True):
        """Red, green and blue of each pixel: (height, width, 3)."""
        return np.asarray(Image.open(io.BytesIO(self.png(whole=whole))).convert("RGB"))

    def png(self, *, whole=True):
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        return base64.b64decode(data)


class Browser:
    """One Chromium, with a profile of its own."""

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        profile = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        theirs_in, self._in = os.pipe()
        self._out, theirs_out = os.pipe()
        # Chromium reads from descriptor 3 and writes to 4.
        command = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
        self._process = subprocess.Popen(
            [
                "sh", "-c", command, "sh", str(theirs_in), str(theirs_out), CHROMIUM, *options, *quiet,
                "--proxy-server=127.0.0.1:9", f"--user-data-dir={profile}", "about:blank",
            ],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest = 0, b""
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.send("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._stack.close()

    def open(self, path: Path, *, width=1440, height=900, dark=False):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        page.send("Network.enable")
        page.send("Page.enable")
        page.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.send("Emulation.setEmulatedMedia", features=[scheme])
        page.send("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + _PATIENCE_S
        while page.run("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < deadline, "the page does not load"
            time.sleep(0.02)
        return page

    def send(self, method, *, session=None, page=None, **parameters):
        """Sends a command and waits for its result; notes what pages ask for meanwhile."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._in, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("method") == "Network.requestWillBeSent" and page is not None:
                page.requests.append(answer["params"]["request"]["url"])
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _next(self):
        deadline = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._out], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self._out, 1 << 16) if ready else b""
            assert more, "Chromium does not answer"
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)
