"""Real training processes, for tests that kill them."""

import multiprocessing
import os
import pathlib
import sys

from pix2pix_color.config import Config, Data, Networks, Reporting, Training

# New processes are forked from one that has imported TensorFlow already.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pix2pix_color.training.run"])

# Two stages, the discriminator every second time, an average of the weights.
COURSE = dict(pretrain_epochs=1.0, discriminator_steps=0.5, ema_decay=0.9,
              label_smoothing=0.1)


def config(workdir, *, steps, batch_size=4, precision="auto", **training):
    """A run of a second: 32 px, with dropout, everything due often."""
    return Config(
        data=Data(image_size=32, batch_size=batch_size, train_examples=14,
                  eval_examples=2),
        networks=Networks(base_filters=2),
        training=Training(steps=steps, seed=3, precision=precision,
                          **training),
        reporting=Reporting(
            workdir=str(workdir), log_every=3, eval_every=5, sample_every=7,
            checkpoint_every=2, keep_checkpoints=2))


def start(run, log_path, *, environment=None, num_devices=1):
    """Starts fit(run) in a process of its own; its output goes to a file.

    Args:
      run: the Config.
      log_path: the file, which is added to.
      environment: variables to set.
      num_devices: logical devices that the processor is divided into.
    """
    process = CONTEXT.Process(target=_fit, args=(
        run, str(log_path), environment or {}, num_devices))
    process.start()
    return process


def _fit(run, log_path, environment, num_devices):
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(environment)
    import tensorflow as tf

    from data_pipelines import command
    from data_pipelines.errors import Interrupted

    with command.quiet_tensorflow():
        from pix2pix_color.training.run import fit
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * num_devices)
    try:
        fit(run)
    except Interrupted as interrupted:
        print(interrupted)
        sys.exit(command.INTERRUPTED_EXIT_CODE)


def saved_variables(workdir):
    """Name -> array of all that the newest checkpoint of a run holds."""
    import tensorflow as tf

    directory = os.path.join(workdir, "checkpoints")
    newest = max(name for name in os.listdir(directory)
                 if name.startswith("step-"))
    reader = tf.train.load_checkpoint(
        os.path.join(directory, newest, "state"))
    return {name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def events(workdir):
    """(folder, tag, step, content) of every point and picture.

    As TensorBoard reads them, without those that a restart has overtaken.
    """
    from tensorboard.backend.event_processing import plugin_event_accumulator

    found = []
    for path in sorted({file.parent for file in pathlib.Path(workdir).rglob(
            "events.out.tfevents.*")}):
        folder = str(path.relative_to(workdir))
        reader = plugin_event_accumulator.EventAccumulator(
            str(path), size_guidance={plugin_event_accumulator.TENSORS: 0})
        reader.Reload()
        found += [
            (folder, tag, event.step, event.tensor_proto.SerializeToString())
            for tag in reader.Tags()["tensors"]
            # One measures time; the others are written at each start.
            if tag not in ("images_per_second", "custom_scalars__config__",
                           "_hparams_/session_start_info")
            for event in reader.Tensors(tag)]
    return found
