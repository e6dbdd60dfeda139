"""Checkpoints hold everything that training changes."""

import os

import numpy as np
import pytest
import tensorflow as tf

from pix2pix_color.config import Config, ConfigError, Data, Networks
from pix2pix_color.training import train_step
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.train_state import TrainState

# 64 px has dropout layers, whose seeds are state too.
CONFIG = Config(data=Data(image_size=64), networks=Networks(base_filters=2))


def make_state(config=CONFIG):
    return TrainState.create(config, precision="float32")


def make_step(state):
    return train_step.make_train_step(state, gan_weight=1.0, l1_weight=100.0)


def train(state, step, *, seeds):
    for seed in seeds:
        noise = np.random.default_rng(seed).uniform(-1, 1, (2, 64, 64, 3))
        step(*tf.split(tf.constant(noise, tf.float32), [1, 2], axis=-1))
        state.next_ordinal.assign_add(2)


def every_variable(state):
    variables = [*state.generator.variables, *state.discriminator.variables,
                 *state.generator_optimizer.variables,
                 *state.discriminator_optimizer.variables,
                 *state.dropout_seeds, state.step, state.next_ordinal]
    return [np.asarray(variable) for variable in variables]


def test_a_restored_state_goes_on_as_if_never_interrupted(tmp_path):
    whole = make_state()
    step = make_step(whole)
    train(whole, step, seeds=range(3))
    Checkpoints(whole, directory=str(tmp_path)).save()

    resumed = make_state()
    assert Checkpoints(resumed, directory=str(tmp_path)).restore_latest()
    assert int(resumed.step) == 3 and int(resumed.next_ordinal) == 6
    for saved, restored in zip(every_variable(whole), every_variable(resumed)):
        np.testing.assert_array_equal(saved, restored)

    train(whole, step, seeds=range(3, 5))
    train(resumed, make_step(resumed), seeds=range(3, 5))
    # Equal up to the order of additions across threads.
    for one, other in zip(every_variable(whole), every_variable(resumed)):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_dropout_layers_have_their_seeds_saved(tmp_path):
    state = make_state()
    assert len(state.dropout_seeds) == 2
    before = [np.asarray(seed).copy() for seed in state.dropout_seeds]
    train(state, make_step(state), seeds=[0])
    after = [np.asarray(seed) for seed in state.dropout_seeds]
    assert all((x != y).any() for x, y in zip(before, after))
    path = Checkpoints(state, directory=str(tmp_path)).save()
    names = [name for name, _ in tf.train.list_variables(path)]
    assert sum(name.startswith("dropout_seeds/") for name in names) == 2


def test_checkpoints_are_numbered_by_step_and_the_oldest_go(tmp_path):
    state = make_state()
    checkpoints = Checkpoints(state, directory=str(tmp_path), keep=2)
    for step in (10, 25, 40):
        state.step.assign(step)
        assert os.path.basename(checkpoints.save()) == f"step-{step}"
    kept = sorted(name for name in os.listdir(tmp_path)
                  if name.endswith(".index"))
    assert kept == ["step-25.index", "step-40.index"]


def test_an_empty_folder_restores_nothing(tmp_path):
    state = make_state()
    assert not Checkpoints(state, directory=str(tmp_path)).restore_latest()
    assert int(state.step) == 0


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    Checkpoints(make_state(), directory=str(tmp_path)).save()
    wider = make_state(Config(data=CONFIG.data,
                              networks=Networks(base_filters=3)))
    with pytest.raises(ConfigError, match="step-0 cannot be restored"):
        Checkpoints(wider, directory=str(tmp_path)).restore_latest()
