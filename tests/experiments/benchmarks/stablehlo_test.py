"""The training step as StableHLO under JAX against TensorFlow's own."""

import json
import sys

import numpy as np
import pytest

from data_pipelines import split
from data_pipelines.errors import UserError
from experiments.benchmarks import stablehlo, steps
from pix2pix_color.config import Config, Data, Networks, Training
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.exporting import export_run
from pix2pix_color.training.schedules import adversarial_objective
from pix2pix_color.training.train_state import TrainState
from pix2pix_color.training.train_step import make_train_step

pytest.importorskip("jax", reason="JAX is in the extra `bench`")
NUM_STEPS = 20


def config(dropout):
    """All losses that there are without dropout, pix2pix's with it."""
    return Config(data=Data(image_size=32, batch_size=2),
                  networks=Networks(base_filters=2, dropout=dropout),
                  training=Training(**(steps.PIX2PIX if dropout else {})))


# XLA draws other noise than TensorFlow's own kernels: with dropout the steps
# are those of TensorFlow under XLA, without it those of either.
@pytest.fixture(scope="module", params=[
    0.0, pytest.param(0.5, marks=pytest.mark.slow)])
def dropout(request):
    return request.param


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dropout):
    """A folder: a program, batches, and what running it under JAX wrote."""
    from experiments.benchmarks import run_stablehlo
    folder = tmp_path_factory.mktemp("stablehlo")
    stablehlo.write(str(folder / "step.npz"), config(dropout),
                    precision="float32", facts={"gflop_an_image": 1.0})
    source, _ = split.open_train_and_eval(
        data="sample_photos", eval_data="", eval_fraction=0.1,
        train_examples=0, eval_examples=0, tfds_data_dir="")
    stablehlo.write_batches(str(folder / "batches.npy"), config(dropout),
                            source, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [
            "run_stablehlo", f"--program={folder / 'step.npz'}",
            f"--batches={folder / 'batches.npy'}", f"--steps={NUM_STEPS}",
            f"--output={folder / 'trained.npz'}", "--matmul=64",
            f"--losses={folder / 'losses.json'}"])
        run_stablehlo.main()
    return folder


@pytest.fixture(scope="module")
def here(trained, dropout):
    """The same steps in TensorFlow: losses [20, 8 or 6] and the state."""
    state = TrainState.create(config(dropout), precision="float32")
    step = make_train_step(
        state, adversarial_objective(config(dropout).training),
        jit_compile=dropout > 0)
    batches = np.load(trained / "batches.npy")
    return [np.array([loss for loss in step(batch[..., :1], batch[..., 1:])
                      if loss is not None])
            for batch in (batches[n % 3] for n in range(NUM_STEPS))], state


def test_twenty_steps_give_the_losses_of_tensorflow(trained, here, dropout):
    there = json.loads((trained / "losses.json").read_text())
    assert np.shape(there) == (NUM_STEPS, 6 if dropout else 8)
    assert there[-1][4] < there[0][4]  # it learned
    np.testing.assert_allclose(there[0], here[0][0], rtol=1e-4)
    np.testing.assert_allclose(there, here[0], rtol=1e-3, atol=1e-3)


def test_what_was_trained_becomes_a_run_that_can_be_exported(
        trained, here, dropout):
    state = here[1]
    run = trained / "run"
    step, path = stablehlo.read(str(trained / "trained.npz"), str(run))
    assert step == NUM_STEPS and path.startswith(str(run))
    assert RunFolder(str(run)).config().reporting.workdir == str(run)
    again = TrainState.create(config(dropout), precision="float32")
    Checkpoints(again, config=config(dropout),
                directory=str(run / "checkpoints")).restore_latest()
    assert again.step_number == NUM_STEPS
    assert list(again.next_ordinals.numpy()) == [NUM_STEPS * 2]
    for one, other in zip(again.generator.variables,
                          state.generator.variables):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=5e-4)
    for one, other in zip(again.generator_optimizer.variables,
                          state.generator_optimizer.variables):
        np.testing.assert_allclose(
            one.numpy(), other.numpy(), rtol=0,
            atol=0.02 * np.abs(other.numpy()).max())
    assert export_run(str(run))[0] == f"step {NUM_STEPS}"


def test_batches_are_those_that_a_run_trains_on(trained):
    batches = np.load(trained / "batches.npy")
    assert batches.shape == (3, 2, 32, 32, 3)
    assert batches.dtype == np.float32
    assert -1 <= batches.min() < -0.5 and 0.5 < batches.max() <= 1


def test_a_file_that_is_no_program_is_refused(tmp_path):
    path = tmp_path / "step.npz"
    path.write_bytes(b"PK something")
    with pytest.raises(UserError, match=f"--program={path} cannot be read"):
        stablehlo.read(str(path), str(tmp_path / "run"))
