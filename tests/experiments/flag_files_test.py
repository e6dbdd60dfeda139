"""Flag files can be read, and published systems keep their features."""

import pathlib
from typing import Any

import pytest

import experiments
from pix2pix_color import config_flags

FOLDER = pathlib.Path(experiments.__file__).parent
# The features of each published system.
PUBLISHED: dict[str, dict[str, Any]] = {
    "photos128_original": dict(
        image_size=128, resize_size=128, base_filters=32, batch_size=16,
        learning_rate=2e-4, dropout=0.5, norm="batch"),
    "pix2pix": dict(
        image_size=256, resize_size=286, base_filters=64, batch_size=1,
        lr_schedule="constant", epochs=200),
    "coco_cgan": dict(
        generator="unet", discriminator="patchgan", gan_loss="vanilla",
        dropout=0.5, train_examples=8000, eval_examples=2000, epochs=50,
        pretrain_epochs=0.0),
    "coco_resnet18": dict(
        generator="resnet18_unet", encoder_weights="imagenet",
        pretrain_epochs=20.0, epochs=30, train_examples=8000),
    "lab_tutorial": dict(color_space="lab", data="sample_photos"),
    "rgb_pix2pix": dict(
        color_space="rgb", data="paired:data/pairs/gray,data/pairs/color",
        discriminator_steps=1.0),
    "kaggle_dcgan": dict(
        data="kaggle_npy:data/kaggle", discriminator="dcgan_max_pool",
        decoder_activation="leaky_relu",
        label_smoothing=0.1, lr_schedule="plateau", learning_rate=2e-4,
        discriminator_learning_rate=1e-4, norm="batch"),
}
NAMES = sorted(path.stem for path in FOLDER.glob("*.flags"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_system_has_its_features_and_no_further_losses(name):
    config = config_flags.config_from_file(str(FOLDER / f"{name}.flags"))
    values = {field.name: value for field, value in config.options()}
    expected = dict(PUBLISHED[name], psnr_weight=0.0, colorfulness_weight=0.0,
                    ema_decay=0.0, gan_weight=1.0, l1_weight=100.0)
    assert {**values, **expected} == values


def test_the_two_systems_on_coco_train_equally_long_on_the_same():
    plain, pretrained = (
        config_flags.config_from_file(str(FOLDER / f"{name}.flags"))
        for name in ("coco_cgan", "coco_resnet18"))
    assert plain.data == pretrained.data
    assert plain.total_steps(8000) == pretrained.total_steps(8000)


def test_the_flagship_has_the_networks_and_photographs_of_the_original():
    flagship, original = (
        config_flags.config_from_file(str(FOLDER / f"{name}.flags"))
        for name in ("photos128", "photos128_original"))
    assert flagship.networks == original.networks
    assert (flagship.data.data, flagship.data.batch_size) == (
        original.data.data, original.data.batch_size)


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_file_can_be_read_and_names_its_command_and_result(name):
    config = config_flags.config_from_file(str(FOLDER / f"{name}.flags"))
    assert config.reporting.workdir == (
        "runs/fine_tuned" if name == "fine_tune" else f"runs/{name}")
    text = (FOLDER / f"{name}.flags").read_text()
    assert f"--flagfile=experiments/{name}.flags" in text
    assert name in ("sample_photos", "fine_tune") or (
        "Result" in text and "ab_l1" in text
        and "See experiments/README.md" in " ".join(text.split("\n# ")))
