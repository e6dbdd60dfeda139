"""Bounds, defaults and resuming of the hyperparameters."""

import dataclasses

import pytest

from data_pipelines.errors import UserError
from pix2pix_color.config import (Config, Data, Networks, Reporting, Training,
                                  differing_options)


@pytest.mark.parametrize("size", [32, 64, 128, 256, 512])
def test_powers_of_two_are_sizes(size):
    assert Config(data=Data(image_size=size)).data.image_size == size


@pytest.mark.parametrize("size", [64, 96, 224, 256, 320])
def test_multiples_of_32_are_sizes_of_the_resnet(size):
    config = Config(data=Data(image_size=size),
                    networks=Networks(generator="resnet18_unet"))
    assert config.data.image_size == size


@pytest.mark.parametrize("build, message", [
    (lambda: Config(data=Data(image_size=250)),
     r"--image_size=250 must be a power of two from 32 to 512: the U-Net"),
    (lambda: Config(data=Data(image_size=16)),
     r"--image_size=16 must be a power of two from 32 to 512: the U-Net"),
    (lambda: Config(data=Data(image_size=1024)),
     r"--image_size=1024 must be a power of two from 32 to 512"),
    (lambda: Config(data=Data(image_size=128, resize_size=100)),
     r"--resize_size=100 must be at least --image_size=128"),
    (lambda: Config(data=Data(image_size=128, resize_size=150,
                              max_resize_size=140)),
     r"--max_resize_size=140 must be at least --resize_size=150 and "
     r"--image_size=128, or 0"),
    (lambda: Config(data=Data(image_size=128, max_resize_size=100)),
     r"--max_resize_size=100 must be at least --resize_size=0 and "
     r"--image_size=128, or 0"),
    (lambda: Config(data=Data(image_size=128, max_resize_size=200)),
     r"--max_resize_size=200 needs a --resize_size, the smallest"),
    (lambda: Config(data=Data(batch_size=0)),
     r"--batch_size=0 must be at least 1"),
    (lambda: Config(data=Data(eval_fraction=1.5)),
     r"--eval_fraction=1.5 must be from 0.0 to 1.0"),
    (lambda: Config(networks=Networks(dropout=1.0)),
     r"--dropout=1.0 must be from 0.0 to 0.95"),
    (lambda: Config(networks=Networks(generator="resnet")),
     r"--generator=resnet must be one of unet, resnet18_unet"),
    (lambda: Config(networks=Networks(efficientnet="lite0")),
     r"--efficientnet=lite0 needs --generator=efficientnet_unet, not unet"),
    (lambda: Config(networks=Networks(upsampling="nearest")),
     r"--upsampling=nearest needs --generator=resnet18_unet or efficientnet_"
     r"unet, not unet"),
    (lambda: Config(training=Training(encoder_rate=0.0)),
     r"--encoder_rate=0.0 needs --generator=resnet18_unet or efficientnet_"),
    (lambda: Config(training=Training(frozen_stages=2)),
     r"--frozen_stages=2 needs --generator=resnet18_unet or efficientnet_"),
    (lambda: Config(training=Training(classifier_weights="other")),
     r"--classifier_weights=other needs --semantic_weight above 0, not 0.0"),
    (lambda: Config(reporting=Reporting(best_metric="kl")),
     r"--best_metric=kl needs --judge_weights"),
    (lambda: Config(data=Data(image_size=48),
                    networks=Networks(generator="resnet18_unet")),
     r"--image_size=48 must be a multiple of 32 from 64 on: --generator=resne"),
    (lambda: Config(data=Data(image_size=32),
                    networks=Networks(generator="resnet18_unet")),
     r"--image_size=32 must be a multiple of 32 from 64 on"),
    (lambda: Config(networks=Networks(encoder_weights="a.pth")),
     r"--encoder_weights=a.pth needs --generator=resnet18_unet or effici"),
    (lambda: Config(networks=Networks(
        generator="resnet18_unet", encoder_weights="imagenet",
        base_filters=32)),
     r"--encoder_weights=imagenet needs --base_filters=64, not 32"),
    (lambda: Config(data=Data(image_size=32),
                    networks=Networks(discriminator_layers=4)),
     r"--discriminator_layers=4 needs an --image_size that is a multiple of 16 "
     r"from 48 on, not 32"),
    (lambda: Config(data=Data(image_size=224), networks=Networks(
        generator="resnet18_unet", discriminator_layers=6)),
     r"--discriminator_layers=6 needs an --image_size that is a multiple of 64 "
     r"from 192 on, not 224"),
    (lambda: Config(networks=Networks(discriminator="dcgan",
                                      discriminator_layers=4)),
     r"--discriminator_layers=4 is of --discriminator=patchgan alone, not of "
     r"dcgan"),
    (lambda: Config(networks=Networks(norm="layer")),
     r"--norm=layer must be one of batch, instance, none"),
    (lambda: Config(networks=Networks(noise_channels=-1)),
     r"--noise_channels=-1 must be at least 0"),
    (lambda: Config(training=Training(learning_rate=float("nan"))),
     r"--learning_rate=nan must be at least 0.0"),
    (lambda: Config(training=Training(precision="float16")),
     r"--precision=float16 must be one of auto, float32, mixed_bfloat16"),
    (lambda: Config(training=Training(distribute="mirrored",
                                      precision="mixed_float16")),
     r"--precision=mixed_float16 is for one device, and --distribute=mirrored"),
    (lambda: Config(training=Training(distribute="multiworker",
                                      jit_compile="on")),
     r"--jit_compile=on is for one device, and --distribute=multiworker"),
    (lambda: Config(training=Training(distribute="tpu")),
     r"--distribute=tpu must be one of none, mirrored, multiworker"),
    (lambda: Config(training=Training(gan_loss="hinge", label_smoothing=0.1)),
     r"--label_smoothing=0.1 needs --gan_loss=vanilla or lsgan: hinge has no"),
    (lambda: Config(training=Training(label_smoothing=0.6)),
     r"--label_smoothing=0.6 must be from 0.0 to 0.5"),
    (lambda: Config(training=Training(pretrain_learning_rate=0.1)),
     r"--pretrain_learning_rate=0.1 needs --pretrain_epochs above 0, not 0.0"),
    (lambda: Config(training=Training(freeze_encoder=True,
                                      pretrain_epochs=1.0)),
     r"--freeze_encoder needs --generator=resnet18_unet or efficientn"),
    (lambda: Config(networks=Networks(generator="resnet18_unet"),
                    training=Training(freeze_encoder=True)),
     r"--freeze_encoder=True needs --pretrain_epochs above 0, not 0.0"),
    (lambda: Config(training=Training(lr_schedule="constant",
                                      lr_decay_start=0.1)),
     r"--lr_decay_start=0.1 needs --lr_schedule=linear, not constant"),
    (lambda: Config(training=Training(lr_schedule="linear",
                                      plateau_factor=0.1)),
     r"--plateau_factor=0.1 needs --lr_schedule=plateau, not linear"),
    (lambda: Config(training=Training(plateau_metric="ssim")),
     r"--plateau_metric=ssim needs --lr_schedule=plateau, not linear"),
    (lambda: Config(training=Training(discriminator_steps=0.0)),
     r"--discriminator_steps=0.0 must be at least 0.01"),
    (lambda: Config(training=Training(ema_decay=1.0)),
     r"--ema_decay=1.0 must be from 0.0 to 0.999999"),
    (lambda: Config(reporting=Reporting(best_metric="colorfulness")),
     r"--best_metric=colorfulness must be one of ab_l1, psnr_db, ssim"),
    (lambda: Config(reporting=Reporting(workdir="")),
     r"--workdir must name a folder"),
])
def test_a_wrong_value_is_named_with_what_is_allowed(build, message):
    with pytest.raises(UserError, match=message):
        build()


@pytest.mark.parametrize("value, expected", [
    ("", (0, 0)), ("1,1", (1, 1)), ("10,20", (10, 20)), ("9,10", (9, 10))])
def test_steps_to_profile(value, expected):
    config = Config(reporting=Reporting(profile_steps=value))
    assert config.profiled_steps() == expected


@pytest.mark.parametrize("value", [
    "10", ",", "10,", ",20", "20,10", "10,9", "0,5", "5,0", "0,0", "a,b",
    "1,2,3", "1, 2", " 1,2", "1,2\n", "-1,5", "1.5,2", "1-2"])
def test_wrong_steps_to_profile_are_refused(value):
    with pytest.raises(UserError) as refusal:
        Config(reporting=Reporting(profile_steps=value))
    assert str(refusal.value) == (
        f"--profile_steps={value} must be two steps, the first and the last to "
        f"record, such as 10,20")


@pytest.mark.parametrize("epochs, batch_size, steps, expected", [
    (3, 8, 0, 21), (1, 8, 0, 7), (1, 10, 0, 6), (5, 1, 17, 17)])
def test_total_steps(epochs, batch_size, steps, expected):
    config = Config(data=Data(batch_size=batch_size),
                    training=Training(epochs=epochs, steps=steps))
    assert config.total_steps(56) == expected


def test_every_option_has_a_help_and_a_name_of_its_own():
    names = [field.name for field, _ in Config().options()]
    assert len(names) == len(set(names))
    assert all(field.metadata["help"].endswith(".")
               for field, _ in Config().options())


def test_an_equal_config_differs_in_nothing():
    assert differing_options(Config(), Config()) == []


def test_what_differs_is_named_with_both_values():
    old = Config(data=Data(batch_size=4), training=Training(seed=1))
    assert differing_options(old, Config()) == [
        "--batch_size is 16 now and was 4", "--seed is 0 now and was 1"]


def test_length_and_periods_may_change_on_resume():
    new = Config(
        training=Training(epochs=999, steps=7, distribute="mirrored"),
        reporting=Reporting(
            workdir="elsewhere", log_every=1, sample_every=1, eval_every=1,
            checkpoint_every=1, keep_checkpoints=1, best_metric="ssim",
            profile_steps="1,2", judge_weights="imagenet"))
    assert all(getattr(new.reporting, field.name) != field.default
               for field in dataclasses.fields(Reporting))
    assert differing_options(Config(), new) == []
