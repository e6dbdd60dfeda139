"""The published systems' flag files can be read and say what they are."""

import pathlib
from typing import Any

import pytest

import experiments
from pix2pix_color import config_flags

FOLDER = pathlib.Path(experiments.__file__).parent
# What distinguishes each system.
FEATURES: dict[str, dict[str, Any]] = {
    "sample_photos": dict(data="sample_photos", epochs=200),
    "photos128_original": dict(
        image_size=128, resize_size=128, base_filters=32, batch_size=16,
        learning_rate=2e-4, gan_weight=1.0, l1_weight=100.0, dropout=0.5,
        norm="batch", ema_decay=0.0),
    "pix2pix": dict(
        image_size=256, resize_size=286, base_filters=64, batch_size=1,
        gan_weight=1.0, l1_weight=100.0, lr_schedule="constant", epochs=200),
    "photos128": dict(
        image_size=128, resize_size=128, max_resize_size=224, base_filters=32,
        batch_size=16, pretrain_epochs=30.0, epochs=20, psnr_weight=1.0,
        lr_schedule="linear", ema_decay=0.999),
    "photos128_encoder": dict(
        generator="efficientnet_unet", encoder_weights="imagenet",
        encoder_rate=0.0, gan_weight=0.0, image_size=256),
    "colorizer": dict(
        generator="efficientnet_unet", encoder_weights="imagenet",
        degrade=True, semantic_weight=1.0, gan_weight=0.0, image_size=256),
    "fine_tune": dict(
        generator="efficientnet_unet", initial_weights="colorizer",
        encoder_rate=0.0),
    "coco_cgan": dict(
        generator="unet", discriminator="patchgan", gan_loss="vanilla",
        l1_weight=100.0, dropout=0.5, train_examples=8000, eval_examples=2000,
        epochs=50, pretrain_epochs=0.0),
    "coco_resnet18": dict(
        generator="resnet18_unet", encoder_weights="imagenet",
        pretrain_epochs=20.0, epochs=30, train_examples=8000),
    "lab_tutorial": dict(color_space="lab", data="sample_photos"),
    "rgb_pix2pix": dict(
        color_space="rgb", data="paired:data/pairs/gray,data/pairs/color",
        discriminator_steps=1.0),
    "kaggle_dcgan": dict(
        data="kaggle_npy:data/kaggle", discriminator="dcgan",
        label_smoothing=0.1, l1_weight=100.0, lr_schedule="plateau",
        learning_rate=2e-4, discriminator_learning_rate=1e-4, norm="batch"),
}


def test_every_flag_file_is_known():
    assert {path.stem for path in FOLDER.glob("*.flags")} == set(FEATURES)


@pytest.mark.parametrize("name", sorted(
    set(FEATURES) - {"sample_photos", "photos128", "photos128_encoder",
                     "colorizer", "fine_tune"}))
def test_what_stands_for_a_published_system_has_no_more_losses(name):
    training = config_flags.config_from_file(
        str(FOLDER / f"{name}.flags")).training
    assert training.psnr_weight == training.colorfulness_weight == 0.0
    assert training.ema_decay == 0.0
    assert (training.gan_weight, training.l1_weight) == (1.0, 100.0)


@pytest.mark.parametrize("name", FEATURES)
def test_a_flag_file_gives_its_system(name):
    config = config_flags.config_from_file(str(FOLDER / f"{name}.flags"))
    values = {field.name: value for field, value in config.options()}
    assert values["workdir"].startswith("runs/")
    assert name == "fine_tune" or values["workdir"] == f"runs/{name}"
    assert {**values, **FEATURES[name]} == values


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


@pytest.mark.parametrize("name", FEATURES)
def test_a_flag_file_says_its_command_and_its_result(name):
    text = (FOLDER / f"{name}.flags").read_text()
    assert f"--flagfile=experiments/{name}.flags" in text
    assert name in ("sample_photos", "fine_tune") or (
        "Result" in text and "ab_l1" in text
        and "See experiments/README.md" in " ".join(text.split("\n# ")))
