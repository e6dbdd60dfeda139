"""Flags <-> Config <-> config.flags, each option defined once."""

import pytest
from absl import flags

from data_pipelines.errors import UserError
from pix2pix_color import config_flags
from pix2pix_color.config import Config, Data, Training


def parse(*arguments):
    flag_values = flags.FlagValues()
    flags.DEFINE_string("flagfile", "", "", flag_values)
    config_flags.define_config_flags(flag_values)
    flag_values(["command", *arguments])
    return config_flags.config_from_flags(flag_values)


def test_no_flags_give_the_defaults():
    assert parse() == Config()


def test_help_groups_name_every_option_once():
    names = [name for group in config_flags.help_groups().values()
             for name in group]
    assert sorted(names) == sorted(field.name for field, _ in
                                   Config().options())


def other_value(field, default):
    """A value that is allowed and not the default."""
    if isinstance(default, bool):
        return not default
    choices = field.metadata["choices"]
    if choices:
        return choices[-1]
    special = {"image_size": 64, "resize_size": 300, "profile_steps": "2,4",
               "pretrain_epochs": 1.5, "label_smoothing": 0.1,
               "max_resize_size": 400}
    if isinstance(default, str):
        return special.get(field.name, "a b")
    return special.get(field.name, default / 2 if isinstance(default, float)
                       else default + 1)


# What an option cannot be without.
_PLATEAU = ["--lr_schedule=plateau"]
_NEEDED = {
    "max_resize_size": ["--resize_size=300"],
    "encoder_weights": ["--generator=resnet18_unet"],
    "decoder_activation": ["--generator=unet"],
    "efficientnet": ["--generator=efficientnet_unet"],
    "hints": ["--generator=efficientnet_unet"],
    "encoder_rate": ["--generator=efficientnet_unet"],
    "frozen_stages": ["--generator=efficientnet_unet"],
    "upsampling": ["--generator=resnet18_unet"],
    "classifier_weights": ["--semantic_weight=1"],
    "freeze_encoder": ["--generator=resnet18_unet", "--pretrain_epochs=1"],
    "pretrain_learning_rate": ["--pretrain_epochs=1"],
    "lr_decay_start": ["--lr_schedule=linear"],
    "best_metric": ["--judge_weights=imagenet"],
    "plateau_metric": [*_PLATEAU, "--judge_weights=imagenet"],
    "plateau_factor": _PLATEAU,
    "plateau_patience": _PLATEAU, "plateau_floor": _PLATEAU,
}


@pytest.mark.parametrize("field, default", [
    pytest.param(field, default, id=field.name)
    for field, default in Config().options()])
def test_every_option_is_a_flag_and_survives_the_file(field, default, tmp_path):
    value = other_value(field, default)
    config = parse(f"--{field.name}={value}", *_NEEDED.get(field.name, []))
    values = {field.name: value for field, value in config.options()}
    assert values[field.name] == value
    path = tmp_path / "config.flags"
    path.write_text(config_flags.config_to_text(config))
    assert config_flags.config_from_file(str(path)) == config


def test_flags_after_a_flag_file_win(tmp_path):
    path = tmp_path / "my.flags"
    path.write_text("# a comment\n--batch_size=4\n--seed=9\n")
    config = parse(f"--flagfile={path}", "--seed=5")
    assert config == Config(data=Data(batch_size=4), training=Training(seed=5))


def test_a_flag_file_with_an_unknown_flag_is_refused(tmp_path):
    path = tmp_path / "my.flags"
    path.write_text("--batch_sise=4\n")
    with pytest.raises(UserError, match="my.flags: Unknown command line flag "
                       "'batch_sise'"):
        config_flags.config_from_file(str(path))
