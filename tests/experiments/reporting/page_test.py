"""The page: its tables and pictures, and that a real browser shows it."""

import base64
import html.parser
import io
import json
import os
import re
import shutil
import subprocess
from typing import Optional

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from data_pipelines.errors import UserError
from experiments import report
from experiments.reporting import charts, page, runs
from tests.experiments import conftest


class Reader(html.parser.HTMLParser):
    """The tables' rows of a page, and the pictures between its headings."""

    def __init__(self, content):
        super().__init__()
        self.rows, self.pictures, self._heading = [], {}, ""
        self._cell: Optional[str] = None
        self.best: list[tuple[str, str]] = []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th", "h2"):
            self._cell = ""
            self._is_best = "best" in (attributes.get("class") or "")
        elif tag == "img":
            self.pictures.setdefault(self._heading, []).append(
                (attributes["alt"], attributes["src"]))

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self._cell)
            if self._is_best:
                self.best.append((self.rows[-1][0], self._cell or ""))
            self._cell = None
        elif tag == "h2":
            self._heading, self._cell = self._cell or "", None

    def row(self, name):
        found = [row[1:] for row in self.rows if row and row[0] == name]
        assert len(found) == 1, (name, self.rows)
        return found[0]


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A page on two runs, one of which did more and has a name to escape."""
    folder = tmp_path_factory.mktemp("runs")
    one = conftest.write_run(folder / "<b>&one")
    two = conftest.write_run(folder / "two", steps=(10, 20), total=20,
                             ab_l1=8.25, color_space="rgb")
    conftest.write_samples(one, "step-0000010", level=10)
    conftest.write_samples(one, "step-0000200", numbers=range(10), level=40)
    conftest.write_samples(two, "step-0000020", numbers=(1, 2), level=160)
    return build(one, two)


def build(*paths):
    return page.build_page(runs.load_runs(list(map(str, paths))))


def write_report(output, *paths):
    with flagsaver.as_parsed(output=str(output)):
        report.main(["report", *map(str, paths)])


@pytest.fixture(scope="module")
def shown(content):
    return Reader(content)


def test_results_come_from_run_json(shown):
    rows = {row[0]: row[1:] for row in shown.rows[::-1]}  # the first of a name
    assert rows["<b>&one, step 30"] == [
        "9.50", "21.25", "0.88", "10.12", "33.00", "12.00"]
    assert rows["two, step 20"][0] == "8.25"
    assert rows["gray image"] == ["1.50", "1.50", "1.50", "1.50", "0.00",
                                  "1.50"]


def test_the_best_result_is_marked(shown):
    assert shown.best == [("two, step 20", "8.25")]


def test_equal_epochs_have_a_table_of_their_own(shown):
    assert shown.row("<b>&one, epoch 2.00, step 20")[0] == "80.00"
    assert shown.row("two, epoch 2.00, step 20")[0] == "80.00"


def test_flags_time_and_speed_are_shown(shown):
    assert shown.row("--color_space") == ["lab", "rgb"]
    assert shown.row("images per second") == ["8.0", "8.0"]
    assert shown.row("time of the updates") == ["15 s", "10 s"]
    assert shown.row("time of evaluation") == ["11 s", "11 s"]
    assert shown.row("best checkpoint")[0] == "ab_l1 7.25 at step 20"
    assert shown.row("state") == ["finished"] * 2


def test_names_are_escaped(content):
    assert "<b>&one" not in content and "&lt;b&gt;&amp;one" in content


def test_each_kind_of_loss_has_a_panel_a_run(shown):
    assert [alt for alt, _ in shown.pictures["Losses"]] == [
        "<b>&one", "two"] * 3
    assert [alt for alt, _ in shown.pictures["Metrics over time"]] == [
        "ab_l1 ↓", "PSNR, dB ↑", "SSIM ↑", "CIEDE2000 ↓",
        "colorfulness", "colorfulness gap ↓"]


def test_a_run_that_is_going_shows_its_newest_evaluation(make_run):
    going = Reader(build(make_run("run", is_finished=False, total=90)))
    assert going.row("state") == ["at step 30 of 90 when this page was made"]
    assert going.row("run, step 30 so far")[:2] == ["70.00", "21.25"]
    assert going.row("epochs") == ["3.0"]
    assert not any("gray image" in row for row in going.rows)


@pytest.mark.parametrize("fraction, name", [
    (0.1, "gray image"), (0.2, "gray image of done")])
def test_runs_share_a_gray_image_if_they_evaluate_on_the_same(
        make_run, fraction, name):
    going = make_run("going", is_finished=False)
    flags = (going / "config.flags").read_text()
    (going / "config.flags").write_text(flags.replace(
        "--eval_fraction=0.1", f"--eval_fraction={fraction}"))
    rows = Reader(build(make_run("done"), going)).rows
    assert [row[0] for row in rows if row[0].startswith("gray")][0] == name


@pytest.mark.parametrize("batch_size, panels", [(4, 6), (8, 12)])
def test_runs_with_other_epochs_are_compared_over_updates_too(
        make_run, batch_size, panels):
    shown = Reader(build(make_run("four"),
                         make_run("other", batch_size=batch_size)))
    assert len(shown.pictures["Metrics over time"]) == panels


def test_each_run_shows_its_newest_grid(shown):
    pictures = shown.pictures["Evaluation photographs: gray, colorized, real"]
    assert [alt for alt, _ in pictures] == ["<b>&one, step 200",
                                            "two, step 20"]
    one, two = (np.asarray(Image.open(io.BytesIO(base64.b64decode(
        url.partition("base64,")[2])))).astype(int) for _, url in pictures)
    # Ten photographs of 128 px are shrunk to the width of the page.
    assert one.shape[1] == 1240 and two.shape == (392, 284, 3)
    assert abs(one[one.shape[0] // 2, 40:120].mean() - 40) < 3
    for place, photo in enumerate(conftest.photographs(32, (1, 2))):
        left = 24 + 132 * place
        assert abs(two[132:260, left:left + 128].mean() - 160) < 3
        assert np.abs(two[264:, left:left + 128] - photo.repeat(4, 0).repeat(
            4, 1)).mean() < 4
    assert "Training photographs: gray, colorized, real" not in shown.pictures


def test_a_border_is_a_vertical_line_at_its_place():
    line = charts.Line({0.0: 1.0, 10.0: 1.0}, "black")
    common = charts.Span(10.0, (0.9, 1.1))

    def draw(*borders):
        return np.asarray(Image.open(io.BytesIO(charts.draw_panel(
            [line], common, x_name="epochs", borders=borders))).convert("L"),
            dtype=int)

    places = []
    for border in (1.0, 5.0, 9.0):
        # The palettes differ by what nobody sees.
        rows, columns = np.nonzero(np.abs(draw() - draw(border)) > 16)
        assert np.ptp(columns) < 6 and np.ptp(rows) > 200
        places.append(columns.mean())
    np.testing.assert_allclose(np.diff(places), 4 / 10.2 * 560, rtol=0.1)


@pytest.mark.parametrize("values, is_log", [
    ((1.0, 100.0), True), ((1.0, 2.0), False), ((0.0, 100.0), False),
    ((-1.0, 100.0), False)])
def test_a_logarithmic_axis_is_for_positive_values_far_apart(values, is_log):
    lines = [charts.Line(dict(enumerate(values)), "black")]
    common = charts.common_span([lines], may_be_log=True)
    assert common and common.is_log == is_log and common.x == 1
    assert common.y[0] < values[0] and common.y[1] > values[1]
    linear = charts.common_span([lines])
    assert linear and not linear.is_log
    whole = charts.common_span([lines], from_zero=True)
    assert whole and whole.y[0] == 0 and whole.y[1] > values[1]
    assert charts.common_span([[charts.Line({}, "black")]]) is None


def test_the_command_writes_a_page_or_says_why_not(make_run, tmp_path, capsys):
    path, output = str(make_run("run")), tmp_path / "report.html"
    output.write_text("an earlier one")
    write_report(output, path)
    assert capsys.readouterr().out == (
        f"{output}, {output.stat().st_size / 2**20:.1f} MiB\n")
    assert output.read_text().startswith("<!DOCTYPE html>")
    assert sorted(os.listdir(tmp_path)) == ["report.html", "run"]
    with pytest.raises(UserError, match="--output=a.txt must name an .html"):
        write_report("a.txt", path)


@pytest.mark.slow
def test_a_browser_shows_every_picture_and_number(make_run, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium; apt-get install chromium")
    one, two = make_run("one"), make_run("two", color_space="rgb", ab_l1=8.25)
    for path in (one, two):
        conftest.write_samples(path, "step-0000030", numbers=range(8))
    output = tmp_path / "report.html"
    write_report(output, one, two)
    script = """<script>addEventListener("load", () => {
        document.body.innerText = "SEEN" + JSON.stringify({
            widths: [...document.images].map(image => image.naturalWidth),
            wide: document.documentElement.scrollWidth > innerWidth,
            rows: [...document.querySelectorAll("tr")].map(row =>
                [...row.cells].map(cell => cell.innerText))}) + "SEEN"})
        </script>"""
    output.write_text(output.read_text().replace("</body>", script + "</body>"))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu",
         f"--user-data-dir={tmp_path}/profile", "--window-size=1300,1000",
         "--dump-dom", output.as_uri()],
        capture_output=True, text=True, timeout=120, check=True)
    answer = re.search("<body>SEEN(.*)SEEN</body>", done.stdout, re.S)
    assert answer, done.stdout[-1000:]
    seen = json.loads(html.unescape(answer[1]))
    # Two grids, 3 x 2 losses, 6 metrics, 3 more.
    assert len(seen["widths"]) == 2 + 6 + 6 + 3
    assert all(width >= 32 for width in seen["widths"])
    assert not seen["wide"]
    facts = json.loads((two / "run.json").read_text())
    assert ["two, step 30", *(
        f"{value:.2f}" for value in facts["evaluation"]["colorized"].values()
    )] in seen["rows"]
