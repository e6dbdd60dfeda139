"""An archive of a few files, from its names to its report."""

import csv
import functools
import os
import stat

import numpy as np
import pytest
from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.localfilesystem import LocalFileSystem
from PIL import Image

from data_pipelines import photo_file
from data_pipelines.errors import UserError
from data_pipelines.preparation.beam_options import parse_beam_options
from pix2pix_color.archive import colorist
from pix2pix_color.archive.listing import Listing
from pix2pix_color.archive.pipeline import color_archive
from pix2pix_color.archive.settings import Settings
from pix2pix_color.archive.worker import Counts
from pix2pix_color.colorizing.photograph import (read_photograph,
                                                 write_photograph)
from pix2pix_color.saved_model.load import LoadedModel
from tests.pix2pix_color.vivid_model import smooth_photo


def color(archive, output_dir, model, *, input_list="", **changed):
    """Colors an archive in this process and returns the counts."""
    listing = Listing(input_pattern="" if input_list else str(archive),
                      input_list=str(input_list), output_dir=str(output_dir))
    return color_archive(listing, Settings(**{
        "root": listing.root, "output_dir": str(output_dir),
        "model": str(model), "digest": "", "file_format": "png",
        "saturation": 1.0, "chroma_size": 0, "max_pixels": 100_000,
        "threads": 0, **changed}), parse_beam_options([]))


def rows_of(output_dir):
    """Joins the report: name of the file -> its rows."""
    text = "".join((output_dir / "report" / name).read_text()
                   for name in sorted(os.listdir(output_dir / "report"))
                   if name.endswith(".csv"))
    rows: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        rows.setdefault(os.path.basename(row["path"]), []).append(row)
    return rows


def results_of(output_dir):
    """The results below a folder: path -> bytes."""
    return {str(path.relative_to(output_dir)): path.read_bytes()
            for path in sorted(output_dir.rglob("*_colorized*"))}


@pytest.fixture(scope="module", autouse=True)
def one_model():
    """Lets all runs of this process share a model: loading takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(colorist, "LoadedModel",
                      functools.lru_cache(colorist.LoadedModel))
        yield


@pytest.fixture(scope="module")
def mess(tmp_path_factory):
    """An archive as there are."""
    folder = tmp_path_factory.mktemp("scans [1]")
    (folder / "box" / "deep").mkdir(parents=True)
    for number in range(6):
        smooth_photo(seed=number).save(folder / "box" / f"{number}.jpg")
    smooth_photo(seed=7).save(folder / "box" / "0.png")
    smooth_photo(seed=8).save(folder / "box" / "1_colorized.png")
    smooth_photo(seed=9).save(folder / "box" / "deep" / "pages.tif",
                              save_all=True, append_images=[smooth_photo()])
    smooth_photo(400, 300).save(folder / "large.png")
    (folder / "text.jpg").write_text("no photograph")
    (folder / "cut.jpg").write_bytes(
        (folder / "box" / "0.jpg").read_bytes()[:400])
    (folder / "film.mp4").write_bytes(b"\0\0\0\x14ftypisom" + bytes(99))
    (folder / ".hidden.jpg").write_bytes(b"")
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.fixture(scope="module")
def colored(mess, export_dir, tmp_path_factory):
    """The mess, colored; the folder and the counts."""
    output_dir = tmp_path_factory.mktemp("colored")
    return output_dir, color(mess, output_dir, export_dir)


def test_results_repeat_the_structure_and_are_those_of_colorize(
        mess, colored, export_dir):
    output_dir, _ = colored
    results = results_of(output_dir)
    assert sorted(results) == [
        "box/0.jpg_colorized.png", "box/0.png_colorized.png",
        *(f"box/{number}_colorized.png" for number in range(1, 6)),
        "box/deep/pages_colorized_page1.png",
        "box/deep/pages_colorized_page2.png"]
    photograph = read_photograph((mess / "box" / "3.jpg").read_bytes(),
                                 max_pixels=10**6)
    rgb = LoadedModel(str(export_dir)).colorize(photograph.rgb)
    assert results["box/3_colorized.png"] == write_photograph(
        type(photograph)(rgb, photograph.metadata), file_format="png")


def test_the_report_has_a_row_for_each_photograph(mess, colored):
    output_dir, counts = colored
    rows = rows_of(output_dir)
    assert sorted(rows) == sorted(
        [*(f"{number}.jpg" for number in range(6)), "0.png", "pages.tif",
         "large.png", "text.jpg", "cut.jpg", "film.mp4", "pipe.jpg"])
    row, = rows["3.jpg"]
    assert row["path"] == str(mess / "box" / "3.jpg")
    assert row["result"] == str(output_dir / "box" / "3_colorized.png")
    assert (row["width"], row["height"], row["reason"]) == ("90", "60", "")
    chroma = photo_file.mean_chroma(Image.open(row["result"]))
    assert float(row["mean_chroma"]) == pytest.approx(chroma, abs=0.01)
    assert chroma > 5 and float(row["seconds"]) > 0
    assert [row["result"][-9:] for row in rows["pages.tif"]] == [
        "page1.png", "page2.png"]
    assert {name: row["reason"] for name, (row, *_) in rows.items()
            if row["reason"]} == {
        "large.png": "300 x 400 pixels, at most 100000 are read",
        "text.jpg": rows["text.jpg"][0]["reason"],
        "cut.jpg": rows["cut.jpg"][0]["reason"],
        "film.mp4": "a video, which colorize colors",
        "pipe.jpg": "not a regular file"}
    assert rows["text.jpg"][0]["reason"].startswith("not an image that can")
    assert counts == Counts(
        colored=9, existing=0, refused=5, bytes_read=counts.bytes_read,
        bytes_written=sum(map(len, results_of(output_dir).values())))


def test_again_makes_what_is_missing_and_keeps_the_rows(
        mess, colored, export_dir):
    output_dir, _ = colored
    before, results = rows_of(output_dir), results_of(output_dir)
    times = {path: os.stat(output_dir / path).st_mtime_ns for path in results}
    removed = "box/2_colorized.png", "box/deep/pages_colorized_page2.png"
    for path in removed:
        (output_dir / path).unlink()
    counts = color(mess, output_dir, export_dir)
    assert (counts.colored, counts.existing, counts.refused) == (2, 7, 5)
    assert results_of(output_dir) == results
    assert {path for path, time in times.items()
            if os.stat(output_dir / path).st_mtime_ns != time} == set(removed)
    after = rows_of(output_dir)
    assert after["3.jpg"] == before["3.jpg"]  # the seconds, too
    for row in (*before["2.jpg"], *after["2.jpg"], *before["pages.tif"],
                *after["pages.tif"]):
        del row["seconds"]
    assert after == before


def test_rows_are_made_of_results_where_the_report_is_gone(
        mess, colored, export_dir):
    output_dir, _ = colored
    before = rows_of(output_dir)
    for part in (output_dir / "report").glob("part-*"):
        part.unlink()
    assert color(mess, output_dir, export_dir).existing == 9
    after = rows_of(output_dir)
    assert {row["seconds"] for name in ("1.jpg", "0.png")
            for row in after[name]} == {""}
    for rows in (before, after):
        for row in sum(rows.values(), []):
            del row["seconds"]
    assert after == before


def test_more_shards_keep_the_rows(mess, export_dir, tmp_path):
    few, output_dir = tmp_path / "few", tmp_path / "out"
    few.mkdir()
    smooth_photo(seed=1).save(few / "first.png")
    color(few, output_dir, export_dir)
    before = rows_of(output_dir)["first.png"]
    for number in range(1700):
        (few / f"{number}.txt").touch()
    color(few, output_dir, export_dir)
    assert rows_of(output_dir)["first.png"] == before
    parts = [path.name for path in (output_dir / "report").glob("part-*")]
    assert {name[-9:-4] for name in parts} == {"00032"}


def test_other_settings_are_refused(mess, colored, export_dir):
    with pytest.raises(UserError, match=(
            r"--output_dir=.* holds results of --saturation with saturation "
            r"1\.0, not 2\.0; name another folder or repeat the flag")):
        color(mess, colored[0], export_dir, saturation=2.0)


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
        small_disk, export_dir, tmp_path):
    scans, disk = tmp_path / "scans", small_disk(400)
    scans.mkdir()
    random = np.random.default_rng(0)
    for number in range(24):
        Image.fromarray(random.integers(
            0, 256, (100, 100, 3), np.uint8)).save(scans / f"{number}.png")
    with pytest.raises(UserError, match=(
            rf"--output_dir={disk}/out: No space left on device; make room "
            rf"and repeat the command, which goes on")):
        color(scans, disk / "out", export_dir)
    whole = results_of(disk / "out")
    assert 0 < len(whole) < 24
    assert color(scans, tmp_path / "undisturbed", export_dir).colored == 24
    expected = results_of(tmp_path / "undisturbed")
    assert whole.items() <= expected.items()


class _OtherFileSystem(LocalFileSystem):
    """Files of this machine, as other://, where names are taken once."""

    @classmethod
    def scheme(cls):
        return "other"

    def _list(self, dir_or_prefix):
        for file in super()._list(dir_or_prefix.removeprefix("other://")):
            yield type(file)("other://" + file.path, file.size_in_bytes)

    def rename(self, sources, destinations):
        for name in destinations:
            assert not self.exists(name)
        super().rename(*([name.removeprefix("other://") for name in names]
                         for names in (sources, destinations)))

    def create(self, path, *args, **kwargs):
        assert path.endswith(".unfinished")
        return super().create(path.removeprefix("other://"), *args, **kwargs)

    def open(self, path, *args, **kwargs):
        return super().open(path.removeprefix("other://"), *args, **kwargs)

    def exists(self, path):
        return super().exists(path.removeprefix("other://"))

    def delete(self, paths):
        super().delete([path.removeprefix("other://") for path in paths])


def test_another_file_system_gives_the_same(
        mess, colored, export_dir, tmp_path):
    assert isinstance(FileSystems.get_filesystem("other://x"), FileSystem)
    scans = tmp_path / "scans"
    for path in (mess / "box").glob("[2-5].jpg"):
        (scans / "box").mkdir(parents=True, exist_ok=True)
        (scans / "box" / path.name).write_bytes(path.read_bytes())
    for _ in range(2):
        counts = color(f"other://{scans}/**.jpg", f"other://{tmp_path}/out",
                       export_dir)
    assert (counts.colored, counts.existing) == (0, 4)
    expected = results_of(colored[0])
    assert results_of(tmp_path / "out") == {
        path: expected[path] for path in (
            f"box/{number}_colorized.png" for number in range(2, 6))}
    assert len(rows_of(tmp_path / "out")) == 4
    assert not list(tmp_path.rglob("*.unfinished"))


def test_a_list_of_paths_may_name_what_is_not_there(
        mess, export_dir, tmp_path):
    names = [mess / "box" / "2.jpg", mess / "box" / "2.jpg",
             mess / "large.png", mess / "gone.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(map(str, names)))
    counts = color("", tmp_path / "out", export_dir,
                   input_list=tmp_path / "list.txt")
    assert (counts.colored, counts.refused) == (1, 2)
    rows = rows_of(tmp_path / "out")
    assert rows["gone.jpg"][0]["reason"] == "No such file or directory"
    assert list(results_of(tmp_path / "out")) == ["box/2_colorized.png"]


def test_a_file_that_may_not_be_read_has_a_row(export_dir, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    smooth_photo().save(tmp_path / "a.png")
    os.chmod(tmp_path / "a.png", stat.S_IWUSR)
    color(tmp_path / "a.png", tmp_path / "out", export_dir)
    assert rows_of(tmp_path / "out")["a.png"][0]["reason"] == (
        "Permission denied")
