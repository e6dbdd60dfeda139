"""Colored videos: frames, sound, orientation, smoothing."""

import struct
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


@pytest.fixture(scope="module")
def model(export_dir):
    return LoadedModel(str(export_dir))


def write_video(path, frames, *, sound=True):
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
    with av.open(str(path)) as source:
        frames = [frame.to_ndarray(format="rgb24")
                  for frame in source.decode(video=0)]
    with av.open(str(path)) as source:
        sound = (b"".join(bytes(packet) for packet in
                          source.demux(source.streams.audio[0]))
                 if source.streams.audio else b"")
    return frames, sound


def colorize(model, path, **options):
    """Colors a video; returns the result's path."""
    output = path.parent / "out.mp4"
    video.colorize_video(model, str(path), str(output), Options(
        **{"saturation": 0.3, **options}))
    return output


def assert_same_lightness(rgb, expected):
    assert rgb.shape == expected.shape
    difference = skimage_color.rgb2lab(rgb) - skimage_color.rgb2lab(expected)
    assert np.abs(difference[..., 0]).mean() < 3  # coded with loss


def test_a_video_keeps_frames_lightness_and_sound(model, tmp_path):
    frames = [np.asarray(smooth_photo(64, 96).rotate(3 * index))
              for index in range(6)]
    path = tmp_path / "film.mp4"
    write_video(path, frames)
    before, sound_before = read_video(path)
    after, sound_after = read_video(colorize(model, path))
    assert len(after) == len(before) == 6
    assert sound_after == sound_before != b""
    for old, new in zip(before, after):
        assert_same_lightness(new, old)
    assert sorted(left.name for left in tmp_path.iterdir()) == [
        "film.mp4", "out.mp4"]


def test_options_of_a_video_reach_the_model(model, tmp_path):
    frame = np.asarray(smooth_photo(200, 300))
    path = tmp_path / "film.mp4"
    write_video(path, [frame], sound=False)

    def chroma(saturation=1.0, **options):
        output = colorize(model, path, saturation=saturation, **options)
        return skimage_color.rgb2lab(read_video(output)[0][0])[..., 1:]

    assert np.abs(chroma(saturation=0.0)).mean() < 3
    plain, larger = chroma(), chroma(chroma_size=64)
    assert np.abs(plain).mean() > 10 and np.abs(plain - larger).mean() > 3
    with pytest.raises(NoPhotographError,
                       match="300 x 200 pixels, at most 59999 are read"):
        chroma(max_pixels=59_999)


def test_a_video_held_upright_comes_out_upright(model, tmp_path):
    frames = [np.asarray(smooth_photo(64, 96))] * 3
    path = tmp_path / "film.mp4"
    write_video(path, frames, sound=False)
    content = bytearray(path.read_bytes())
    # The matrix of the track's header (ISO 14496-12, 8.3.2): a quarter turn
    # clockwise, the second row moved by the height of 64 pixels.
    place = content.index(b"tkhd") + 44
    content[place:place + 36] = struct.pack(
        ">9i", 0, 2**16, 0, -2**16, 0, 0, 64 * 2**16, 0, 2**30)
    path.write_bytes(content)
    for frame in read_video(colorize(model, path))[0]:
        assert_same_lightness(frame, np.rot90(frames[0], -1))


def test_sound_that_mp4_does_not_hold_is_encoded(model, tmp_path):
    """Uncompressed sound of an AVI, in channels without a layout."""
    path = tmp_path / "film.avi"
    time = np.arange(24000)
    tone = (8000 * np.sin(time * 2 * np.pi / 64)).astype(np.int16)
    with av.open(str(path), "w") as target:
        video_stream = target.add_stream("mpeg4", rate=10)
        video_stream.width, video_stream.height = 96, 64
        video_stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        audio = target.add_stream("pcm_s16le", rate=48000, layout="mono")
        for _ in range(5):
            target.mux(video_stream.encode(av.VideoFrame.from_ndarray(
                np.asarray(smooth_photo(64, 96)), format="rgb24")))
        target.mux(video_stream.encode(None))
        frame = av.AudioFrame.from_ndarray(tone[np.newaxis], layout="mono")
        frame.sample_rate = 48000
        target.mux(audio.encode(frame))
        target.mux(audio.encode(None))
    with av.open(str(colorize(model, path))) as source:
        assert source.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert source.streams.audio[0].codec_context.name == "aac"
        heard = np.concatenate([
            frame.to_ndarray()[0] for frame in source.decode(audio=0)])
    # Half a second of 750 Hz.
    assert len(heard) == pytest.approx(24000, abs=3000)
    spectrum = np.abs(np.fft.rfft(heard[4000:20000]))
    assert spectrum.argmax() * 48000 / 16000 == pytest.approx(750, abs=6)


def test_a_file_that_is_not_a_video_is_named(model, tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(NoPhotographError, match="not a video that can"):
        colorize(model, path)
    assert [left.name for left in tmp_path.iterdir()] == ["film.mp4"]
