"""Runs as they lie on disk, finished or still training."""

import json

import pytest

from data_pipelines.errors import UserError
from experiments.reporting import runs
from tests.experiments.conftest import write_samples


def test_runs_of_one_name_get_the_name_of_their_folder_too(make_run):
    paths = [make_run(name) for name in ("x/run", "y/run", "other")]
    assert [run.name for run in runs.load_runs(list(map(str, paths)))] == [
        "x/run", "y/run", "other"]


def test_a_run_knows_its_progress(make_run):
    finished, = runs.load_runs([str(make_run("finished"))])
    assert (finished.step, finished.total_steps) == (30, 30)
    assert finished.is_finished and finished.steps_per_epoch == 10
    assert finished.evaluated_steps == [10, 20, 30]
    assert finished.metrics_at(20)["ab_l1"] == 80
    going, = runs.load_runs([str(make_run("going", total=50,
                                          is_finished=False))])
    assert (going.step, going.total_steps) == (30, 50)
    assert not going.is_finished


def test_a_run_that_was_prolonged_is_not_finished_by_its_old_results(make_run):
    path = make_run("longer", steps=(10, 20, 30), total=50)
    run, = runs.load_runs([str(path)])
    assert run.facts["step"] == 30 and not run.is_finished


def test_the_time_of_updates_is_computed_from_their_rate(make_run):
    run, = runs.load_runs([str(make_run("run"))])
    assert run.images_per_second() == 8
    # 30 updates of 4 photographs, 8 a second; the first point has no rate.
    assert run.training_seconds() == 15


def test_the_end_of_pretraining_is_found(make_run):
    staged, plain = runs.load_runs(
        [str(make_run("staged", stage_border=20)), str(make_run("plain"))])
    assert staged.pretrained_until == 20
    assert plain.pretrained_until is None


def test_a_half_written_last_record_is_left_out(make_run):
    path = make_run("run")
    events = max((path / "train").glob("events*"))  # the newest
    events.write_bytes(events.read_bytes()[:-3])
    run, = runs.load_runs([str(path)])
    assert list(run.values("loss/generator")) == [10, 20, 30]
    assert list(run.values("rejected_photographs")) == [10, 20]


def test_runs_of_other_batch_sizes_are_compared_at_equal_epochs(make_run):
    loaded = runs.load_runs([
        str(make_run("four", batch_size=4, steps=(10, 20, 30))),  # 10 an epoch
        str(make_run("eight", batch_size=8, steps=(4, 9, 13, 40), total=40)),
        str(make_run("late", batch_size=4, steps=(1000,), total=1000))])
    # 30 of 10 an epoch are 3 epochs; of 5 an epoch they are step 15.
    assert runs.equal_epochs(loaded) == (3.0, [30, 13, None])


def test_epochs_are_equal_where_all_were_evaluated_within_a_hundredth(make_run):
    loaded = runs.load_runs([
        str(make_run("one", batch_size=1, steps=(40, 79, 120, 161),
                     total=161)),  # 40 an epoch
        str(make_run("four", batch_size=4, steps=(10, 20, 30, 40),
                     total=40))])
    assert runs.equal_epochs(loaded) == (3.0, [120, 30])
    for points in loaded[0].evaluation.values():
        points.pop(120, None)
    # 161 and 79 are a fortieth of an epoch beside 4 and 2.
    assert runs.equal_epochs(loaded) == (1.0, [40, 10])


def test_without_an_evaluation_there_is_no_equal_epoch(make_run):
    path = make_run("new", is_finished=False)
    for events in (path / "eval").rglob("events*"):
        events.unlink()
    assert runs.equal_epochs(runs.load_runs(
        [str(make_run("old")), str(path)])) == (0.0, [None, None])


def test_flags_that_differ_are_named_and_folders_are_not(make_run):
    loaded = runs.load_runs([
        str(make_run("lab")), str(make_run("rgb", color_space="rgb",
                                           batch_size=8))])
    assert runs.differing_flags(loaded) == {
        "batch_size": [4, 8], "color_space": ["lab", "rgb"]}
    assert runs.differing_flags(loaded[:1]) == {
        "image_size": [32], "batch_size": [4], "base_filters": [2],
        "steps": [30]}


def test_grids_are_found_in_the_order_of_their_steps(make_run):
    path = make_run("run")
    run, = runs.load_runs([str(path)])
    assert run.grids("step") == {}
    for name in ("step-0000200", "step-0000030", "training-0000200"):
        write_samples(path, name)
    assert list(run.grids("step").items()) == [
        (step, str(path / "samples" / f"step-{step:07d}.png"))
        for step in (30, 200)]
    assert list(run.grids("training")) == [200]


def test_other_folders_are_refused(make_run, tmp_path):
    path = make_run("run")
    with pytest.raises(UserError, match="run' is named twice"):
        runs.load_runs([str(path), f"{path}/../run"])
    with pytest.raises(UserError, match="nowhere' holds no run"):
        runs.load_runs([str(tmp_path / "nowhere")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty' holds no run"):
        runs.load_runs([str(tmp_path / "empty")])
    for events in path.rglob("events*"):
        events.unlink()
    with pytest.raises(UserError, match="has nothing to show yet.*--log_every"
                       "=50 updates"):
        runs.load_runs([str(path)])
    (path / "run.json").write_text(json.dumps({})[:-1])
    with pytest.raises(UserError, match="run.json is not JSON"):
        runs.load_runs([str(path)])
