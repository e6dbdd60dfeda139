"""The page in a real browser: upload, wait, compare, download."""

import base64
import hashlib
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from data_pipelines.sources import sample_photos
from tests.pix2pix_color.vivid_model import smooth_photo, write_vivid_model

ROOT = pathlib.Path(__file__).parents[2]

pytest.importorskip("gradio", reason="needs the extra demo")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")


class Browser:
    """A headless Chromium, spoken to in the DevTools protocol by pipes."""

    def __init__(self, folder):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", 'exec "$0" "$@" 3<&%d 4>&%d' % (
                theirs_in, theirs_out), str(CHROMIUM), "--headless=new",
             "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", f"--user-data-dir={folder}",
             "--window-size=1200,900", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._buffer, self._session = 0, b"", None
        target = next(info for info in self.call("Target.getTargets")[
            "targetInfos"] if info["type"] == "page")
        self._session = self.call(
            "Target.attachToTarget", targetId=target["targetId"],
            flatten=True)["sessionId"]

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
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression,
                         returnByValue=True)["result"].get("value")

    def wait_for(self, expression, seconds=90):
        """Returns an expression's value, once it is something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.2)
        return pytest.fail(f"{expression} never came true: "
                           + str(self.evaluate("document.body.innerText")))

    def upload(self, path):
        """Gives a file to the page's photograph field."""
        self.wait_for("document.querySelector('#photograph input[type=file]')"
                      " !== null")
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document,
                         selector="#photograph input[type=file]")["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def screenshot(self):
        return base64.b64decode(
            self.call("Page.captureScreenshot", format="png")["data"])

    def close(self):
        self._process.kill()
        self._process.wait()


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The address of a demo, and the folder of its temporary files."""
    folder = tmp_path_factory.mktemp("demo")
    model = write_vivid_model(str(folder / "model"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "tmp").mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "pix2pix_color.demo", f"--model={model}",
         f"--port={port}", "--max_pixels=1000000", "--max_upload_mb=1"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE, stderr=open(folder / "stderr", "w"), text=True)
    assert server.stdout
    line = server.stdout.readline()
    assert f"http://127.0.0.1:{port}" in line
    yield f"http://127.0.0.1:{port}", folder / "tmp"
    server.terminate()
    server.wait()
    assert "Traceback" not in (folder / "stderr").read_text()


def uploads(folder):
    return [path.name for path in folder.rglob("old*.jpg")]


def test_an_upload_is_removed_whatever_it_is_called(tmp_path):
    from pix2pix_color.colorizing import web_page
    example = sample_photos.DIRECTORY + "/" + min(
        name for name in os.listdir(sample_photos.DIRECTORY)
        if name.endswith(".jpg"))
    kept = {hashlib.sha256(pathlib.Path(example).read_bytes()).digest()}
    upload = tmp_path / os.path.basename(example)
    smooth_photo(50, 70).save(upload)
    read = web_page.read_upload(str(upload), 10**6, kept)
    assert read.rgb.shape == (50, 70, 3)
    assert not upload.exists()
    web_page.read_upload(example, 10**6, kept)
    assert os.path.exists(example)


def test_a_port_in_use_is_one_line_before_anything_is_loaded():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "pix2pix_color.demo", f"--port={port}",
             "--model=/no/such/model"], cwd=ROOT, capture_output=True,
            text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1, f"error: --port={port} is in use on 127.0.0.1, perhaps by another "
           f"demo; stop that one or choose another --port\n")


@pytest.mark.parametrize("content, message", [
    (b"dear diary", "not an image"), (b"", "not an image"),
    (b"\x89PNG\r\n\x1a\n damaged", "")])
def test_a_refused_upload_is_a_sentence_and_no_stack_trace(
        tmp_path, content, message):
    import gradio

    from pix2pix_color.colorizing import web_page
    upload = tmp_path / "old.jpg"
    upload.write_bytes(content)
    with pytest.raises(gradio.Error) as caught:
        web_page.read_upload(str(upload), 10**6, set())
    assert caught.value.message.startswith(
        f"This file cannot be colored: {message}")
    assert not caught.value.print_exception
    assert not upload.exists()


@pytest.mark.slow
@needs_chromium
def test_a_photograph_comes_back_in_color_at_its_size(page, browser, tmp_path):
    address, temporary = page
    photo = tmp_path / "old photo.jpg"
    smooth_photo(500, 700).convert("L").save(photo)
    browser.call("Page.navigate", url=address)
    browser.upload(photo)
    href = browser.wait_for("(document.querySelector('#result a.download')"
                            " || {}).href")
    colored = Image.open(io.BytesIO(base64.b64decode(
        href.partition("base64,")[2])))
    assert colored.format == "PNG" and colored.size == (700, 500)
    assert np.ptp(np.asarray(colored).astype(int), axis=-1).mean() > 10
    assert browser.evaluate("document.querySelector('#result a.download')"
                            ".download").startswith("old")
    # The slider shows more or less of the colored picture.
    browser.evaluate("""(() => {
        const slider = document.querySelector('#result input[type=range]');
        slider.value = 80; slider.dispatchEvent(new Event('input'));})()""")
    assert "20%" in browser.evaluate(
        "document.querySelectorAll('#result img')[1].style.clipPath")
    assert uploads(temporary) == []
    screenshot = os.environ.get("DEMO_SCREENSHOT")
    if screenshot:
        pathlib.Path(screenshot).write_bytes(browser.screenshot())


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("content, message", [
    (b"dear diary", "This file cannot be colored: not an image"),
    (None, "1500 x 1000 pixels, at most 1000000"),
    (bytes(2**20 + 1), "exceed the maximum allowed size of 1.0 Mb"),
], ids=["text", "too_large", "too_many_bytes"])
def test_what_cannot_be_colored_gets_a_message(
        page, browser, tmp_path, content, message):
    address, temporary = page
    path = tmp_path / "old.jpg"
    if content is None:
        smooth_photo(1000, 1500).save(path)
    else:
        path.write_bytes(content)
    browser.call("Page.navigate", url=address)
    browser.upload(path)
    browser.wait_for(f"document.body.innerText.includes({json.dumps(message)})")
    assert uploads(temporary) == []
