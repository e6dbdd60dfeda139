"""The page's server, over HTTP: what visitors send, and what they get."""

import concurrent.futures
import dataclasses
import gc
import http.client
import io
import json
import socket
import threading
import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines.sources import sample_photos
from pix2pix_color.colorizing import hints_file
from pix2pix_color.colorizing.open_photographs import (OpenPhotograph,
                                                       OpenPhotographs)
from pix2pix_color.colorizing.photograph import (Photograph, read_photograph,
                                                 write_photograph)
from pix2pix_color.saved_model.recolor import ChromaField, recolor
from tests.pix2pix_color.vivid_model import smooth_photo

uvicorn = pytest.importorskip("uvicorn", reason="needs the extra demo")
pytest.importorskip("starlette", reason="needs the extra demo")
from pix2pix_color.colorizing import web_page  # noqa: E402

MAX_PIXELS, MAX_UPLOAD_MB = 1_000_000, 1
RED = {"x": 3, "y": 5, "color": "#a03020"}


class FlatModel:
    """Gives the mean color of the hints everywhere; a* is 20 without any."""

    directory, card, takes_hints, has_noise = "/runs/flat/export/2", {
        "step": 7}, True, True
    offers_likely_colors = True

    def __init__(self):
        self.at_work, self.most_at_work = 0, 0

    def predict_field(self, rgb, *, seed=None, hints=None):
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        time.sleep(0.05)
        self.at_work -= 1
        return flat_field(hints[:, 2:].mean(axis=0) if len(hints)
                          else [20.0, seed or 0])

    def recolor(self, rgb, field):
        return recolor(tf.constant(rgb), ChromaField(*field)).numpy()

    def likely_colors(self, rgb, points):
        ab = np.tile(100 * points[:, np.newaxis], (1, 8, 1))
        return ab, np.full((1, 8), 0.125, np.float32)

    def features(self, rgb):
        return np.ones((2, 2, 1)) * (1 if rgb.mean() > 100 else -1)


def flat_field(ab):
    """The same color everywhere."""
    return ChromaField(np.zeros((1, 1, 2), np.float32),
                       np.array([[ab]], np.float32))


class Server:
    """A real server on a port of its own, and a visitor."""

    def __init__(self, model, **options):
        self.model, self.socket = model, socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(web_page.build_app(
            model, examples=sample_photos.DIRECTORY, max_pixels=MAX_PIXELS,
            max_upload_mb=MAX_UPLOAD_MB, hosts=["127.0.0.1"], **options),
            log_level="error"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self.socket]})
        self._thread.start()

    def close(self):
        self._server.should_exit = True
        self._thread.join()

    def ask(self, path, body=None, method="POST", **headers):
        """Returns the status and the body of an answer, JSON parsed."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        content, kind = response.read(), response.getheader("Content-Type", "")
        connection.close()
        return response.status, (json.loads(content) if "json" in kind
                                 else content)

    def open(self, photo, file_format="PNG", **options):
        status, opened = self.ask(
            "/photographs", encoded(photo, file_format, **options))
        assert status == 200, opened
        return "/photographs/" + opened["name"], opened


def encoded(photo, file_format="PNG", **options):
    buffer = io.BytesIO()
    photo.save(buffer, file_format, **options)
    return buffer.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def server():
    server = Server(FlatModel())
    yield server
    server.close()


@pytest.fixture
def photo():
    return smooth_photo(60, 90).convert("L").convert("RGB")


def test_a_hint_changes_the_color_that_is_shown(server, photo):
    one, opened = server.open(photo)
    assert (opened["width"], opened["height"]) == (90, 60)
    status, gray = server.ask(one + "/gray", method="GET")
    assert status == 200 and np.ptp(decoded(gray).astype(int), -1).max() <= 1
    _, plain = server.ask(one + "/color", {})
    _, hinted = server.ask(one + "/color", {"hints": [RED]})
    _, pale = server.ask(one + "/color", {"hints": [RED], "saturation": 0})
    assert decoded(plain).shape == (60, 90, 3)
    given = hints_file.parse_hints([RED], "", height=60, width=90)
    expected = server.model.recolor(np.asarray(photo),
                                    flat_field(given[0, 2:]))
    assert abs(decoded(hinted).astype(int) - expected).mean() < 2
    assert abs(decoded(plain).astype(int) - expected).mean() > 5
    assert abs(decoded(pale).astype(int) - decoded(gray)).mean() < 1
    _, seventh = server.ask(one + "/color", {"alternative": 7})
    assert abs(decoded(seventh).astype(int) - decoded(plain)).mean() > 1


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_the_download_is_what_colorize_writes(
        server, photo, tmp_path, file_format):
    turned = Image.Exif()
    turned[0x0112], turned[0x010E] = 6, "our house"
    options = {"exif": turned} if file_format == "JPEG" else {}
    content = encoded(photo, file_format, **options)
    one, opened = server.open(photo, file_format, **options)
    hints = [{**RED, "x": opened["width"] - 1},
             {"x": 0, "y": 0, "color": "navy"}]
    status, full = server.ask(one + "/full", {"hints": hints,
                                              "saturation": 0.7})
    path = tmp_path / "old.hints.json"
    path.write_text(json.dumps(hints))
    whole = read_photograph(content, max_pixels=MAX_PIXELS)
    height, width = whole.rgb.shape[:2]
    field = server.model.predict_field(whole.rgb, hints=hints_file.read_hints(
        str(path), height=height, width=width))
    rgb = server.model.recolor(whole.rgb, field.scaled(0.7))
    assert status == 200
    assert full == write_photograph(dataclasses.replace(whole, rgb=rgb),
                                    file_format="png")
    if options:
        assert Image.open(io.BytesIO(full)).getexif()[0x010E] == "our house"
    # The server makes the preview, whatever the browser can read.
    assert decoded(server.ask(one + "/gray", method="GET")[1]).shape == (
        height, width, 3)


def test_a_large_photograph_is_shown_reduced(server):
    one, opened = server.open(smooth_photo(400, 2400))
    assert (opened["width"], opened["height"]) == (2400, 400)
    assert decoded(server.ask(one + "/color", {})[1]).shape == (267, 1600, 3)
    assert decoded(server.ask(one + "/full", {})[1]).shape == (400, 2400, 3)


def test_likely_colors_are_those_of_the_place(server, photo):
    one, _ = server.open(photo)
    status, likely = server.ask(one + "/likely", {"x": 44, "y": 14})
    assert status == 200 and len(likely) == 8
    # FlatModel makes them of y and x.
    assert likely[0] == pytest.approx(
        {"a": 100 * 14.5 / 60, "b": 100 * 44.5 / 90, "probability": 0.125})


def test_a_reference_gives_hints_or_none(server, photo):
    one, _ = server.open(Image.new("RGB", (90, 60), (150, 150, 150)))
    green = Image.new("RGB", (40, 40), (90, 200, 90))
    status, found = server.ask(one + "/reference", encoded(green))
    assert status == 200 and found
    assert all(0 <= hint["x"] < 90 and 0 <= hint["y"] < 60 and hint["a"] < -30
               for hint in found)
    dark = Image.new("RGB", (40, 40), (0, 60, 0))
    assert server.ask(one + "/reference", encoded(dark)) == (200, [])


def test_two_visitors_have_their_own_photographs(server):
    """Also if both send the same one at the same time."""
    red, blue = (Image.new("RGB", (50, 40 + side), 100) for side in (0, 1))
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(server.open, [red, red, blue, red, red, blue]))
        names = [one for one, _ in opened]
        assert len(set(names)) == 6 and all(len(name) > 40 for name in names)
        server.ask(names[0], method="DELETE")
        server.model.most_at_work = 0
        answers = list(pool.map(
            lambda one: server.ask(one + "/color", {"hints": [RED]}), names))
    assert [status for status, _ in answers] == [404] + 5 * [200]
    assert [decoded(answer).shape[0] for _, answer in answers[1:]] == [
        40, 41, 40, 40, 41]
    assert server.model.most_at_work == 1


def test_a_removed_photograph_does_not_come_back(server, photo):
    one, _ = server.open(photo)
    assert server.ask(one, method="DELETE")[0] == 204
    for action in ("color", "full", "likely"):
        status, answer = server.ask(f"{one}/{action}", {})
        assert status == 404 and "open it again" in answer["message"]


def test_an_unused_photograph_is_forgotten_without_being_asked_for(photo):
    def count():
        return sum(isinstance(kept, OpenPhotograph) and kept.height == 61
                   for kept in gc.get_objects())

    server = Server(FlatModel(), forgotten_after=1.5)
    try:
        one, _ = server.open(photo.resize((90, 61)))
        assert count() == 1
        time.sleep(2)
        assert count() == 0
        assert server.ask(one + "/color", {})[0] == 404
    finally:
        server.close()


def test_what_is_kept_has_bounds_and_the_oldest_goes():
    now = [0.0]
    kept = OpenPhotographs(forgotten_after=10, max_number=3, max_bytes=1000,
                           clock=lambda: now[0])
    shown = Photograph(np.zeros((10, 10, 3), np.uint8))  # 300 bytes
    names = [kept.add(OpenPhotograph(b"", 10, 10, shown)) for _ in range(3)]
    assert kept.find(names[0]) and len(kept) == 3
    names.append(kept.add(OpenPhotograph(b"", 10, 10, shown)))
    assert [bool(kept.find(name)) for name in names] == [True, False, True,
                                                         True]
    huge = kept.add(OpenPhotograph(bytes(5000), 10, 10, shown))
    assert len(kept) == 1 and kept.find(huge)
    now[0] = 9
    assert kept.find(huge)
    now[0] = 18
    kept.forget_unused()
    assert len(kept) == 1
    now[0] = 20
    kept.forget_unused()
    assert len(kept) == 0


WRONG_SETTINGS = [
    (b"hello", "cannot be read"), (b"[]", "cannot be read"),
    (b"\xff", "cannot be read"), (bytes(2**20 + 1), "too long"),
    ({"hints": 3}, "500 hints"), ({"hints": [RED] * 501}, "500 hints"),
    ({"hints": [{**RED, "x": 90}]}, "hint 1 has x=90"),
    ({"hints": [RED, {**RED, "color": "mud"}]}, "hint 2 has the unknown color"),
    ({"hints": [{"x": 1}]}, "must have x, y and color"),
    ({"saturation": "much"}, "saturation"), ({"saturation": 11}, "saturation"),
    (b'{"saturation": NaN}', "saturation"),
    ({"alternative": -1}, "alternative"), ({"alternative": 1.5}, "alternative")]


@pytest.mark.parametrize("settings, message", WRONG_SETTINGS)
def test_wrong_settings_get_a_sentence(server, photo, capfd, settings, message):
    one, _ = server.open(photo)
    for action in ("color", "full"):
        status, answer = server.ask(f"{one}/{action}", settings)
        assert status in (400, 413)
        assert message in answer["message"] and answer["message"][-1] == "."
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("place", [{}, {"x": "1", "y": 2}, {"x": None, "y": 1}])
def test_a_wrong_place_gets_a_sentence(server, photo, place):
    one, _ = server.open(photo)
    assert server.ask(one + "/likely", place) == (
        400, {"message": "A place has x and y."})


@pytest.mark.parametrize("content, status, message", [
    (b"dear diary", 400, "This file cannot be colored: not an image"),
    (b"", 400, "This file cannot be colored: not an image"),
    (encoded(smooth_photo(1000, 1001)), 400,
     "1001 x 1000 pixels, at most 1000000"),
    (bytes(MAX_UPLOAD_MB * 10**6 + 1), 413, "at most 1 megabytes")])
def test_what_cannot_be_colored_gets_a_sentence(
        server, photo, capfd, content, status, message):
    one, _ = server.open(photo)
    for path in ("/photographs", one + "/reference"):
        answered, answer = server.ask(path, content)
        assert answered == status and message in answer["message"]
    if status == 413:  # with its size told in vain, and not at all
        assert server.ask("/photographs", b"", **{
            "Content-Length": "10000000000"})[0] == status
        assert server.ask("/photographs", iter(
            [content[:900_000], content[900_000:]]))[0] == status
    assert capfd.readouterr().err == ""


def test_other_sites_are_refused(server):
    content = encoded(smooth_photo(20, 20))
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                    {"Host": "evil.example"}, {"Host": "["},
                    {"Origin": "http://127.0.0.1:1"}):
        status, answer = server.ask("/photographs", content, **headers)
        assert status == 403 and "other sites" in answer["message"]
    assert server.ask("/photographs", content,
                      Origin=f"http://{server.host}")[0] == 200
    assert server.ask("/", method="GET", Host="evil.example")[0] == 403


def test_the_page_is_whole_and_fetches_nothing_from_elsewhere(server):
    status, page = server.ask("/", method="GET")
    assert status == 200
    for name in ("page.js", "page.css", "color.js"):
        status, content = server.ask("/" + name, method="GET")
        assert status == 200 and b"://" not in content
    assert b"://" not in page and b'src="page.js"' in page
    _, about = server.ask("/about", method="GET")
    assert about["takes_hints"] and about["max_upload_mb"] == MAX_UPLOAD_MB
    assert about["model"] == (
        "The colors come from the model flat, trained for 7 steps.")
    assert len(about["examples"]) == 8
    status, example = server.ask("/examples/" + about["examples"][0],
                                 method="GET")
    assert status == 200 and decoded(example).ndim == 3
    assert server.ask("/../setup.cfg", method="GET")[0] == 404


def test_a_model_without_hints_colors_all_the_same(photo):
    model = FlatModel()
    model.takes_hints = False
    server = Server(model)
    try:
        one, _ = server.open(photo)
        assert server.ask(one + "/color", {})[0] == 200
        for action, body in (("color", {"hints": [RED]}),
                             ("likely", {"x": 1, "y": 1}),
                             ("reference", b"")):
            assert server.ask(f"{one}/{action}", body) == (
                400, {"message": "This model takes no hints."})
    finally:
        server.close()


def test_a_model_without_likely_colors_starts_and_offers_none(photo):
    model: Any = FlatModel()
    model.offers_likely_colors, model.likely_colors = False, None
    web_page.warm_up(model)
    server = Server(model)
    try:
        one, _ = server.open(photo)
        assert server.ask(one + "/likely", {"x": 1, "y": 1}) == (200, [])
    finally:
        server.close()


def test_the_trained_colorizer_is_named():
    model: Any = FlatModel()
    model.directory = "colorizer"
    assert web_page.describe(model) == (
        "The colors come from the trained colorizer of pix2pix_color.")
