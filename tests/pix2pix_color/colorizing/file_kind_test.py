"""Telling photographs, videos, sound and raw files by their content."""

import io

import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image

from pix2pix_color.colorizing.file_kind import Kind, examine
from pix2pix_color.colorizing.photograph import read_photograph
from tests.pix2pix_color.vivid_model import smooth_photo

av = pytest.importorskip("av")
pillow_heif.register_heif_opener()


def kind_of(tmp_path, content, name="nameless"):
    path = tmp_path / name
    path.write_bytes(content)
    return examine(str(path)).kind


@pytest.mark.parametrize("file_format, saving", [
    ("JPEG", {}), ("MPO", {}), ("PNG", {}), ("WEBP", {}), ("AVIF", {}),
    ("BMP", {}), ("GIF", {}), ("JPEG2000", {}), ("JPEG2000", {"no_jp2": True}),
    ("PPM", {}), ("TIFF", {}), ("TIFF", {"big_tiff": True}), ("HEIF", {})])
def test_every_format_that_is_read_is_found_whatever_its_name(
        tmp_path, file_format, saving):
    buffer = io.BytesIO()
    smooth_photo().save(buffer, file_format, **saving)
    assert read_photograph(
        buffer.getvalue(), max_pixels=10**4).rgb.shape == (60, 90, 3)
    for name in ("nameless", "photo.mp4", "photo.txt"):
        assert kind_of(tmp_path, buffer.getvalue(), name) is Kind.PHOTOGRAPH


@pytest.mark.parametrize("content", [
    b"P2\n# by hand\n2 2\n255\n0 1 2 3\n", b"P5 2 2 255\n\0\1\2\3"])
def test_gray_maps_are_photographs(tmp_path, content):
    assert kind_of(tmp_path, content) is Kind.PHOTOGRAPH


def written(container, video=True, sound=False):
    """A file of one second at most, by FFmpeg."""
    codecs = {"webm": ("libvpx", "libopus"), "ogg": ("libvpx", "libopus"),
              "flv": ("flv1", "aac"), "asf": ("wmv2", "wmav2"),
              "avi": ("mpeg4", "mp2"), "dvd": ("mpeg2video", "mp2"),
              "mpegts": ("mpeg2video", "mp2"), "m2ts": ("mpeg2video", "ac3"),
              "mpeg": ("mpeg1video", "mp2")}
    video_codec, sound_codec = codecs.get(container, ("mpeg4", "aac"))
    buffer = io.BytesIO()
    options = {"mpegts_m2ts_mode": "1"} if container == "m2ts" else {}
    with av.open(buffer, "w", options=options, format=(
            "mpegts" if options else container)) as target:
        streams = []
        if video:
            stream = target.add_stream(video_codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            streams.append((stream, [av.VideoFrame.from_ndarray(
                np.full((64, 64, 3), index, np.uint8), format="rgb24")
                for index in range(25)]))
        if sound:
            stream = target.add_stream(sound_codec, rate=48000)
            stream.layout, stream.bit_rate = "mono", 64000
            frames = [av.AudioFrame.from_ndarray(
                np.zeros((1, 960), np.float32), format="fltp", layout="mono")
                for _ in range(20)]
            for index, frame in enumerate(frames):
                frame.sample_rate, frame.pts = 48000, 960 * index
            streams.append((stream, frames))
        for stream, frames in streams:
            for frame in (*frames, None):
                target.mux(stream.encode(frame))
    return buffer.getvalue()


CONTAINERS = ["mp4", "mov", "3gp", "matroska", "webm", "avi", "dvd", "mpeg",
              "mpegts", "m2ts", "asf", "flv", "ogg"]


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_of_videos_is_found_whatever_its_name(
        tmp_path, container):
    content = written(container)
    for name in ("nameless", "film.jpg", "film.txt"):
        assert kind_of(tmp_path, content, name) is Kind.VIDEO
    if container == "mpegts":  # a recording begins in the middle; M2TS
        assert kind_of(tmp_path, content[100:]) is Kind.VIDEO
        assert kind_of(tmp_path, b"".join(
            bytes(4) + content[start:start + 188]
            for start in range(0, len(content), 188))) is Kind.VIDEO
    if container == "mp4":  # without ftyp, as QuickTime was in the beginning
        start = int.from_bytes(content[:4], "big")
        assert kind_of(tmp_path, content[start:]) is Kind.VIDEO
        # Broken off before the list of tracks: reading says so.
        assert kind_of(tmp_path, content[:300]) is Kind.VIDEO


@pytest.mark.parametrize("container", [
    "ipod", "mp4", "3gp", "matroska", "webm", "asf", "flv", "ogg", "avi",
    "mpegts", "m2ts", "mpeg", "dvd"])
def test_sound_in_a_container_of_videos_is_no_video(tmp_path, container):
    assert kind_of(tmp_path, written(container, video=False, sound=True),
                   "sound.mp4") is Kind.SOUND
    if container != "ipod":
        both = written(container, sound=True)
        assert kind_of(tmp_path, both, "sound.m4a") is Kind.VIDEO


@pytest.mark.parametrize("content, name, kind", [
    (b"", "a.JPG", Kind.PHOTOGRAPH), (b"<html>", "a.jfif", Kind.PHOTOGRAPH),
    (b"no video", "a.MP4", Kind.VIDEO), (b"", "a", Kind.OTHER),
    (b"export const a = 1;\n" * 300, "a.ts", Kind.OTHER),
    (b"Python is a language", "a.txt", Kind.OTHER),
    (b"P1 is a car that costs 3 million", "a.txt", Kind.OTHER),
    (b"BMW is a brand of cars, among others", "a.txt", Kind.OTHER),
    (b"The free encyclopedia", "a.txt", Kind.OTHER),
    (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a.jpg", Kind.RAW),
    (b"II*\0\x10\0\0\0CR\2\0" + bytes(99), "a.jpg", Kind.RAW),
    (b"FUJIFILMCCD-RAW 0201", "a.raf", Kind.RAW),
    (b"RIFF\x24\0\0\0WAVEfmt ", "a.wav", Kind.OTHER),
    (b"%PDF-1.7", "a.pdf", Kind.OTHER),
    (b"II*\0\xff\xff\0\0", "a", Kind.PHOTOGRAPH)])  # a damaged TIFF
def test_what_is_neither(tmp_path, content, name, kind):
    assert kind_of(tmp_path, content, name) is kind


def test_pages_of_a_tiff_are_counted_and_raw_files_known_by_their_tags(
        tmp_path):
    path = str(tmp_path / "scan")
    pages = [Image.new("L", (8, 8), value) for value in (1, 2, 3)]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])
    assert examine(path) == (Kind.PHOTOGRAPH, 3)
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.zeros((8, 8), np.uint16), photometric="cfa",
                     extratags=[(50706, 1, 4, b"\1\4\0\0", True)])
    assert examine(path).kind is Kind.RAW
