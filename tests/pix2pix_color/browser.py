"""A headless Chromium, driven as a person does: mouse, touch, keys."""

import base64
import json
import os
import shutil
import subprocess
import time

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# Windows' virtual key codes, which Chromium wants.
_KEYS = {"Enter": 13, "Tab": 9, "Escape": 27, "Delete": 46, "ArrowLeft": 37,
         "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "z": 90}


class Browser:
    """A headless Chromium, spoken to in the DevTools protocol by pipes.

    Attributes:
      exceptions: what the page's scripts did not catch.

    Args:
      folder: of its profile.
      width: of the window, pixels.
      height: of the window, pixels.
      downloads: folder of what is downloaded.
    """

    def __init__(self, folder, width=1280, height=800, downloads=None):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", 'exec "$0" "$@" 3<&%d 4>&%d' % (
                theirs_in, theirs_out), str(CHROMIUM), "--headless=new",
             "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", f"--user-data-dir={folder}",
             f"--window-size={width},{height}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._buffer, self._session = 0, b"", None
        self.exceptions = []
        target = next(info for info in self.call("Target.getTargets")[
            "targetInfos"] if info["type"] == "page")
        self._downloads = downloads
        if downloads:
            self.call("Browser.setDownloadBehavior", behavior="allow",
                      downloadPath=str(downloads))
        self._session = self.call(
            "Target.attachToTarget", targetId=target["targetId"],
            flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.resize(width, height)

    def resize(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=mobile)
        self.call("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._buffer:
                self._buffer += os.read(self._in, 2**20)
            line, _, self._buffer = self._buffer.partition(b"\0")
            answer = json.loads(line)
            if answer.get("method") == "Runtime.exceptionThrown":
                self.exceptions.append(answer["params"])
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression,
                         awaitPromise=True,
                         returnByValue=True)["result"].get("value")

    def wait_for(self, expression, seconds=90):
        """Returns an expression's value, once it is something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.05)
        return pytest.fail(f"{expression} never came true: "
                           + str(self.evaluate("document.body.innerText")))

    def go(self, address):
        self.call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def give_file(self, selector, path):
        """Chooses a file in one of the page's fields."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document,
                         selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def place_of(self, selector, across=0.5, down=0.5):
        """Returns the coordinates of a point of an element."""
        left, top, width, height = self.evaluate(
            f"(() => {{ const box = document.querySelector({selector!r})"
            ".getBoundingClientRect(); return [box.left, box.top, box.width, "
            "box.height]; })()")
        return left + across * width, top + down * height

    def mouse(self, kind, x, y):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y,
                  button="left", buttons=0 if kind == "mouseReleased" else 1,
                  clickCount=1)

    def click(self, selector, across=0.5, down=0.5):
        x, y = self.place_of(selector, across, down)
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def drag(self, start, end):
        self.mouse("mousePressed", *start)
        for share in (0.3, 0.6, 1.0):
            self.mouse("mouseMoved", *(
                one + share * (other - one)
                for one, other in zip(start, end)))
        self.mouse("mouseReleased", *end)

    def touch(self, *places):
        """Touches a place, moves on to the others and lets go."""
        kinds = ["touchStart"] + ["touchMove"] * (len(places) - 1)
        for kind, (x, y) in zip(kinds, places):
            self.call("Input.dispatchTouchEvent", type=kind,
                      touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key, times=1, modifiers=0):
        """Presses a key; modifiers are 2 for Ctrl and 8 for Shift."""
        text = {"text": "\r"} if key == "Enter" else {}
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key,
                          code=key if len(key) > 1 else f"Key{key.upper()}",
                          modifiers=modifiers,
                          windowsVirtualKeyCode=_KEYS[key],
                          **(text if kind == "keyDown" else {}))

    def focused(self):
        """Returns id or class and the label of what has the focus."""
        return self.evaluate(
            "((e) => (e.id || e.className || e.tagName) + ' ' + "
            "(e.getAttribute('aria-label') || e.textContent.slice(0, 30)))"
            "(document.activeElement)")

    def downloaded(self, name, seconds=60):
        """Returns the path of a file, once it was downloaded."""
        path = self._downloads / name
        end = time.monotonic() + seconds
        while not path.exists() and time.monotonic() < end:
            self.evaluate("1")
            time.sleep(0.1)
        return path

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(
                self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self._process.kill()
        self._process.wait()
