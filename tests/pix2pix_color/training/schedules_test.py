"""Objectives and learning rates of each update, worked out by hand."""

import pytest

from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.training.schedules import Schedule
from pix2pix_color.training.train_step import Objective


def schedule(num_examples=10, batch_size=1, **training):
    return Schedule(Config(data=Data(batch_size=batch_size),
                           training=Training(**training)),
                    num_train_examples=num_examples)


def rates(one, steps, plateau=None, network="generator"):
    return [one.learning_rates(step, plateau or {})[network]
            for step in steps]


@pytest.mark.parametrize("pretrain_epochs, epochs, batch_size, expected", [
    (0.0, 2, 1, (0, 20)), (1.0, 2, 1, (10, 30)), (0.5, 1, 4, (2, 4)),
    (0.3, 1, 1, (3, 13)), (0.25, 1, 4, (1, 4))])
def test_steps_of_both_stages(pretrain_epochs, epochs, batch_size, expected):
    one = schedule(pretrain_epochs=pretrain_epochs, epochs=epochs,
                   batch_size=batch_size)
    assert (one.pretrain_steps, one.total_steps) == expected


def test_steps_limit_both_stages_together():
    one = schedule(pretrain_epochs=1.0, steps=12)
    assert (one.pretrain_steps, one.total_steps) == (10, 12)
    assert [one.stage(step) for step in (0, 9, 10, 11)] == [0, 0, 1, 1]


def test_pretraining_is_without_the_adversary_and_at_its_own_rate():
    one = schedule(pretrain_epochs=0.2, pretrain_learning_rate=0.5,
                   learning_rate=0.25, discriminator_learning_rate=0.125,
                   l1_weight=7.0, psnr_weight=2.0, colorfulness_weight=5.0,
                   gan_weight=3.0, gan_loss="lsgan", label_smoothing=0.1,
                   semantic_weight=4.0)
    second = Objective(
        gan_loss="lsgan", gan_weight=3.0, l1_weight=7.0, psnr_weight=2.0,
        colorfulness_weight=5.0, semantic_weight=4.0, label_smoothing=0.1)
    assert one.objective(1) == second._replace(
        gan_weight=0.0, semantic_weight=0.0, discriminator_updates=0)
    assert one.objective(2) == second
    assert one.learning_rates(1, {}) == {
        "generator": 0.5, "discriminator": 0.0}
    assert one.learning_rates(2, {}) == {
        "generator": 0.25, "discriminator": 0.125}


def test_the_encoder_is_frozen_in_pretraining_alone():
    one = Schedule(Config(
        data=Data(batch_size=1), networks=Networks(generator="resnet18_unet"),
        training=Training(pretrain_epochs=0.2, freeze_encoder=True)),
        num_train_examples=10)
    assert [one.objective(step).freeze_encoder for step in (1, 2)] == [
        True, False]


def test_constant_rates_stay():
    one = schedule(steps=8, lr_schedule="constant")
    assert rates(one, range(8)) == [2e-4] * 8


def test_linear_rates_go_to_zero_in_the_second_half():
    one = schedule(steps=8, lr_schedule="linear", learning_rate=0.4,
                   discriminator_learning_rate=0.8)
    expected = [1, 1, 1, 1, 1, 3 / 4, 2 / 4, 1 / 4, 0]
    assert rates(one, range(9)) == pytest.approx(
        [0.4 * factor for factor in expected])
    assert rates(one, range(9), network="discriminator") == pytest.approx(
        [0.8 * factor for factor in expected])


@pytest.mark.parametrize("start, expected", [
    (0.0, [1, 3 / 4, 2 / 4, 1 / 4]), (0.75, [1, 1, 1, 1]), (1.0, [1] * 4)])
def test_the_share_that_linear_rates_wait_is_a_choice(start, expected):
    one = schedule(steps=4, lr_schedule="linear", learning_rate=1.0,
                   lr_decay_start=start)
    assert rates(one, range(4)) == pytest.approx(expected)


def test_linear_rates_count_from_the_adversarial_stage():
    plain = schedule(steps=8, lr_schedule="linear")
    later = schedule(steps=13, pretrain_epochs=0.5, lr_schedule="linear")
    assert rates(later, range(5)) == [1e-4] * 5
    assert rates(later, range(5, 13)) == rates(plain, range(8))


@pytest.mark.parametrize("steps", [9, 10])
def test_without_an_adversarial_update_there_are_still_rates(steps):
    one = schedule(pretrain_epochs=1.0, steps=steps, lr_schedule="linear")
    assert 0 <= rates(one, [10])[0] <= 2e-4


def watch(one, *values, metric="ab_l1", first_step=1, plateau=None):
    """(best, waited, cuts) after each evaluation."""
    seen, plateau = [], plateau or {}
    for step, value in enumerate(values, first_step):
        plateau = one.watch_plateau(plateau, {metric: value}, step=step)
        seen.append(tuple(plateau.values()))
    return seen


def test_rates_are_cut_after_so_many_evaluations_without_a_new_best():
    one = schedule(lr_schedule="plateau", plateau_patience=2)
    assert watch(one, 5.0, 4.0, 4.0, 4.5, 3.9, 6.0, 5.0, 4.0, 3.9) == [
        (5.0, 0, 0), (4.0, 0, 0), (4.0, 1, 0), (4.0, 0, 1), (3.9, 0, 1),
        (3.9, 1, 1), (3.9, 0, 2), (3.9, 1, 2), (3.9, 0, 3)]


def test_of_some_metrics_more_is_better():
    one = schedule(lr_schedule="plateau", plateau_metric="psnr_db",
                   plateau_patience=1)
    assert watch(one, 20.0, 21.0, 19.0, metric="psnr_db") == [
        (20.0, 0, 0), (21.0, 0, 0), (21.0, 0, 1)]


def test_cut_rates_stop_at_the_floor_and_never_rise():
    one = schedule(lr_schedule="plateau", learning_rate=0.8,
                   discriminator_learning_rate=0.05, plateau_factor=0.25,
                   plateau_floor=0.1)
    generator, discriminator = (
        [rates(one, [0], {"cuts": cuts}, network)[0] for cuts in range(4)]
        for network in ("generator", "discriminator"))
    assert generator == pytest.approx([0.8, 0.2, 0.1, 0.1])
    assert discriminator == [0.05] * 4


def test_evaluations_before_the_adversarial_stage_do_not_count():
    one = schedule(lr_schedule="plateau", pretrain_epochs=0.2,
                   plateau_patience=1)
    assert watch(one, 1.0, 1.0, 5.0, 6.0) == [
        (), (), (5.0, 0, 0), (5.0, 0, 1)]
    assert rates(one, [1], {"cuts": 3}) == [1e-4]


def test_other_schedules_watch_nothing():
    assert schedule(lr_schedule="linear").watch_plateau(
        {}, {"ab_l1": 1.0}, step=5) == {}


@pytest.mark.parametrize("a_turn, expected", [
    (1.0, [1] * 6), (0.5, [1, 0, 1, 0, 1, 0]), (2.0, [2] * 6),
    (1.5, [2, 1, 2, 1, 2, 1]), (0.4, [1, 0, 1, 0, 0, 1])])
def test_updates_of_the_discriminator_in_each_turn(a_turn, expected):
    for pretrained in (0, 3):
        one = schedule(discriminator_steps=a_turn,
                       pretrain_epochs=pretrained / 10)
        assert [one.objective(pretrained + turn).discriminator_updates
                for turn in range(6)] == expected


def test_a_fraction_of_turns_adds_up_exactly():
    one = schedule(discriminator_steps=0.29)
    assert sum(one.objective(turn).discriminator_updates
               for turn in range(1000)) == 290
