"""From a file to its colored files: pixels, metadata, options, videos."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from skimage import color as skimage_color

from data_pipelines.errors import UserError
from pix2pix_color.colorizing import jobs, one_file
from pix2pix_color.colorizing import photograph as photograph_module
from pix2pix_color.colorizing import video
from pix2pix_color.colorizing.photograph import (NoPhotographError, Photograph,
                                                 read_photograph,
                                                 write_photograph)
from pix2pix_color.saved_model import load


@pytest.fixture(scope="module")
def model(export_dir):
    return load.LoadedModel(str(export_dir))


def photograph(height=60, width=90, seed=0):
    coarse = np.random.default_rng(seed).uniform(0, 255, (4, 5, 3))
    return Image.fromarray(coarse.astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC)


def colorize(model, image, folder, *, ending="png", options=None,
             num_outputs=1, **saving):
    """Saves an image, colors it, and opens the results."""
    path = folder / f"photo.{ending}"
    image.save(path, **saving)
    outputs = tuple(str(folder / f"out{number}")
                    for number in range(num_outputs))
    one_file.colorize(model, jobs.Job(str(path), outputs),
                      options or one_file.Options())
    return [Image.open(output) for output in outputs]


def lab(image):
    return skimage_color.rgb2lab(np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("file_format, name", [
    ("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF")])
def test_every_format_keeps_size_lightness_and_metadata(
        model, tmp_path, file_format, name):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = "Grandmother, 1931"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = photograph()
    output, = colorize(
        model, photo, tmp_path, exif=exif, icc_profile=profile,
        options=one_file.Options(file_format=file_format))
    assert output.format == name and output.size == (60, 90)
    assert output.info["icc_profile"] == profile
    told = output.getexif()
    assert told[ExifTags.Base.ImageDescription] == "Grandmother, 1931"
    assert told[ExifTags.Base.Orientation] == 1
    upright = photo.transpose(Image.Transpose.ROTATE_270)
    difference = np.abs(lab(output) - lab(upright))[..., 0]
    # Lossy WebP has one color for four pixels; this model's are vivid.
    assert difference.mean() < (2 if file_format == "webp" else 0.5)


@pytest.mark.parametrize("mode, ending", [
    ("L", "png"), ("LA", "png"), ("RGBA", "png"), ("P", "png"), ("1", "png"),
    ("CMYK", "jpg"), ("I;16", "png"), ("RGB", "tiff"), ("L", "webp")])
def test_every_kind_of_file_is_colored(model, tmp_path, mode, ending):
    photo = photograph()
    if mode == "I;16":
        gray = np.asarray(photo.convert("L")).astype(np.uint16) * 257
        given = Image.fromarray(gray)
    else:
        given = photo.convert(mode)
    output, = colorize(model, given, tmp_path, ending=ending)
    seen = photo.convert("L") if mode == "I;16" else Image.open(
        tmp_path / f"photo.{ending}")
    assert output.size == (90, 60)
    assert np.abs(lab(output) - lab(seen))[..., 0].mean() < 0.7


def test_a_gray_profile_is_applied_and_not_carried_over(model, tmp_path):
    """A gray value of gamma 1.0 is lighter than the same value in sRGB."""
    profile = gray_profile(gamma=1.0)
    gray = photograph().convert("L")
    output, = colorize(model, gray, tmp_path, icc_profile=profile)
    assert "icc_profile" not in output.info
    linear = np.asarray(gray) / 255.0
    curve = np.where(linear <= 0.0031308, 12.92 * linear,
                     1.055 * linear**(1 / 2.4) - 0.055)
    expected = Image.fromarray(np.round(255 * curve).astype(np.uint8))
    assert np.abs(lab(output) - lab(expected))[..., 0].mean() < 1.0


def test_no_other_profile_than_that_of_the_values_is_carried_over():
    """A gray one on a picture of three channels, or one that is none."""
    gray = photograph().convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    expected = read_back(gray, "PNG", icc_profile=gray_profile(1.0)).rgb
    assert np.abs(expected.astype(int) - read_back(gray, "PNG").rgb).max() > 40
    for kind in (deep, gray.convert("LA")):
        read = read_back(kind, "PNG", icc_profile=gray_profile(1.0))
        assert read.icc_profile is None
        np.testing.assert_array_equal(read.rgb, expected)
    for image, profile in ((gray.quantize(8), gray_profile(1.0)),
                           (photograph(), b"garbage" * 30),
                           (gray, b"garbage" * 30)):
        read = read_back(image, "PNG", icc_profile=profile)
        assert read.icc_profile is None
        np.testing.assert_array_equal(
            read.rgb, np.asarray(image.convert("RGB")))


def test_the_profile_of_a_turned_cmyk_photograph_is_applied(monkeypatch):
    """There are no free CMYK profiles at hand: it is applied by a stand-in."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = bytes(16) + b"CMYK" + bytes(16) + b"acsp" + bytes(100)
    monkeypatch.setattr(photograph_module, "_to_srgb", lambda image, _: (
        image.convert("RGB").point(lambda value: 255 - value)))
    cmyk = photograph().convert("CMYK")
    read = read_back(cmyk, "JPEG", icc_profile=profile, exif=exif)
    plain = read_back(cmyk, "JPEG", exif=exif)
    assert read.icc_profile is None and read.rgb.shape == (90, 60, 3)
    np.testing.assert_array_equal(read.rgb, 255 - plain.rgb)


def read_back(image, file_format, **saving):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **saving)
    return read_photograph(buffer.getvalue(), max_pixels=10**6)


@pytest.mark.parametrize("mode, saving", [
    ("L", {}), ("P", {}), ("1", {"compression": "group4"}), ("CMYK", {}),
    ("RGBA", {}), ("I;16", {}), ("RGB", {"compression": "jpeg"})])
@pytest.mark.parametrize("file_format", ["tiff", "png", "jpeg"])
def test_how_a_tiff_stores_its_pixels_is_not_told_of_the_result(
        mode, saving, file_format):
    """Or a gray scan becomes a file that says it has one channel."""
    photo = photograph()
    image = (Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16)
                             * 257) if mode == "I;16" else photo.convert(mode))
    given = image.getexif()
    given[ExifTags.Base.Orientation] = 6
    given[ExifTags.Base.Artist] = "Grandfather"
    read = read_back(image, "TIFF", exif=given, **saving)
    assert read.rgb.shape == (90, 60, 3)
    with Image.open(io.BytesIO(write_photograph(
            read, file_format=file_format))) as result:
        told = result.getexif()
        assert told[ExifTags.Base.Artist] == "Grandfather"
        assert told.get(ExifTags.Base.Orientation, 1) == 1
        if file_format != "tiff":
            assert set(told) <= {ExifTags.Base.Artist,
                                 ExifTags.Base.Orientation}
        pixels = np.asarray(result.convert("RGB")).astype(int)
    assert pixels.shape == read.rgb.shape
    assert np.abs(pixels - read.rgb).mean() < (
        4 if file_format == "jpeg" else 1e-9)


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize("entry", [
    (0x8769, 4, 1, b"\xff\xff\0\0"), (0x8825, 4, 1, b"\x08\0\0\0"),
    (0x011A, 5, 1, b"\xff\0\0\0"), (0x8769, 2, 4, b"abc\0"), None],
    ids=["nowhere", "itself", "no_fraction", "text", "too_long"])
def test_odd_metadata_stops_no_photograph(file_format, entry):
    if entry is None:
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = "x" * 70_000
        block = exif.tobytes()
    else:
        block = (b"Exif\0\0II*\0" + struct.pack("<IHHHI", 8, 1, *entry[:3])
                 + entry[3] + bytes(20))
    read = read_back(photograph(), "PNG", exif=block)
    with Image.open(io.BytesIO(write_photograph(
            read, file_format=file_format))) as result:
        assert np.asarray(result).shape == (60, 90, 3)


def gray_profile(gamma):
    """An ICC profile of one channel (ICC.1:2022, 7.2 and 8.3.4)."""
    def tag(signature, data):
        return signature + bytes(4) + data

    curve = tag(b"curv", (1).to_bytes(4, "big")
                + round(gamma * 256).to_bytes(2, "big") + bytes(2))
    white = tag(b"XYZ ", b"".join(
        round(value * 65536).to_bytes(4, "big")
        for value in (0.9642, 1.0, 0.8249)))
    tags = {b"kTRC": curve, b"wtpt": white}
    table, data, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + offset.to_bytes(4, "big") + len(content).to_bytes(
            4, "big")
        data += content
        offset += len(content)
    header = (offset.to_bytes(4, "big") + bytes(4) + b"\2\x10\0\0" + b"mntr"
              + b"GRAY" + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
              + white[8:]).ljust(128, b"\0")
    return header + len(tags).to_bytes(4, "big") + table + data


def test_saturation_scales_the_colors(model):
    rgb = np.asarray(photograph())
    plain, half, none = (
        skimage_color.rgb2lab(model.colorize(rgb, saturation=saturation))
        for saturation in (0.5, 0.25, 0.0))
    assert np.abs(none[..., 1:]).max() < 1.5
    assert np.abs(half[..., 1:]).mean() == pytest.approx(
        np.abs(plain[..., 1:]).mean() / 2, rel=0.15)


def test_options_of_a_photograph_reach_the_model(model, tmp_path):
    photo = photograph(200, 300)
    output, = colorize(model, photo, tmp_path, options=one_file.Options(
        saturation=0.5, chroma_size=64))
    np.testing.assert_array_equal(output, model.colorize(
        np.asarray(photo), saturation=0.5, chroma_size=64))


def test_samples_are_alternatives(model, tmp_path):
    outputs = colorize(model, photograph(), tmp_path, num_outputs=3,
                       options=one_file.Options(seeds=(4, 5, 4)))
    first, second, third = map(np.asarray, outputs)
    np.testing.assert_array_equal(first, third)
    assert np.abs(first.astype(int) - second).mean() > 1


def test_side_by_side_puts_the_gray_photograph_to_the_left(model, tmp_path):
    photo = photograph()
    output, = colorize(model, photo, tmp_path,
                       options=one_file.Options(side_by_side=True))
    assert output.size == (180, 60)
    left, right = np.split(np.asarray(output), 2, axis=1)
    assert np.ptp(left, axis=-1).max() == 0
    np.testing.assert_array_equal(right, model.colorize(np.asarray(photo)))


def test_a_larger_chroma_size_changes_the_answer(model):
    rgb = np.asarray(photograph(200, 300))
    assert model.predict_field(rgb).slope.shape == (21, 32, 2)
    field = model.predict_field(rgb, chroma_size=64)
    assert field.slope.shape == (43, 64, 2)
    difference = model.colorize(rgb, chroma_size=64).astype(int)
    assert np.abs(difference - model.colorize(rgb)).mean() > 1


@pytest.mark.parametrize("chroma_size", [32, 64])
def test_samples_differ_at_every_chroma_size(model, chroma_size):
    rgb = np.asarray(photograph(60, 90))
    plain, one, other, again = (
        model.predict_field(rgb, chroma_size=chroma_size, seed=seed).intercept
        for seed in (None, 1, 2, 1))
    np.testing.assert_array_equal(one, again)
    for first, second in ((plain, one), (plain, other), (one, other)):
        assert np.abs(first - second).mean() > 0.1


def test_chroma_size_is_what_fits(model, monkeypatch):
    assert model.fitting_chroma_size(0) == 32
    assert model.fitting_chroma_size(96) == 96
    with pytest.raises(UserError, match="--chroma_size=50 must be a multiple "
                       "of this model's image size, 32"):
        model.fitting_chroma_size(50)
    a_square = 1.5 * model.card["activation_bytes"]
    monkeypatch.setattr(load.hardware, "memory_bytes",
                        lambda: a_square * 4.5 / 0.8)
    assert model.fitting_chroma_size(96) == 64
    monkeypatch.setattr(load.hardware, "memory_bytes", lambda: 1)
    assert model.fitting_chroma_size(96) == 32


@pytest.mark.parametrize("content, message", [
    (b"", "no image that can be read"), (b"text", "no image that can be read"),
    (None, r"90 x 60 pixels, at most 5000 are read")])
def test_what_is_no_photograph_leaves_nothing(
        model, tmp_path, content, message):
    path = tmp_path / "photo.jpg"
    photograph().save(path)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(one_file.NoPhotographError, match=message):
        one_file.colorize(model, jobs.Job(str(path), (str(tmp_path / "out"),)),
                          one_file.Options(max_pixels=5000))
    assert [left.name for left in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_format_that_is_too_small_says_so():
    wide = Photograph(np.zeros((1, 20000, 3), np.uint8))
    with pytest.raises(NoPhotographError, match="--format=webp"):
        write_photograph(wide, file_format="webp")


def write_video(path, frames, *, sound=True):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height = frames[0].shape[1::-1]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "5"}
        audio = target.add_stream("aac", rate=8000) if sound else None
        for rgb in frames:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(
                rgb, format="rgb24")))
        target.mux(stream.encode(None))
        if audio:
            tone = np.sin(np.arange(8000) / 4)[np.newaxis].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(tone, format="fltp",
                                               layout="mono")
            frame.sample_rate = 8000
            target.mux(audio.encode(frame))
            target.mux(audio.encode(None))


def read_video(path):
    av = pytest.importorskip("av")
    with av.open(str(path)) as source:
        frames = [frame.to_ndarray(format="rgb24")
                  for frame in source.decode(video=0)]
    with av.open(str(path)) as source:
        sound = (b"".join(bytes(packet) for packet in
                          source.demux(source.streams.audio[0]))
                 if source.streams.audio else b"")
    return frames, sound


def test_a_video_keeps_frames_lightness_and_sound(model, tmp_path):
    frames = [np.asarray(photograph(64, 96).rotate(3 * index))
              for index in range(6)]
    path, output = tmp_path / "film.mp4", tmp_path / "out.mp4"
    write_video(path, frames)
    one_file.colorize(model, jobs.Job(str(path), (str(output),)),
                      one_file.Options(saturation=0.3))
    before, sound_before = read_video(path)
    after, sound_after = read_video(output)
    assert len(after) == len(before) == 6
    assert sound_after == sound_before != b""
    for old, new in zip(before, after):
        assert new.shape == old.shape
        difference = (skimage_color.rgb2lab(old)
                      - skimage_color.rgb2lab(new))[..., 0]
        assert np.abs(difference).mean() < 3  # coded with loss
    assert sorted(left.name for left in tmp_path.iterdir()) == [
        "film.mp4", "out.mp4"]


def test_options_of_a_video_reach_the_model(model, tmp_path):
    frame = np.asarray(photograph(200, 300))
    path = tmp_path / "film.mp4"
    write_video(path, [frame], sound=False)

    def chroma(**options):
        output = tmp_path / "out.mp4"
        one_file.colorize(model, jobs.Job(str(path), (str(output),)),
                          one_file.Options(**options))
        return skimage_color.rgb2lab(read_video(output)[0][0])[..., 1:]

    assert np.abs(chroma(saturation=0.0)).mean() < 3
    plain, larger = chroma(), chroma(chroma_size=64)
    assert np.abs(plain).mean() > 10 and np.abs(plain - larger).mean() > 3
    with pytest.raises(one_file.NoPhotographError,
                       match="300 x 200 pixels, at most 59999 are read"):
        chroma(max_pixels=59_999)


def test_a_video_held_upright_comes_out_upright(model, tmp_path):
    frames = [np.asarray(photograph(64, 96))] * 3
    path, output = tmp_path / "film.mp4", tmp_path / "out.mp4"
    write_video(path, frames, sound=False)
    content = bytearray(path.read_bytes())
    # The matrix of the track's header (ISO 14496-12, 8.3.2): a quarter turn
    # clockwise, the second row moved by the height of 64 pixels.
    place = content.index(b"tkhd") + 44
    content[place:place + 36] = struct.pack(
        ">9i", 0, 2**16, 0, -2**16, 0, 0, 64 * 2**16, 0, 2**30)
    path.write_bytes(content)
    one_file.colorize(model, jobs.Job(str(path), (str(output),)),
                      one_file.Options(saturation=0.3))
    upright = np.rot90(frames[0], -1)
    for frame in read_video(output)[0]:
        assert frame.shape == (96, 64, 3)
        difference = (skimage_color.rgb2lab(frame)
                      - skimage_color.rgb2lab(upright))[..., 0]
        assert np.abs(difference).mean() < 3


def test_sound_that_mp4_does_not_hold_is_encoded(model, tmp_path):
    """Of an AVI: uncompressed, in channels that nobody gave a place."""
    av = pytest.importorskip("av")
    path, output = tmp_path / "film.avi", tmp_path / "out.mp4"
    time = np.arange(24000)
    tone = (8000 * np.sin(time * 2 * np.pi / 64)).astype(np.int16)
    with av.open(str(path), "w") as target:
        video_stream = target.add_stream("mpeg4", rate=10)
        video_stream.width, video_stream.height = 96, 64
        video_stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        audio = target.add_stream("pcm_s16le", rate=48000, layout="mono")
        for _ in range(5):
            target.mux(video_stream.encode(av.VideoFrame.from_ndarray(
                np.asarray(photograph(64, 96)), format="rgb24")))
        target.mux(video_stream.encode(None))
        frame = av.AudioFrame.from_ndarray(tone[np.newaxis], layout="mono")
        frame.sample_rate = 48000
        target.mux(audio.encode(frame))
        target.mux(audio.encode(None))
    one_file.colorize(model, jobs.Job(str(path), (str(output),)),
                      one_file.Options())
    with av.open(str(output)) as source:
        assert source.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert source.streams.audio[0].codec_context.name == "aac"
        heard = np.concatenate([
            frame.to_ndarray()[0] for frame in source.decode(audio=0)])
    # Half a second of 750 Hz.
    assert len(heard) == pytest.approx(24000, abs=3000)
    spectrum = np.abs(np.fft.rfft(heard[4000:20000]))
    assert spectrum.argmax() * 48000 / 16000 == pytest.approx(750, abs=6)


def test_what_is_no_video_is_named(model, tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(one_file.NoPhotographError, match="no video that can"):
        one_file.colorize(model, jobs.Job(str(path), (str(tmp_path / "out"),)),
                          one_file.Options())
    assert [left.name for left in tmp_path.iterdir()] == ["film.mp4"]


def test_chroma_is_smoothed_over_time_and_not_over_a_cut():
    def field(value):
        return load.Field(np.full((2, 2, 2), value), np.zeros((2, 2, 2)))

    smoothing = video.Smoothing()
    gray, white = (np.full((40, 50, 3), value, np.uint8)
                   for value in (100, 250))
    assert smoothing.add(gray, field(10.0)).slope[0, 0, 0] == 10
    assert smoothing.add(gray, field(0.0)).slope[0, 0, 0] == pytest.approx(7)
    assert smoothing.add(gray, field(0.0)).slope[0, 0, 0] == pytest.approx(4.9)
    assert smoothing.add(white, field(1.0)).slope[0, 0, 0] == 1


def test_bytes_are_read_from_memory_too():
    buffer = io.BytesIO()
    photograph().save(buffer, "PNG")
    read = read_photograph(buffer.getvalue(), max_pixels=10**6)
    np.testing.assert_array_equal(read.rgb, np.asarray(photograph()))
    assert read.exif == b"" and read.icc_profile is None
