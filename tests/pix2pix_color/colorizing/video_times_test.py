"""Videos of all sorts: times, sound, what is lost, what breaks."""

import os
import resource
from fractions import Fraction

import numpy as np
import pytest
from skimage import color as skimage_color

from pix2pix_color.colorizing import video
from pix2pix_color.colorizing.jobs import Options
from pix2pix_color.colorizing.photograph import NoPhotographError
from pix2pix_color.saved_model.load import LoadedModel
from tests.pix2pix_color.vivid_model import smooth_photo

av = pytest.importorskip("av", reason="needs the extra video")

EVEN = [index / 25 for index in range(20)]
# A telephone in dim light, a pause of an hour, two frames in a millisecond.
UNEVEN = [0, 0.033, 0.0661, 0.3, 0.3009, 3600.5, 3600.54]


@pytest.fixture(scope="module")
def model(export_dir):
    return LoadedModel(str(export_dir))


def write(path, times=EVEN, *, codec="libx264", pix_fmt="yuv420p",
          ticks=Fraction(1, 12800), sounds=(), sound_at=0.0, options=None,
          coder=None, size=(96, 64), prepare=None):
    """Writes a video whose frames differ; `sounds` names a codec a track."""
    with av.open(str(path), "w", options=options or {}) as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt, stream.options = pix_fmt, coder or {}
        stream.codec_context.time_base = ticks
        tracks = [target.add_stream(sound, rate=48000, layout="mono")
                  for sound in sounds]
        others = prepare and prepare(target, stream) or []
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.asarray(smooth_photo(
                *size[::-1]).rotate(index)), format="rgb24")
            frame.pts = round(time / ticks)
            frame.time_base = ticks
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        target.mux(others)
        for track in tracks:
            for first in range(0, 24576, 1024):
                wave = 8000 * np.sin(np.arange(first, first + 1024) / 10)
                frame = av.AudioFrame.from_ndarray(
                    wave.astype(np.int16)[np.newaxis], layout="mono")
                frame.sample_rate, frame.pts = 48000, first + round(
                    sound_at * 48000)
                frame.time_base = Fraction(1, 48000)
                target.mux(track.encode(frame))
            target.mux(track.encode(None))


def times_of(path, kind="video"):
    with av.open(str(path)) as source:
        stream = next(stream for stream in source.streams
                      if stream.type == kind and not stream.disposition
                      & av.stream.Disposition.attached_pic)
        return [float(frame.pts * stream.time_base)
                for frame in source.decode(stream)]


def colorize(model, path):
    """Colors a video; returns the result's path and the remarks."""
    output = path.parent / "out.mp4"
    return output, video.colorize_video(model, str(path), str(output),
                                        Options(saturation=0.0))


@pytest.mark.parametrize("name, times, how", [
    ("uneven.mkv", UNEVEN, {"ticks": Fraction(1, 1000)}),
    ("uneven.mp4", UNEVEN, {"ticks": Fraction(1, 90000)}),
    ("telecine.mov", [n * 1001 / 24000 for n in range(12)],
     {"ticks": Fraction(1001, 24000), "sounds": ["aac"]}),
    ("late_sound.mp4", EVEN, {"sounds": ["aac"], "sound_at": 0.35}),
    ("late_pictures.mkv", [0.6 + time for time in EVEN],
     {"ticks": Fraction(1, 1000), "sounds": ["libmp3lame"]}),
    ("plain.avi", EVEN, {"codec": "mpeg4", "ticks": Fraction(1, 25),
                         "sounds": ["pcm_s16le"]}),
    ("nanoseconds.nut", UNEVEN, {"ticks": Fraction(1, 10**9)}),
    ("broadcast.ts", EVEN, {"ticks": Fraction(1, 90000), "sounds": ["mp2"],
                            "options": {"output_ts_offset": "40000"}}),
    ("wrapped.ts", EVEN, {"ticks": Fraction(1, 90000), "sounds": ["aac"],
                          "options": {"output_ts_offset": "95443.3"}}),
])
def test_pictures_and_sound_keep_their_times(
        model, tmp_path, name, times, how):
    path = tmp_path / name
    write(path, times, **how)
    output, remarks = colorize(model, path)
    assert remarks == []
    before, after = times_of(path), times_of(output)
    assert len(before) == len(after) == len(times)
    shift = after[0] - before[0]
    assert shift == 0 or name.endswith(".ts")  # which begins hours after 0
    np.testing.assert_allclose(np.subtract(after, before), shift, atol=2e-4)
    assert after[0] < 1
    if "sounds" in how:
        heard, sound = times_of(path, "audio"), times_of(output, "audio")
        # 1 ms: the clock of Matroska
        assert sound[0] - heard[0] == pytest.approx(shift, abs=1e-3)
        assert sound[-1] - heard[-1] == pytest.approx(shift, abs=1e-3)


def test_frames_without_order_are_moved_by_less_than_a_millisecond(
        model, tmp_path):
    path, doubled = tmp_path / "film.mkv", tmp_path / "doubled.mkv"
    write(path, ticks=Fraction(1, 1000), coder={"bf": "0"})
    with av.open(str(path)) as source, av.open(str(doubled), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None:
                if index in (5, 9):  # at the time of the frame before it
                    packet.pts = packet.dts = packet.pts - 40
                packet.stream = stream
                target.mux(packet)
    expected = list(EVEN)
    expected[5], expected[9] = expected[4], expected[8]
    after = times_of(colorize(model, doubled)[0])
    np.testing.assert_allclose(after, expected, atol=1e-3)
    assert (np.diff(after) > 0).all()


def test_recordings_that_were_joined_follow_each_other(model, tmp_path):
    for name, at in (("one.ts", "40000"), ("two.ts", "100")):
        write(tmp_path / name, ticks=Fraction(1, 90000), sounds=["mp2"],
              options={"output_ts_offset": at})
    path = tmp_path / "film.ts"
    path.write_bytes(b"".join((tmp_path / name).read_bytes()
                              for name in ("one.ts", "two.ts")))
    after = times_of(colorize(model, path)[0])
    assert len(after) == 40
    assert np.diff(after).max() < 0.5 and (np.diff(after) > 0).all()


def test_the_first_stream_that_is_no_cover_is_colored(model, tmp_path):
    path = tmp_path / "film.mp4"

    def add_cover(target, stream):
        cover = target.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(
            np.asarray(smooth_photo(32, 32)), format="rgb24")
        return cover.encode(frame) + cover.encode(None)

    write(path, prepare=add_cover)
    # The box that holds the cover is moved to the front of the others.
    content = path.read_bytes()
    first = content.index(b"mvhd") - 4
    first += int.from_bytes(content[first:first + 4], "big")
    cover = content.rindex(b"udta") - 4
    end = cover + int.from_bytes(content[cover:cover + 4], "big")
    path.write_bytes(content[:first] + content[cover:end]
                     + content[first:cover] + content[end:])
    with av.open(str(path)) as source:
        assert [bool(stream.disposition & av.stream.Disposition.attached_pic)
                for stream in source.streams.video] == [True, False]
    output, remarks = colorize(model, path)
    assert len(times_of(output)) == len(EVEN)
    assert remarks == ["not carried over: 1 further picture"]


def test_a_cover_that_is_not_marked_as_one_is_no_film(model, tmp_path):
    def add_film(target, _):
        film = target.add_stream("libx264", rate=25)
        film.width, film.height, film.pix_fmt = 96, 64, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(np.asarray(smooth_photo(64, 96)),
                                             format="rgb24") for _ in EVEN]
        return [packet for frame in (*frames, None)
                for packet in film.encode(frame)]

    path = tmp_path / "film.mkv"
    write(path, [0], codec="mjpeg", pix_fmt="yuvj420p", size=(32, 32),
          ticks=Fraction(1, 1000), prepare=add_film)
    output, remarks = colorize(model, path)
    assert len(times_of(output)) == len(EVEN)
    assert remarks == ["not carried over: 1 further picture"]


def test_a_timecode_that_mp4_does_not_take_is_left_out(model, tmp_path):
    path = tmp_path / "film.mkv"
    write(path, ticks=Fraction(1, 1000), prepare=lambda target, _: (
        target.metadata.update({"timecode": "01:00:00;02"})))
    output, remarks = colorize(model, path)
    assert len(times_of(output)) == len(EVEN)
    assert remarks == ["not carried over: 1 timecode"]


def test_what_is_not_carried_over_is_said(model, tmp_path):
    path = tmp_path / "film.mkv"
    write(path, codec="ffv1", pix_fmt="yuv420p10le", ticks=Fraction(1, 1000),
          sounds=["aac", "aac"])
    assert colorize(model, path)[1] == [
        "not carried over: 1 further sound track",
        "10 bits reduced to 8 bits"]


def test_title_and_chapters_are_carried_over(model, tmp_path):
    chapters = [{"id": number, "start": start, "end": start + 400,
                 "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for number, start, title in ((1, 0, "One"), (2, 400, "Two"))]

    def describe(target, stream):
        target.metadata.update({"title": "Grandfather", "date": "1957"})
        target.set_chapters(chapters)

    path = tmp_path / "film.mp4"
    write(path, prepare=describe)
    output, remarks = colorize(model, path)
    assert remarks == []
    with av.open(str(output)) as source:
        assert source.metadata["title"] == "Grandfather"
        assert source.metadata["date"] == "1957"
        assert [(chapter["metadata"]["title"], float(
            chapter["start"] * chapter["time_base"]))
            for chapter in source.chapters()] == [("One", 0), ("Two", 0.4)]


@pytest.mark.parametrize("name, how", [
    ("film.mp4", {"options": {"movflags": "faststart"}}),
    ("film.mkv", {"ticks": Fraction(1, 1000)}),
    ("film.avi", {"codec": "mpeg4", "ticks": Fraction(1, 25)}),
    ("film.wmv", {"codec": "wmv2", "ticks": Fraction(1, 1000)})])
def test_a_file_that_breaks_off_is_colored_as_far_as_it_goes(
        model, tmp_path, name, how):
    path = tmp_path / name
    write(path, [index / 25 for index in range(100)],
          coder={"g": "5"}, **how)
    content = path.read_bytes()
    path.write_bytes(content[:len(content) * 2 // 5])
    with pytest.raises(NoPhotographError, match=(
            r"breaks off after \d\.\d s of 4\.0 s; these were colored: .*out")):
        colorize(model, path)
    after = times_of(tmp_path / "out.mp4")
    np.testing.assert_allclose(after, np.arange(len(after)) / 25, atol=1e-3)
    assert 3 < len(after) < 75


def test_damage_in_the_middle_is_no_end(model, tmp_path):
    path = tmp_path / "film.mkv"
    write(path, ticks=Fraction(1, 1000), coder={"g": "5"})
    with av.open(str(path)) as source:
        packet = [packet for packet in source.demux() if packet.size][12]
        damaged = bytes(packet)
    path.write_bytes(path.read_bytes().replace(damaged, bytes(len(damaged))))
    output, remarks = colorize(model, path)
    assert remarks == ["is damaged in 1 place"]
    assert times_of(output)[-1] == pytest.approx(EVEN[-1])


def test_an_error_of_writing_names_the_result(model, tmp_path):
    path = tmp_path / "film.mp4"
    write(path, size=(320, 240))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as caught:
            colorize(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(tmp_path / "out.mp4")
    assert caught.value.strerror == os.strerror(27)  # File too large
    assert [left.name for left in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("matrix, is_full", [
    (1, 0), (1, 1), (6, 0), (6, 1)])
def test_lightness_is_that_of_the_sources_matrix_and_range(
        model, tmp_path, matrix, is_full):
    """A gray ramp and a red field, built from the standards' formulas."""
    rgb = np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis],
                    3, axis=2).repeat(64, axis=0)
    rgb[32:] = 200, 60, 40
    red, blue = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}[matrix]
    r, g, b = np.moveaxis(rgb / 255, -1, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    planes = [y, (b - y) / (1 - blue) / 2, (r - y) / (1 - red) / 2]
    scale, base = ((255, 255), 0) if is_full else ((219, 224), 16)
    planes = [scale[0] * planes[0] + base,
              *(scale[1] * plane[::2, ::2] + 128 for plane in planes[1:])]
    frame = av.VideoFrame.from_ndarray(np.concatenate([
        plane.round().astype(np.uint8).ravel() for plane in planes]).reshape(
            96, 256), format="yuv420p")
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        stream.options = {"crf": "1"}
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 1 + is_full
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    with av.open(str(colorize(model, path)[0])) as source:
        made = next(source.decode(video=0))
    assert (made.colorspace, made.color_range) == (matrix, 1)
    shown = skimage_color.rgb2lab(made.to_ndarray(format="rgb24"))[..., 0]
    expected = skimage_color.rgb2lab(rgb)[..., 0]
    for half in (slice(4, 28), slice(36, 60)):
        assert np.abs(shown[half].mean(0) - expected[half][0]).max() < 1.5


def test_a_size_that_changes_is_brought_to_the_first(model, tmp_path):
    for name, size, at in (("one.ts", (96, 64), 1), ("two.ts", (128, 96), 3)):
        write(tmp_path / name, ticks=Fraction(1, 90000), size=size,
              options={"output_ts_offset": str(at)})
    path = tmp_path / "film.ts"
    path.write_bytes(b"".join((tmp_path / name).read_bytes()
                              for name in ("one.ts", "two.ts")))
    with av.open(str(colorize(model, path)[0])) as source:
        sizes = {(frame.width, frame.height)
                 for frame in source.decode(video=0)}
    assert sizes == {(96, 64)}


@pytest.mark.parametrize("matrix, turn", [
    ((-1, 0, 0, 1), lambda rgb: rgb[:, ::-1]),
    ((0, 1, 1, 0), lambda rgb: rgb.transpose(1, 0, 2)),
    ((0, 1, -1, 0), lambda rgb: np.rot90(rgb, -1)),
    ((-1, 0, 0, -1), lambda rgb: rgb[::-1, ::-1])])
def test_turned_and_mirrored_videos_come_out_upright(
        model, tmp_path, matrix, turn):
    path = tmp_path / "film.mp4"
    a, b, c, d = (2**16 * value for value in matrix)
    write(path, [0], prepare=lambda target, stream: stream.set_display_matrix(
        [a, b, 0, c, d, 0, 0, 0, 2**30]))
    with av.open(str(colorize(model, path)[0])) as source:
        rgb = next(source.decode(video=0)).to_ndarray(format="rgb24")
    expected = skimage_color.rgb2lab(turn(np.asarray(smooth_photo(64, 96))))
    assert rgb.shape == expected.shape
    assert np.abs(skimage_color.rgb2lab(rgb)[..., 0]
                  - expected[..., 0]).mean() < 3
