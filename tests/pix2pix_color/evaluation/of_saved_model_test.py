"""A SavedModel's evaluation and the files that tell of it."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import color, pipeline, sources
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.saved_model import load


@pytest.fixture(scope="module")
def photos():
    source = sources.open_source("sample_photos", flag="--data")
    return source.select(range(0, 60, 6))


@pytest.fixture(scope="module")
def model(export_dir):
    return load.LoadedModel(str(export_dir))


@pytest.fixture(scope="module")
def score(model, photos):
    return of_saved_model.Score(model, photos)


def test_predict_target_is_what_the_served_answer_shows(score, model, photos):
    """Evaluated and served, a square photograph has the same colors."""
    [batch] = pipeline.evaluation_batches(
        photos.select([3]), image_size=32, batch_size=1)
    served = model.colorize(batch.photo[0].numpy())
    error = np.abs((color.rgb_to_lab(tf.constant(served))
                    - color.rgb_to_lab(batch.photo[0]))[..., 1:]).mean()
    assert score.result.colorized["ab_l1"][3] == pytest.approx(error, abs=0.2)


def test_the_files_hold_every_number(score, photos, tmp_path):
    paths = score.write(str(tmp_path / "metrics.json"))
    assert paths == [str(tmp_path / f"metrics.{ending}")
                     for ending in ("json", "csv", "html")]
    told = json.loads((tmp_path / "metrics.json").read_text())
    assert told["photographs"] == 10 and told["step"] == 7
    assert told["colorized"] == pytest.approx(score.result.means())
    low, high = told["interval_95"]["colorized"]["psnr_db"]
    assert low < told["colorized"]["psnr_db"] < high
    with open(tmp_path / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["photograph"] for row in rows] == list(photos.identities)
    for name in score.result.metrics:
        for kind, values in (("", score.result.colorized),
                             ("gray_", score.result.gray)):
            np.testing.assert_allclose(
                [float(row[kind + name]) for row in rows], values[name],
                rtol=1e-4)
    page = (tmp_path / "metrics.html").read_text()
    assert page.count("<figure>") == len(photos)


def test_unreadable_photographs_are_reported(model, tmp_path):
    name = "caf\udce9 <i>.png"  # not UTF-8, as names of old disks
    rgb = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / name).write_bytes(tf.io.encode_png(rgb).numpy())
    (tmp_path / "photos" / "bad.png").write_bytes(b"nothing")
    result = of_saved_model.Score(model, sources.open_source(
        f"folder:{tmp_path / 'photos'}", flag="--data"))
    result.write(str(tmp_path / "metrics.json"))
    told = json.loads((tmp_path / "metrics.json").read_text())
    assert told["photographs"] == 1 and len(told["rejected"]) == 1
    assert next(iter(told["rejected"])).endswith("bad.png")
    assert "caf\\udce9 <i>.png" in (tmp_path / "metrics.csv").read_text()
    page = (tmp_path / "metrics.html").read_text()
    assert "caf\\udce9 &lt;i&gt;.png:" in page and "<i>" not in page
    assert "1 photograph(s) could not be read" in of_saved_model.result_table(
        result.result, result.rejected)


def test_another_size_is_scored_as_colorize_answers_it(model, photos):
    source = photos.select([2, 5])
    result = of_saved_model.Score(model, source, image_size=48).result
    [batch] = pipeline.evaluation_batches(source, image_size=48, batch_size=2)
    answers = np.stack([model.colorize(rgb.numpy()) for rgb in batch.photo])
    error = np.abs((color.rgb_to_lab(tf.constant(answers))
                    - color.rgb_to_lab(batch.photo))[..., 1:])
    np.testing.assert_allclose(result.colorized["ab_l1"],
                               error.mean(axis=(1, 2, 3)), rtol=1e-3)


def test_degraded_scores_keep_the_clean_lightness(model, photos):
    source = photos.select([2, 5])
    clean = of_saved_model.Score(model, source, image_size=48).result
    degraded = of_saved_model.Score(model, source, image_size=48,
                                    degraded=True).result
    assert (degraded.colorized["ab_l1"] != clean.colorized["ab_l1"]).all()
    # Errors of lightness would cost more than half of this.
    np.testing.assert_allclose(degraded.colorized["ssim"],
                               clean.colorized["ssim"], atol=0.15)
