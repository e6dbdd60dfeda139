"""From fit's flags to their effects: none is lost on the way.

What each part does with its value is tested beside that part.
"""

import gc
import pathlib
import re
import shutil

import pytest
import tensorflow as tf
from absl import flags
from PIL import Image

from data_pipelines import split
from data_pipelines.errors import UserError
from data_pipelines.sources import open_source
from pix2pix_color import config_flags, hardware
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training import run
from pix2pix_color.training.distribution import Workers
from pix2pix_color.training.interruption import Interruption

PHOTOS = (pathlib.Path(__file__).parents[3] / "data_pipelines"
          / "sample_photos")


def parse(*arguments):
    flag_values = flags.FlagValues()
    config_flags.define_config_flags(flag_values)
    flag_values(["fit", *arguments])
    return config_flags.config_from_flags(flag_values)


def prepare(workdir, *arguments):
    """A small run's training, and its photographs."""
    config = parse(f"--workdir={workdir}", "--image_size=32",
                   "--base_filters=2", "--train_examples=6",
                   "--eval_examples=2", *arguments)
    training, train_source, _ = run.prepare(
        config, RunFolder(str(workdir)), Workers(config), Interruption())
    return training, train_source


def held_out(fraction):
    """Counts the files, of 64, that an --eval_fraction evaluates on."""
    return sum(split.hash_fraction(path.name) < fraction
               for path in PHOTOS.glob("*.jpg"))


FOLDER = f"--data=folder:{PHOTOS}"


@pytest.mark.parametrize("arguments, expected", [
    ([], (56, 8)), (["--train_examples=7"], (7, 8)),
    (["--eval_examples=3"], (56, 3)),
    ([FOLDER], (64 - held_out(0.1), held_out(0.1))),
    ([FOLDER, "--eval_fraction=0.5"], (64 - held_out(0.5), held_out(0.5))),
    ([FOLDER, "--eval_data=sample_photos"], (64, 64)),
    ([f"--eval_data=folder:{PHOTOS}"], (56, 64))])
def test_photographs_are_those_of_the_flags(arguments, expected):
    train, evaluation = run.open_sources(parse(*arguments))
    assert (len(train), len(evaluation)) == expected
    assert 0 < held_out(0.1) < held_out(0.5) < 64


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(
        tmp_path_factory.mktemp("runs") / "one", "--precision=mixed_bfloat16",
        "--dropout=0.25", "--keep_checkpoints=2",
        "--max_bad_fraction=0.25", "--ema_decay=0.9",
        "--discriminator=dcgan", "--discriminator_steps=0.5")


def test_the_precision_is_that_of_all_networks(prepared, tmp_path):
    for training, expected in ((prepared[0], "bfloat16"), (prepare(
            tmp_path / "run", "--precision=float32")[0], "float32")):
        for network, layer in ((training.state.generator, "encoder1"),
                               (training.state.discriminator, None),
                               (training.state.inference_generator,
                                "encoder1")):
            one = (network.get_layer(layer) if layer else network.layers[3])
            assert one.compute_dtype == expected


def test_as_many_checkpoints_are_kept_as_the_flag_says(prepared):
    training, _ = prepared
    for step in (1, 2, 3, 4):
        training.state.step.assign(step)
        training.save()
    assert training.checkpoints.steps() == [3, 4]


def test_a_changed_folder_and_gray_photographs_are_said(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    names = sorted(path.name for path in PHOTOS.glob("*.jpg"))
    train, evaluation = (
        [name for name in names if (split.hash_fraction(name) < 0.1) == held]
        for held in (False, True))
    for name in [*train[:5], *evaluation[:2]]:
        shutil.copy(PHOTOS / name, photos)
    Image.open(PHOTOS / train[0]).convert("L").save(photos / train[0])
    arguments = (f"--data=folder:{photos}", "--precision=float32")
    training, _ = prepare(tmp_path / "run", *arguments)
    assert (f"no color    1 of the 5 photographs left out of training: "
            f"{train[0]}\n") in capsys.readouterr().out
    training.state.step.assign(1)
    training.journal.note_evaluation({"ab_l1": 1.0}, step=1, metric="ab_l1")
    training.rejected.reasons["gone.jpg"] = "it breaks off"
    training.save()
    del training  # as its process would end
    gc.collect()
    (photos / train[1]).unlink()
    (photos / evaluation[0]).unlink()
    shutil.copy(PHOTOS / evaluation[3], photos)
    resumed, _ = prepare(tmp_path / "run", *arguments)
    assert (
        "changed     0 training photograph(s) added, 1 removed; 1 evaluation "
        "photograph(s) added, 1 removed; the best step, 1, was evaluated on "
        "others and is not compared with later ones\n"
    ) in capsys.readouterr().out
    assert resumed.journal.note_evaluation({"ab_l1": 2.0}, step=2,
                                           metric="ab_l1")
    assert resumed.rejected.reasons["gone.jpg"] == "it breaks off"


def test_a_rate_that_rises_and_a_batch_of_repetitions_are_said(
        tmp_path, capsys):
    def begin(*arguments):
        return prepare(tmp_path / "run", "--batch_size=8",
                       "--learning_rate=1e-3", *arguments)[0]

    held = [begin("--steps=4")]
    assert ("            --batch_size=8 is more: a batch has photographs "
            "several times\n") in capsys.readouterr().out
    held[0].state.step.assign(4)
    held[0].save()
    for steps, rates in ((4, ""), (16, "0 to 0.001"), (5, "0 to 0.0004")):
        held.clear()  # as its process would end
        gc.collect()
        held.append(begin(f"--steps={steps}"))
        said = capsys.readouterr().out
        assert f"resuming    at step 4 of {steps}\n" in said
        rise = re.search("the learning rate rises from (.*): with another "
                         "--steps or --epochs, --lr_schedule=linear lowers it "
                         "later\n", said)
        assert (rise[1] if rise else "") == rates


def test_no_photograph_is_trained_and_evaluated_on():
    train, evaluation = run.open_sources(parse("--eval_examples=2"))
    whole = open_source("sample_photos", flag="--data", tfds_data_dir="")
    assert set(evaluation.identities) <= set(whole.held_out)
    assert not set(train.identities) & set(whole.held_out)


def test_a_dry_run_times_no_tracing_of_a_discriminator_s_fraction(capsys):
    run.dry_run(parse(
        "--image_size=32", "--base_filters=2", "--train_examples=4",
        "--eval_examples=1", "--batch_size=2", "--discriminator_steps=0.5"))
    step = re.search(r"step +(\S+) s \(.*, the first one (\S+) s with tracing",
                     capsys.readouterr().out)
    assert step
    second, first = map(float, step.groups())
    assert second < first / 4


def test_more_bad_photographs_than_the_flag_allows_end_the_run(prepared):
    training, source = prepared  # six photographs: one of them may be bad
    training.rejected.add(source, 0)
    with pytest.raises(UserError, match="--max_bad_fraction=0.25 allows"):
        training.rejected.add(source, 1)


@pytest.mark.parametrize("flag, expected", [
    ("--deterministic", True), ("--nodeterministic", False)])
def test_devices_are_claimed_as_the_flag_says(monkeypatch, flag, expected):
    class Claimed(Exception):
        pass

    def claim(*, deterministic):
        raise Claimed(deterministic)

    monkeypatch.setattr(hardware, "claim_devices", claim)
    for begin in (run.fit, run.dry_run):
        with pytest.raises(Claimed) as claimed:
            begin(parse(flag))
        assert claimed.value.args == (expected,)


def test_the_first_update_is_the_flags_own(prepared):
    training, source = prepared
    training.state.step.assign(0)
    update = training.make_update(source)
    update()
    update()
    state, journal = training.state, training.journal
    assert int(state.generator_optimizer.iterations) == 2
    assert int(state.discriminator_optimizer.iterations) == 1
    assert journal.num_losses["discriminator"] == 1
    assert journal.num_losses["generator"] == 2
    assert all(tf.math.is_finite(total)
               for total in journal.loss_sums.values())
