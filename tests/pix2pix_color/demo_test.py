"""The command, and its page in a real browser: by mouse, touch and keyboard."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipelines.sources import sample_photos
from tests.pix2pix_color.browser import CHROMIUM, Browser
from tests.pix2pix_color.vivid_model import smooth_photo

ROOT = pathlib.Path(__file__).parents[2]
PHOTO = f"{sample_photos.DIRECTORY}/gcompris_kingfisher.jpg"
IDLE = ("document.querySelector('#stage').getAttribute('aria-busy') === 'false'"
        " && !document.querySelector('#work').hidden")
LABELS = ("[...document.querySelectorAll('.dot')].map("
          "dot => dot.getAttribute('aria-label'))")
PLACES = ("[...document.querySelectorAll('.dot')].map("
          "dot => [dot.style.left, dot.style.top].map(parseFloat))")

pytest.importorskip("starlette", reason="needs the extra demo")
pytest.importorskip("uvicorn", reason="needs the extra demo")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "pix2pix_color.demo", f"--port={port}"],
            cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1, f"error: --port={port} is in use on 127.0.0.1, perhaps by another "
           f"demo; stop that one or choose another --port\n")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small SavedModel that takes hints."""
    from pix2pix_color.networks import encoder_unet
    from pix2pix_color.saved_model.write import write_saved_model
    return write_saved_model(encoder_unet.build_encoder_unet(
        "lite0", image_size=64, condition_channels=1, target_channels=2,
        base_filters=8, dropout=0.0, hints=True),
        str(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def page(tmp_path_factory, model):
    """The address of a demo, which must leave no file and print no trace."""
    folder = tmp_path_factory.mktemp("demo")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "tmp").mkdir()
    with open(folder / "stderr", "w") as stderr:
        server = subprocess.Popen(
            [sys.executable, "-m", "pix2pix_color.demo", f"--model={model}",
             f"--port={port}", "--max_pixels=30000000"], cwd=ROOT,
            env={**os.environ, "TMPDIR": str(folder / "tmp")},
            stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert server.stdout
    line = server.stdout.readline()
    assert line == f"http://127.0.0.1:{port}  (Ctrl-C to stop)\n"
    yield f"http://127.0.0.1:{port}/"
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    assert "Traceback" not in (folder / "stderr").read_text()
    assert list((folder / "tmp").iterdir()) == []


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "profile", downloads=tmp_path / "downloads")
    yield browser
    browser.close()
    assert browser.exceptions == []


def open_photo(browser, address, path=PHOTO):
    browser.go(address)
    browser.wait_for("document.querySelectorAll('#examples img').length")
    browser.give_file("#photograph_file", path)
    browser.wait_for(IDLE)


def put_hint(browser, across, down, hue):
    """Puts a hint by the mouse and chooses a color."""
    before = browser.evaluate("document.querySelector('#color').src")
    browser.click("#stage", across, down)
    browser.wait_for("document.querySelectorAll('#likely button').length > 1")
    browser.click("#plane", hue, 0.1)
    browser.wait_for(f"document.querySelector('#color').src !== {before!r}")
    browser.wait_for(IDLE)


def hints_of(path):
    return [(hint["x"], hint["y"], hint["color"])
            for hint in json.loads(path.read_text())]


@pytest.mark.slow
@needs_chromium
def test_hints_are_put_moved_undone_saved_and_loaded_by_mouse(
        page, browser, tmp_path):
    open_photo(browser, page)
    for number, hue in enumerate((0.1, 0.4, 0.8)):
        put_hint(browser, 0.2 + 0.3 * number, 0.4, hue)
    assert browser.evaluate(LABELS) == [
        "Hint 1: orange", "Hint 2: green", "Hint 3: blue"]
    browser.drag(browser.place_of(".dot:nth-child(2)"),
                 browser.place_of("#stage", 0.6, 0.9))
    browser.wait_for(IDLE)
    moved = browser.evaluate(PLACES)
    np.testing.assert_allclose(moved, [[20, 40], [60, 90], [80, 40]], atol=0.6)
    browser.click("#undo")
    assert browser.evaluate(PLACES)[1][1] == pytest.approx(40, abs=0.6)
    browser.click("#redo")
    assert browser.evaluate(PLACES) == moved
    browser.click("#undo")
    browser.wait_for(IDLE)
    browser.click("#save")
    saved = hints_of(browser.downloaded("gcompris_kingfisher.hints.json"))
    assert len(saved) == 3
    browser.click("#download")
    with Image.open(browser.downloaded(
            "gcompris_kingfisher_colorized.png")) as full, Image.open(
                PHOTO) as photo:
        assert full.size == photo.size
        x, y, _ = saved[0]
        red, _, blue = np.asarray(full).astype(int)[y, x]
        assert red > blue + 30  # orange
    # The page that is opened again goes on where it was.
    browser.go(page)
    browser.wait_for(IDLE)
    assert len(browser.evaluate(LABELS)) == 3
    browser.click("#clear")
    browser.wait_for(f"{LABELS}.length === 0")
    browser.give_file("#hints_file",
                      tmp_path / "downloads/gcompris_kingfisher.hints.json")
    browser.wait_for(f"{LABELS}.length === 3 && {IDLE}")
    assert browser.evaluate(LABELS)[2] == "Hint 3: blue"
    browser.click(".dot:nth-child(1)")
    browser.click("#remove")
    assert browser.evaluate(LABELS) == ["Hint 1: green", "Hint 2: blue"]
    browser.evaluate("document.querySelector('#compare').value = 30;"
                     "document.querySelector('#compare').dispatchEvent("
                     "new Event('input'))")
    assert "30%" in browser.evaluate(
        "document.querySelector('#color').style.clipPath")


@pytest.mark.slow
@needs_chromium
def test_the_keyboard_alone_is_enough(page, browser):
    browser.go(page)
    browser.wait_for("document.querySelectorAll('#examples img').length")
    while not browser.focused().startswith("BUTTON"):
        browser.press("Tab")
    browser.press("Enter")  # the first example
    browser.wait_for(IDLE)
    while not browser.focused().startswith("stage"):
        browser.press("Tab")
    browser.press("ArrowLeft", 10)
    browser.press("Enter")
    browser.wait_for("document.activeElement.parentElement.id === 'likely'")
    browser.press("Enter")  # the likeliest color
    browser.wait_for(f"{IDLE} && !{LABELS}[0].includes('no color')")
    while not browser.focused().startswith("plane"):
        browser.press("Tab")
    label = browser.evaluate(LABELS)
    browser.press("ArrowRight", 30)
    browser.wait_for(IDLE)
    assert browser.evaluate(LABELS) != label
    browser.press("Escape")
    assert browser.focused().startswith("stage")
    before = browser.evaluate(PLACES)
    browser.press("Tab")
    assert browser.focused().startswith("dot")
    browser.press("ArrowDown", 3)
    browser.wait_for(IDLE)
    after = browser.evaluate(PLACES)
    assert after[0][1] > before[0][1] + 2 and after[0][0] == before[0][0]
    browser.press("z", modifiers=2)
    browser.press("Delete")
    assert browser.evaluate(LABELS) == []
    browser.press("z", modifiers=2)
    assert len(browser.evaluate(LABELS)) == 1
    while not browser.focused().startswith("saturation"):
        browser.press("Tab")
    image = browser.evaluate("document.querySelector('#color').src")
    browser.press("Home")
    browser.wait_for(f"document.querySelector('#color').src !== '{image}'")


@pytest.mark.slow
@needs_chromium
def test_a_thumb_is_enough(page, browser):
    browser.resize(360, 740, mobile=True)
    open_photo(browser, page)
    browser.touch(browser.place_of("#stage", 0.5, 0.5))
    browser.wait_for("document.querySelectorAll('#likely button').length > 1")
    browser.touch(browser.place_of("#plane", 0.4, 0.5),
                  browser.place_of("#plane", 0.4, 0.1))
    browser.wait_for(f"{IDLE} && {LABELS}[0] === 'Hint 1: green'")
    # Picture and chooser are on the first screen.
    assert browser.place_of("#stage", 0, 0)[1] >= 0
    assert browser.place_of("#done", 1, 1)[1] <= 740
    browser.touch(browser.place_of(".dot"), browser.place_of("#stage", .4, .3),
                  browser.place_of("#stage", 0.2, 0.2))
    browser.wait_for(IDLE)
    np.testing.assert_allclose(browser.evaluate(PLACES), [[20, 20]], atol=1)
    browser.touch(browser.place_of("#done"))
    assert browser.place_of("#download", 1, 1)[1] <= 740
    assert browser.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.slow
@needs_chromium
def test_refusals_are_sentences_and_the_photograph_stays(
        page, browser, tmp_path):
    def expect(message):
        browser.wait_for("document.querySelector('#message').textContent"
                         f".includes({json.dumps(message)})")

    open_photo(browser, page)
    wrong = tmp_path / "old.jpg"
    wrong.write_bytes(b"dear diary")
    browser.give_file("#photograph_file", wrong)
    expect("This file cannot be colored: not an image")
    wrong = tmp_path / "old.hints.json"
    wrong.write_text('[{"x": 1, "y": 100000, "color": "navy"}]')
    browser.give_file("#hints_file", wrong)
    expect("hint 1 has y=100000, which must be in 0..")
    other = tmp_path / "other.tif"
    smooth_photo(40, 50).save(other)
    browser.give_file("#reference_file", other)
    expect("hints were taken from it")
    assert browser.evaluate(IDLE)
    browser.give_file("#photograph_file", other)
    browser.wait_for("document.querySelector('#gray').naturalWidth === 50")
