"""Coloring files: formats, options, samples, and what is refused."""

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from skimage import color as skimage_color

from data_pipelines.errors import UserError
from pix2pix_color.colorizing import jobs, one_file
from pix2pix_color.colorizing.photograph import NoPhotographError
from pix2pix_color.saved_model import load
from tests.pix2pix_color.vivid_model import smooth_photo


@pytest.fixture(scope="module")
def model(export_dir):
    return load.LoadedModel(str(export_dir))


def colorize(model, image, folder, *, ending="png", options=None,
             num_outputs=1, **saving):
    """Saves an image, colors it, and opens the results."""
    path = folder / f"photo.{ending}"
    image.save(path, **saving)
    outputs = tuple(str(folder / f"out{number}")
                    for number in range(num_outputs))
    one_file.colorize_file(model, jobs.Job(str(path), outputs),
                           options or jobs.Options())
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
    photo = smooth_photo()
    output, = colorize(
        model, photo, tmp_path, exif=exif, icc_profile=profile,
        options=jobs.Options(file_format=file_format))
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
    photo = smooth_photo()
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


def test_saturation_scales_the_colors(model):
    rgb = np.asarray(smooth_photo())
    plain, half, none = (
        skimage_color.rgb2lab(model.colorize(rgb, saturation=saturation))
        for saturation in (0.5, 0.25, 0.0))
    assert np.abs(none[..., 1:]).max() < 1.5
    assert np.abs(half[..., 1:]).mean() == pytest.approx(
        np.abs(plain[..., 1:]).mean() / 2, rel=0.15)


def test_options_of_a_photograph_reach_the_model(model, tmp_path):
    photo = smooth_photo(200, 300)
    output, = colorize(model, photo, tmp_path, options=jobs.Options(
        saturation=0.5, chroma_size=64))
    rgb = np.asarray(photo)
    np.testing.assert_array_equal(
        output, model.colorize(rgb, saturation=0.5, chroma_size=64))
    plain = model.colorize(rgb, saturation=0.5)
    assert np.abs(np.asarray(output, int) - plain).mean() > 1


def test_samples_are_alternatives(model, tmp_path):
    outputs = colorize(model, smooth_photo(), tmp_path, num_outputs=3,
                       options=jobs.Options(seeds=(4, 5, 4)))
    first, second, third = map(np.asarray, outputs)
    np.testing.assert_array_equal(first, third)
    assert np.abs(first.astype(int) - second).mean() > 1


def test_side_by_side_puts_the_gray_photograph_to_the_left(model, tmp_path):
    photo = smooth_photo()
    output, = colorize(model, photo, tmp_path,
                       options=jobs.Options(side_by_side=True))
    assert output.size == (180, 60)
    left, right = np.split(np.asarray(output), 2, axis=1)
    assert np.ptp(left, axis=-1).max() == 0
    np.testing.assert_array_equal(right, model.colorize(np.asarray(photo)))


@pytest.mark.parametrize("chroma_size, shape", [(32, (21, 32, 2)),
                                                (64, (43, 64, 2))])
def test_samples_differ_at_every_chroma_size(model, chroma_size, shape):
    rgb = np.asarray(smooth_photo(200, 300))
    plain, one, other, again = (
        model.predict_field(rgb, chroma_size=chroma_size, seed=seed).intercept
        for seed in (None, 1, 2, 1))
    assert plain.shape == shape
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
    (b"", "not an image that can be read"),
    (b"text", "not an image that can be read"),
    (None, "90 x 60 pixels, at most 5000 are read")])
def test_an_unreadable_file_leaves_no_result(
        model, tmp_path, content, message):
    path = tmp_path / "photo.jpg"
    smooth_photo().save(path)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NoPhotographError, match=message):
        one_file.colorize_file(
            model, jobs.Job(str(path), (str(tmp_path / "out"),)),
            jobs.Options(max_pixels=5000))
    assert [left.name for left in tmp_path.iterdir()] == ["photo.jpg"]


def scan_of(folder, pages):
    """A TIFF of these pages, and what the model is to make of each."""
    path = folder / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


def test_every_page_of_a_tiff_is_colored(model, tmp_path):
    pages = [smooth_photo(40 + page, 50, seed=page) for page in range(3)]
    scan = scan_of(tmp_path, pages)
    for file_format in ("png", "tiff"):
        job, = jobs.find_jobs(
            [str(scan)], output_dir=str(tmp_path / "out"), samples=2,
            file_format=file_format, overwrite=False)[0]
        assert one_file.colorize_file(model, job, jobs.Options(
            file_format=file_format, seeds=(4, 5))) == []
    for page, photo in enumerate(pages):
        for sample, seed in ((1, 4), (2, 5)):
            expected = model.colorize(np.asarray(photo), seed=seed)
            stem = tmp_path / "out" / "scan_colorized"
            np.testing.assert_array_equal(
                Image.open(f"{stem}_page{page + 1}_{sample}.png"), expected)
            together = Image.open(f"{stem}_{sample}.tif")
            together.seek(page)
            np.testing.assert_array_equal(together, expected)


def test_what_is_finished_is_left_alone(model, tmp_path):
    scan = scan_of(tmp_path, [smooth_photo()] * 3)
    (tmp_path / "scan_colorized_page2.png").write_bytes(b"mine")
    job, = jobs.find_jobs([str(scan)], output_dir="", file_format="png",
                          samples=0, overwrite=False, skip_existing=True)[0]
    one_file.colorize_file(model, job, jobs.Options())
    assert (tmp_path / "scan_colorized_page2.png").read_bytes() == b"mine"
    assert Image.open(tmp_path / "scan_colorized_page3.png").size == (90, 60)


def test_a_damaged_page_is_named_and_stops_no_other(model, tmp_path):
    scan = scan_of(tmp_path, [smooth_photo(), smooth_photo(200, 300),
                              smooth_photo()])
    for file_format, left in (
            ("png", ["scan_colorized_page1.png", "scan_colorized_page3.png"]),
            ("tiff", [])):
        job, = jobs.find_jobs([str(scan)], output_dir=str(tmp_path / "out"),
                              file_format=file_format, samples=0,
                              overwrite=True)[0]
        with pytest.raises(NoPhotographError,
                           match="^page 2: 300 x 200 pixels"):
            one_file.colorize_file(model, job, jobs.Options(
                file_format=file_format, max_pixels=10000))
        made = tmp_path / "out"
        assert sorted(path.name for path in made.iterdir()) == left
        for path in made.iterdir():
            path.unlink()


@pytest.mark.parametrize("file_format, mode, level, expected", [
    ("PNG", "LA", 254, True), ("PNG", "RGBA", 0, True),
    ("PNG", "RGBA", 255, False), ("GIF", "RGBA", 0, True),
    ("WEBP", "RGBA", 9, True), ("TIFF", "RGBA", 254, True),
    ("TIFF", "RGBA", 255, False), ("TIFF", "LA", 0, True)])
@pytest.mark.parametrize("pages", [1, 2])
def test_lost_transparency_is_told(
        model, tmp_path, file_format, mode, level, expected, pages):
    if pages > 1 and file_format != "TIFF":
        pytest.skip("has one photograph")
    photo = smooth_photo().convert(mode)
    photo.putpixel((3, 4), (*photo.getpixel((3, 4))[:-1], level))
    path = tmp_path / "photo"
    if pages > 1:
        smooth_photo().save(path, file_format, save_all=True,
                            append_images=[photo])
    else:
        photo.save(path, file_format)
    for result_format in ("png", "tiff"):
        job, = jobs.find_jobs(
            [str(path)], output_dir=str(tmp_path / "out"), samples=0,
            file_format=result_format, overwrite=False)[0]
        assert one_file.colorize_file(model, job, jobs.Options(
            file_format=result_format)) == [
                "its transparency is lost: the result is opaque"] * expected


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "AVIF", "MPO"])
def test_further_pictures_of_other_formats_are_told(
        model, tmp_path, file_format):
    path, output = tmp_path / "several", str(tmp_path / "out")
    photos = [smooth_photo(seed=seed) for seed in range(3)]
    photos[0].save(path, file_format, save_all=True, append_images=photos[1:])
    assert one_file.colorize_file(model, jobs.Job(str(path), (output,)),
                                  jobs.Options()) == [
        "only the first of its 3 pictures was colored"]
    difference = np.abs(lab(Image.open(output)) - lab(photos[0]))[..., 0]
    assert difference.mean() < 3
    if file_format == "MPO":  # a telephone's map for bright displays is none
        path.write_bytes(path.read_bytes() + b"urn:iso:std:iso:ts:21496:-1")
        assert one_file.colorize_file(
            model, jobs.Job(str(path), (output,)), jobs.Options()) == []
