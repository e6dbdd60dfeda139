"""Folders of runs, written without training."""

import numpy as np
import pytest
from absl import flags
from PIL import Image

from pix2pix_color import summaries
from pix2pix_color.config import Config, Data, Networks, Reporting, Training
from pix2pix_color.evaluation import sample_grid
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training.train_step import StepLosses
from tests.pix2pix_color.vivid_model import write_vivid_model

# Tests call commands in their own process.
flags.FLAGS.mark_as_parsed()

METRICS = {"ab_l1": 9.5, "psnr_db": 21.25, "ssim": 0.875, "delta_e": 10.125,
           "colorfulness": 33.0, "colorfulness_gap": 12.0}
GRAY = {**dict.fromkeys(METRICS, 1.5), "colorfulness": 0.0}


def photographs(size, numbers):
    """uint8 [N, size, size, 3], smooth, the same at every size."""
    corners = [np.random.default_rng(number).integers(
        0, 256, (2, 2, 3), dtype=np.uint8) for number in numbers]
    return np.stack([np.asarray(Image.fromarray(each).resize(
        (size, size), Image.Resampling.BILINEAR)) for each in corners])


def write_samples(folder, name, *, size=32, numbers=(0, 1), level=200):
    """Writes a sample grid whose generated pictures have one gray level."""
    real = photographs(size, numbers)
    gray = real[..., 1:2].repeat(3, axis=-1)
    (folder / "samples").mkdir(exist_ok=True)
    Image.fromarray(sample_grid.draw_grid(
        gray, np.full_like(real, level), real)).save(
            folder / "samples" / f"{name}.png")


def write_run(path, *, steps=(10, 20, 30), total=30, batch_size=4,
              is_finished=True, stage_border=None, ab_l1=9.5, more=(),
              **networks):
    """Writes the folder of a run on 40 photographs; returns it."""
    path.mkdir(parents=True)
    folder = RunFolder(str(path))
    folder.write_flags(Config(
        data=Data(image_size=32, batch_size=batch_size),
        networks=Networks(base_filters=2, **networks),
        training=Training(steps=total),
        reporting=Reporting(workdir=str(path))))
    facts = {"hardware": "CPU", "precision": "float32",
             "data": {"train_photographs": 40, "evaluation_photographs": 2}}
    if is_finished:
        facts |= {
            "step": steps[-1],
            "evaluation": {"colorized": {**METRICS, "ab_l1": ab_l1,
                                         **dict.fromkeys(more, 0.5)},
                           "gray_image": GRAY, "interval_95": {
                               "colorized": dict.fromkeys(METRICS, (7, 12.5)),
                               "gray_image": dict.fromkeys(METRICS, (1, 2))}},
            "training": {"colorized": METRICS, "gray_image": GRAY},
            "best": {"step": 20, "metric": "ab_l1", "value": 7.25},
            "seconds": {"evaluation": 11.0, "summaries": 12.0,
                        "checkpoints": 13.0}}
    folder.write_run_json(facts)
    writer = summaries.Summaries(str(path))
    for step in steps:
        writer.write_losses(
            dict.fromkeys(StepLosses._fields, 1.0 + step), step=step,
            learning_rates={"generator": 2e-4, "discriminator": 1e-4},
            images_per_second=0.0 if step == steps[0] else 8.0, rejected=0,
            stage=int(stage_border is None or step > stage_border))
        writer.write_metrics({**METRICS, "ab_l1": 100.0 - step}, {}, step=step)
    writer.close()
    return path


@pytest.fixture
def make_run(tmp_path):
    """Returns write_run, below a folder of the test's own."""
    return lambda name, **options: write_run(tmp_path / name, **options)


@pytest.fixture(scope="session")
def vivid_run(tmp_path_factory):
    """A run with an export of random weights, evaluated on 8 photographs."""
    path = tmp_path_factory.mktemp("runs") / "vivid"
    write_vivid_model(str(path / "export"))
    RunFolder(str(path)).write_flags(Config(
        data=Data(image_size=32, eval_data="sample_photos", eval_examples=8),
        networks=Networks(base_filters=4),
        reporting=Reporting(workdir=str(path))))
    return path
