"""Bounds, defaults and resuming of the hyperparameters."""

import dataclasses

import pytest

from data_pipelines.errors import UserError
from pix2pix_color.config import (Config, Data, Reporting, Training,
                                  differing_options)

RESNET = dict(generator="resnet18_unet")


def make(**options):
    """A Config with these options, whichever group they are in."""
    def changed(group):
        return dataclasses.replace(group, **{
            field.name: options[field.name]
            for field in dataclasses.fields(group) if field.name in options})

    default = Config()
    return Config(**{group.name: changed(getattr(default, group.name))
                     for group in dataclasses.fields(Config)})


@pytest.mark.parametrize("size, options", [
    *((size, {}) for size in (32, 64, 128, 256, 512)),
    *((size, RESNET) for size in (64, 96, 224, 256, 320))])
def test_sizes_that_a_generator_takes(size, options):
    assert make(image_size=size, **options).data.image_size == size


@pytest.mark.parametrize("options, message", [
    *((dict(image_size=size), f"--image_size={size} must be a power of two "
       "from 32 to 512: the U-Net") for size in (250, 16, 1024)),
    *((dict(image_size=size, **RESNET), f"--image_size={size} must be a "
       "multiple of 32, at least 64: --generator=resnet18_unet halves")
      for size in (48, 32)),
    (dict(image_size=128, resize_size=100),
     "--resize_size=100 must be at least --image_size=128, or 0"),
    (dict(image_size=128, resize_size=150, max_resize_size=140),
     "--max_resize_size=140 must be at least --resize_size=150, or 0"),
    (dict(max_resize_size=300),
     "--max_resize_size=300 needs --resize_size above 0, not 0"),
    (dict(batch_size=0), "--batch_size=0 must be at least 1"),
    (dict(eval_fraction=1.5), "--eval_fraction=1.5 must be from 0.0 to 1.0"),
    (dict(dropout=1.0), "--dropout=1.0 must be from 0.0 to 0.95"),
    (dict(generator="resnet"),
     "--generator=resnet must be one of unet, resnet18_unet"),
    (dict(efficientnet="lite0"),
     "--efficientnet=lite0 needs --generator=efficientnet_unet, not unet"),
    *((dict([option]), f"--{option[0]}={option[1]} needs "
       "--generator=resnet18_unet or efficientnet_unet, not unet")
      for option in (("upsampling", "nearest"), ("encoder_rate", 0.0),
                     ("frozen_stages", 2), ("freeze_encoder", True),
                     ("encoder_weights", "a.safetensors"))),
    (dict(classifier_weights="other"),
     "--classifier_weights=other needs --semantic_weight above 0, not 0.0"),
    (dict(best_metric="kl"), "--best_metric=kl needs --judge_weights$"),
    (dict(plateau_metric="kl", lr_schedule="plateau"),
     "--plateau_metric=kl needs --judge_weights$"),
    (dict(encoder_weights="imagenet", base_filters=32, **RESNET),
     "--encoder_weights=imagenet needs --base_filters=64, not 32"),
    (dict(encoder_weights="a", initial_weights="b", **RESNET),
     "--encoder_weights=a and --initial_weights=b exclude each other"),
    (dict(image_size=32, discriminator_layers=4),
     "--discriminator_layers=4 needs an --image_size that is a multiple of 16, "
     "at least 48, not 32"),
    (dict(image_size=224, discriminator_layers=6, **RESNET),
     "--discriminator_layers=6 needs an --image_size that is a multiple of 64, "
     "at least 192, not 224"),
    (dict(discriminator="dcgan", discriminator_layers=4),
     "--discriminator_layers=4 needs --discriminator=patchgan, not dcgan"),
    (dict(norm="layer"), "--norm=layer must be one of batch, instance, none"),
    (dict(noise_channels=-1), "--noise_channels=-1 must be at least 0"),
    (dict(learning_rate=float("nan")),
     "--learning_rate=nan must be at least 0.0"),
    (dict(precision="float16"),
     "--precision=float16 must be one of auto, float32, mixed_bfloat16"),
    (dict(distribute="mirrored", precision="mixed_float16"),
     "--precision=mixed_float16 needs --distribute=none, not mirrored"),
    (dict(distribute="multiworker", jit_compile="on"),
     "--jit_compile=on needs --distribute=none, not multiworker"),
    (dict(distribute="tpu"),
     "--distribute=tpu must be one of none, mirrored, multiworker"),
    (dict(gan_loss="hinge", label_smoothing=0.1),
     "--label_smoothing=0.1 needs --gan_loss=vanilla or lsgan, not hinge"),
    (dict(label_smoothing=0.6), "--label_smoothing=0.6 must be from 0.0 to"),
    (dict(pretrain_learning_rate=0.1),
     "--pretrain_learning_rate=0.1 needs --pretrain_epochs above 0, not 0.0"),
    (dict(freeze_encoder=True, **RESNET),
     "--freeze_encoder=True needs --pretrain_epochs above 0, not 0.0"),
    (dict(lr_schedule="constant", lr_decay_start=0.1),
     "--lr_decay_start=0.1 needs --lr_schedule=linear, not constant"),
    (dict(plateau_factor=0.1),
     "--plateau_factor=0.1 needs --lr_schedule=plateau, not linear"),
    (dict(discriminator_steps=0.0),
     "--discriminator_steps=0.0 must be at least 0.01"),
    (dict(ema_decay=1.0), "--ema_decay=1.0 must be from 0.0 to 0.999999"),
    (dict(best_metric="colorfulness"),
     "--best_metric=colorfulness must be one of ab_l1, psnr_db, ssim"),
    (dict(workdir=""), "--workdir must name a folder")])
def test_a_wrong_value_is_named_with_what_is_allowed(options, message):
    with pytest.raises(UserError, match=f"^{message}"):
        make(**options)


@pytest.mark.parametrize("options, messages", [
    (dict(classifier_weights="other", pretrain_learning_rate=0.1,
          image_size=100, resize_size=50, encoder_weights="a",
          initial_weights="b"),
     ["--encoder_weights=a needs --generator=resnet18_unet or "
      "efficientnet_unet, not unet",
      "--pretrain_learning_rate=0.1 needs --pretrain_epochs above 0, not 0.0",
      "--classifier_weights=other needs --semantic_weight above 0, not 0.0",
      "--image_size=100 must be a power of two from 32 to 512: the U-Net "
      "halves it down to one pixel",
      "--discriminator_layers=3 needs an --image_size that is a multiple of 8, "
      "at least 24, not 100",
      "--resize_size=50 must be at least --image_size=100, or 0",
      "--encoder_weights=a and --initial_weights=b exclude each other: the "
      "latter includes an encoder"]),
    (dict(generator="resnet", batch_size=0, encoder_weights="a"),
     ["--batch_size=0 must be at least 1",
      "--generator=resnet must be one of unet, resnet18_unet, "
      "efficientnet_unet"])], ids=["conflicts", "values"])
def test_all_that_is_wrong_is_told_at_once(options, messages):
    with pytest.raises(UserError) as refusal:
        make(**options)
    assert str(refusal.value).splitlines() == messages


@pytest.mark.parametrize("options", [
    dict(upsampling="resize"), dict(distribute="mirrored"),
    dict(best_metric="kl", judge_weights="imagenet"),
    dict(discriminator="dcgan"), dict(gan_loss="hinge"),
    dict(freeze_encoder=True, pretrain_epochs=1.0, **RESNET)])
def test_what_an_option_needs_it_may_have(options):
    assert make(**options) == make(**options) != Config()


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
        f"--profile_steps={value} must be the first and the last step to "
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
