"""A run's memory beside its state, which comes back to the bit."""

import json
import math

import pytest

from pix2pix_color.training import journal as journal_lib
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.train_step import StepLosses


def losses(value):
    """The losses value, value + 1, ..., by their names."""
    return {name: value + place
            for place, name in enumerate(StepLosses._fields)}


def through_json(journal):
    return Journal.from_json(json.loads(json.dumps(journal.to_json())))


def test_a_journal_comes_back_from_json_to_the_bit():
    journal = Journal()
    for number in (0.1, 1 / 3, 0.7, math.pi * 1e-9):
        journal.add_losses(losses(number))
    journal.note_evaluation({"ab_l1": 0.1 + 0.2}, step=7, metric="ab_l1")
    journal.rejected = {"--data=folder:x: é\udce9.jpg": "cut off"}
    journal.seconds["step"] = 1 / 7
    again = through_json(journal)
    assert again == journal
    assert again.loss_sums["generator"].hex() == (
        journal.loss_sums["generator"].hex())
    assert again.best == {"step": 7, "metric": "ab_l1", "value": 0.1 + 0.2}
    assert again.evaluated_step == 7 and again.num_losses["generator"] == 4


def test_a_mean_goes_on_over_an_interruption():
    whole, first = Journal(), Journal()
    for number in (0.1, 0.7, 0.4):
        whole.add_losses(losses(number))
    for number in (0.1, 0.7):
        first.add_losses(losses(number))
    resumed = through_json(first)
    resumed.add_losses(losses(0.4))
    means = resumed.take_mean_losses()
    assert means == whole.take_mean_losses()
    assert means["discriminator_real"] == pytest.approx(0.4)
    assert means["generator"] == pytest.approx(5.4)


def test_the_means_are_those_since_they_were_last_taken():
    journal = Journal()
    journal.add_losses(losses(1.0))
    journal.add_losses(losses(3.0))
    assert journal.take_mean_losses() == losses(2.0)
    assert set(journal.num_losses.values()) == {0}
    journal.add_losses(losses(10.0))
    assert journal.take_mean_losses() == losses(10.0)


def test_a_mean_is_over_the_updates_that_had_the_loss():
    journal = Journal()
    without = {name: loss for name, loss in losses(5.0).items() if name in (
        "generator_adversarial", "generator_l1", "generator")}
    journal.add_losses(without)
    assert journal.take_mean_losses() == without
    journal.add_losses(without)
    journal.add_losses(losses(1.0))
    means = journal.take_mean_losses()
    assert means["discriminator_real"] == 1.0
    assert means["generator"] == (10.0 + 6.0) / 2


def test_a_journal_of_other_losses_is_refused():
    saved = Journal().to_json()
    for wrong in ({"another": 1.0}, 3):
        with pytest.raises((TypeError, ValueError)):
            Journal.from_json({**saved, "num_losses": wrong})


def note(journal, metric, *values, first_step=1):
    """Tells which of these evaluations were the best so far."""
    return [journal.note_evaluation({metric: value, "other": -value},
                                    step=step, metric=metric)
            for step, value in enumerate(values, first_step)]


@pytest.mark.parametrize("metric, values, best", [
    *((metric, (5.0, 6.0, 4.0, 4.0), 4.0)
      for metric in ("ab_l1", "delta_e", "colorfulness_gap")),
    *((metric, (0.5, 0.4, 0.6, 0.6), 0.6) for metric in ("psnr_db", "ssim"))])
def test_the_lowest_error_or_the_highest_quality_is_the_best(
        metric, values, best):
    journal = Journal()
    assert note(journal, metric, *values) == [True, False, True, False]
    assert journal.best == {"step": 3, "metric": metric, "value": best}
    assert journal.evaluated_step == 4


def test_another_metric_begins_anew():
    journal = Journal()
    note(journal, "ab_l1", 0.001)
    assert note(journal, "delta_e", 9.0, 8.0, first_step=2) == [True, True]
    assert journal.best == {"step": 3, "metric": "delta_e", "value": 8.0}


def test_other_evaluation_photographs_begin_a_new_comparison():
    journal = Journal()
    journal.evaluate_on("these")
    assert note(journal, "ab_l1", 5.0, 6.0) == [True, False]
    journal.plateau = {"best": 5.0, "waited": 1, "cuts": 2}
    same = through_json(journal)
    same.evaluate_on("these")
    assert note(same, "ab_l1", 5.5, first_step=3) == [False]
    assert same.plateau["best"] == 5.0
    other = through_json(journal)
    other.evaluate_on("others")
    other = through_json(other)  # stopped before any evaluation
    other.evaluate_on("others")
    assert other.best["step"] == 1 and other.best["incomparable"]
    assert other.plateau == {"waited": 1, "cuts": 2}
    assert note(other, "ab_l1", 7.0, 8.0, first_step=3) == [True, False]
    assert other.best == {"step": 3, "metric": "ab_l1", "value": 7.0}


def test_a_journal_without_a_set_is_compared():
    journal = Journal()
    note(journal, "ab_l1", 5.0)
    journal.evaluate_on("these")
    assert note(journal, "ab_l1", 6.0, first_step=2) == [False]


def test_time_adds_up_even_where_the_work_fails(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(journal_lib.time, "monotonic", lambda: now[0])
    journal = Journal(seconds={**Journal().seconds, "step": 1.0})
    with journal.timed("step"):
        now[0] += 2.0
    with pytest.raises(KeyError):
        with journal.timed("step"):
            now[0] += 4.0
            raise KeyError
    with journal.timed("evaluation"):
        now[0] += 3.0
    assert journal.seconds == {
        "waiting for data": 0.0, "step": 7.0, "evaluation": 3.0,
        "summaries": 0.0, "checkpoints": 0.0}
    assert journal.where_the_time_went().startswith(
        "waiting for data 0.0 s (0%), step 7.0 s (70%), "
        "evaluation 3.0 s (30%)")


def test_two_journals_share_nothing():
    one, other = Journal(), Journal()
    one.add_losses(losses(1.0))
    one.seconds["step"] += 1.0
    one.rejected["a"] = "b"
    assert other == Journal()
