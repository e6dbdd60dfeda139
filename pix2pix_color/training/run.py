"""One run: from a Config to a trained, evaluated and exported model."""

import contextlib
import dataclasses
import json
import math
import os
import platform
import shlex
import sys
import tempfile
from typing import Any

import keras
import tensorflow as tf

from data_pipelines import cache, split
from data_pipelines.errors import UserError
from data_pipelines.first_look import FirstLook
from data_pipelines.rejected import RejectedExamples
from data_pipelines.sources import Source
from pix2pix_color import hardware
from pix2pix_color.config import Config
from pix2pix_color.evaluation import protocol
from pix2pix_color.networks import (discriminators, efficientnet_weights,
                                    encoder_weights)
from pix2pix_color.run_folder import RunFolder
from pix2pix_color.summaries import Summaries
from pix2pix_color.training import exporting, initial_weights, loop, memory
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.distribution import Workers, rejoining
from pix2pix_color.training.interruption import Interruption
from pix2pix_color.training.journal import Journal
from pix2pix_color.training.photograph_sets import PhotographSets
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.schedules import Schedule
from pix2pix_color.training.train_state import TrainState

# The final evaluation on training photographs, which shows memorization, takes
# this many at most.
MAX_TRAIN_EVALUATION = 500


def fit(config: Config) -> None:
    """Trains, evaluates and exports; resumes the run in the folder.

    Raises:
      UserError: the flags, the run's folder or the photographs cannot be used,
        memory runs out, or the training diverges.
      Interrupted: SIGINT or SIGTERM came; the state is saved.
    """
    hardware.claim_devices(deterministic=config.training.deterministic)
    workers, interruption = Workers(config), Interruption()
    with contextlib.ExitStack() as stack:
        stack.enter_context(interruption.handled())
        if not workers.is_chief:  # nobody needs its files
            config = _in_folder(config, stack.enter_context(
                tempfile.TemporaryDirectory()))
        folder = RunFolder(config.reporting.workdir)
        stack.enter_context(rejoining(workers))
        stack.enter_context(memory.exhaustion_explained(config))
        stack.callback(folder.release)
        _train_and_export(config, folder, workers, interruption)
        workers.wait_for_all()


def dry_run(config: Config) -> None:
    """Builds everything, makes two updates and prints their cost.

    Nothing is saved. If --discriminator_steps is a fraction, both updates are
    of the longer kind, since each kind is traced separately.

    Raises:
      UserError: the flags or the photographs cannot be used, memory runs out,
        or a loss is not finite.
    """
    hardware.claim_devices(deterministic=config.training.deterministic)
    config = dataclasses.replace(config, training=dataclasses.replace(
        config.training, discriminator_steps=float(math.ceil(
            config.training.discriminator_steps))))
    with (tempfile.TemporaryDirectory() as unused,
          memory.exhaustion_explained(config)):
        workers = Workers(config)
        training, train_source, _ = prepare(
            _in_folder(config, unused), RunFolder(unused), workers,
            Interruption())
        state, batch_size = training.state, config.data.batch_size
        for name, network in (("generator", state.generator),
                              ("discrim.", state.discriminator)):
            _say(name, f"{network.count_params():,} parameters")
        first, second = training.time_updates(train_source, 2)
        workers.wait_for_all()
    _say("step", f"{second:.2f} s ({batch_size / second:.1f} images/s), the "
                 f"first one {first:.1f} s with tracing")
    _say("memory", f"{hardware.peak_memory_bytes() / 2**30:.2f} GiB at the "
                   f"peak, of {hardware.memory_bytes() / 2**30:.2f} GiB")
    _say("dry run", f"nothing was written to {config.reporting.workdir}")


def _train_and_export(config: Config, folder: RunFolder, workers: Workers,
                      interruption: Interruption) -> None:
    training, train_source, facts = prepare(config, folder, workers,
                                            interruption)
    state, reporter = training.state, training.reporter
    folder.write_flags(config)
    before = folder.read_run_json()
    folder.write_run_json({**before, **facts})

    held_out = training.run(train_source) or reporter.measure()
    some_train = reporter.measure(train_source.select(
        range(min(len(train_source), MAX_TRAIN_EVALUATION))))
    training_path = reporter.write_training_samples(train_source)
    reporter.flush()
    facts |= {
        "step": state.step_number,
        "rejected": training.rejected.reasons,
        "evaluation": held_out.to_json(),
        "training": some_train.to_json(),
        "best": training.journal.best,
        "seconds": training.journal.seconds,
    }
    folder.write_run_json(facts)
    print(protocol.comparison_table({
        f"{len(held_out)} evaluation photographs": held_out,
        f"{len(some_train)} training photographs": some_train}))
    if facts["rejected"]:
        _say("skipped", f"{len(facts['rejected'])} photograph(s) that could "
                        f"not be read or have no color, listed in "
                        f"{folder.run_path}")
    _say("time", training.journal.where_the_time_went())
    _say("best", "step {step}, {metric} {value:.2f}".format(**facts["best"])
         + (" on earlier evaluation photographs"
            if "incomparable" in facts["best"] else ""))
    _say("samples", f"{reporter.sample_path(state.step_number)}, evaluation")
    _say("", f"{training_path}, training")
    _say("SavedModel", _export(config, state, folder, facts, before))
    path, python = shlex.quote(folder.path), shlex.quote(sys.executable)
    _say("color", f"{python} -m pix2pix_color.colorize --model={path} PHOTO")
    _say("web page", f"{python} -m pix2pix_color.demo --model={path}")
    # TensorFlow's messages say nothing that matters here.
    _say("curves", f"TF_CPP_MIN_LOG_LEVEL=3 {python} -m tensorboard.main "
                   f"--logdir {path}")


def prepare(config: Config, folder: RunFolder, workers: Workers,
            interruption: Interruption
            ) -> tuple[loop.TrainingLoop, Source, dict[str, Any]]:
    """Opens the photographs, builds the networks and restores the run.

    The folder, that of --workdir, stays claimed.

    Returns:
      The training, its photographs, and facts for run.json.

    Raises:
      UserError: as fit, before the training.
    """
    precision = hardware.resolve_precision(config.training.precision)
    train_source, eval_source = open_sources(config)
    workers.require_equal(train_source.identities,
                          flag=f"--data={config.data.data}")
    rejected = RejectedExamples(config.data.max_bad_fraction)
    # Missing weights must be noticed before the folder is claimed.
    begins = workers.is_chief and not folder.steps()
    if begins:
        encoder_weights.find_encoder_weights(config.networks)
    initial = (initial_weights.read_initial_weights(config) if begins
               else {})
    if config.training.semantic_weight:
        efficientnet_weights.find_weights(
            config.training.classifier_weights, flag="--classifier_weights")
    folder.claim(config)
    looks = [FirstLook(train_source, "training", rejected),
             FirstLook(eval_source, "evaluation", rejected)]
    jit_compile = hardware.resolve_jit_compile(
        config.training.jit_compile,
        num_replicas=workers.strategy.num_replicas_in_sync)
    facts = _facts(config, precision, jit_compile, train_source, eval_source)
    _say_what_is_used(facts, workers)
    if config.data.batch_size > len(train_source):
        _say("", f"--batch_size={config.data.batch_size} is more: a batch has "
                 f"photographs several times")
    for remark in sorted({train_source.remark, eval_source.remark} - {""}):
        _say("", remark)

    with workers.strategy.scope():
        state = TrainState.create(config, precision=precision,
                                  num_workers=workers.count,
                                  pretrained=begins)
        initial_weights.assign_initial_weights(state, initial)
    facts["loss_classifier"] = state.loss_classifier
    if config.training.gan_weight:
        _say("judges", _judged_area(config, state))
    checkpoints = Checkpoints(state, config=config,
                              directory=folder.checkpoints_dir,
                              keep=config.reporting.keep_checkpoints)
    journal = _restore(state, checkpoints, workers)
    sets = PhotographSets(train_source, eval_source)
    journal.evaluate_on(workers.text_of_chief(sets.evaluation_digest))
    if state.step_number:
        _say_what_changed(sets.changes_since(folder.photographs_path), journal)
    total_steps = config.total_steps(len(train_source))
    if total_steps < state.step_number:
        raise UserError(
            f"--steps={config.training.steps}, --epochs="
            f"{config.training.epochs}: the run in {folder.path} has done "
            f"{state.step_number} steps already, more than {total_steps}")
    if state.step_number:
        _say("resuming", f"at step {state.step_number} of {total_steps}")
        _say_if_rate_rises(folder.config(), config, len(train_source),
                           state.step_number, journal)
    else:
        _say("training", f"{total_steps} steps of {config.data.batch_size}")
    pretrain_steps = config.pretrain_steps(len(train_source))
    if pretrain_steps > state.step_number:
        _say("", f"up to step {pretrain_steps} without the adversarial loss")

    rejected.reasons = {**journal.rejected, **rejected.reasons}
    for look in looks:
        without_color = look.finish()
        if without_color:
            _say("no color", without_color)
    reporter = Reporter(
        config=config, state=state, eval_source=eval_source, folder=folder,
        summaries=Summaries(folder.path, step=state.step_number,
                            hyperparameters=config.hyperparameters()),
        rejected=rejected)
    sets.write(folder.photographs_path)
    return loop.TrainingLoop(
        config=config, state=state, journal=journal, workers=workers,
        checkpoints=checkpoints, reporter=reporter, rejected=rejected,
        interruption=interruption), train_source, facts


def _in_folder(config: Config, workdir: str) -> Config:
    return dataclasses.replace(config, reporting=dataclasses.replace(
        config.reporting, workdir=workdir))


def _restore(state: TrainState, checkpoints: Checkpoints,
             workers: Workers) -> Journal:
    """Restores the newest checkpoint, which only the chief can see."""
    journal = (checkpoints.restore_latest() if workers.is_chief
               else None) or Journal()
    state.set_num_workers(workers.count)
    workers.copy_from_chief(state.shared_variables())
    return Journal.from_json(json.loads(
        workers.text_of_chief(json.dumps(journal.to_json()))))


def open_sources(config: Config) -> tuple[Source, Source]:
    """Opens the photographs for training and for evaluation.

    Raises:
      UserError: a data spec or a share of the photographs cannot be used.
    """
    train_source, eval_source = split.open_train_and_eval(
        data=config.data.data, eval_data=config.data.eval_data,
        eval_fraction=config.data.eval_fraction,
        train_examples=config.data.train_examples,
        eval_examples=config.data.eval_examples,
        tfds_data_dir=config.data.tfds_data_dir)
    return (cache.cached(train_source, config.data.cache),
            cache.cached(eval_source, config.data.cache))


def _export(config: Config, state: TrainState, folder: RunFolder,
            facts: dict[str, Any], before: dict[str, Any]) -> str:
    """Exports the state, unless an earlier process did; returns the path."""
    path = before.get("export", "")
    if before.get("step") != facts["step"] or not os.path.isdir(path):
        path = exporting.export_state(state, config, folder.export_dir,
                                      metrics=facts["evaluation"],
                                      loss_classifier=facts["loss_classifier"])
    folder.write_run_json({**facts, "export": path})
    return path


def _facts(config: Config, precision: str, jit_compile: bool,
           train_source: Source, eval_source: Source) -> dict[str, Any]:
    return {
        "arguments": sys.argv,
        "versions": {"TensorFlow": tf.__version__, "Keras": keras.__version__,
                     "Python": platform.python_version()},
        "hardware": hardware.describe_device(),
        "precision": precision,
        "jit_compile": jit_compile,
        "data": {"train": config.data.data,
                 "train_photographs": len(train_source),
                 "evaluation": config.data.eval_data or config.data.data,
                 "evaluation_photographs": len(eval_source)},
    }


def _say_what_is_used(facts: dict[str, Any], workers: Workers) -> None:
    num_replicas = workers.strategy.num_replicas_in_sync
    _say("device", facts["hardware"] + (
        f", {num_replicas} replicas in {workers.count} process(es)"
        if num_replicas > 1 else ""))
    _say("precision", facts["precision"] + (
        ", compiled by XLA" if facts["jit_compile"] else ""))
    _say("versions", ", ".join(f"{name} {version}" for name, version
                               in facts["versions"].items()))
    _say("data", f"{facts['data']['train_photographs']} photographs to train "
                 f"on, {facts['data']['evaluation_photographs']} to evaluate "
                 f"on")


def _say_if_rate_rises(before: Config, config: Config, num_examples: int,
                       step: int, journal: Journal) -> None:
    """Says that a longer run goes on with a higher learning rate.

    Args:
      before: the flags before the run was resumed.
      config: the flags now.
      num_examples: number of training photographs.
      step: number of completed updates.
      journal: has the state of --lr_schedule=plateau.
    """
    old, new = (Schedule(flags, num_train_examples=num_examples)
                .learning_rates(step, journal.plateau)["generator"]
                for flags in (before, config))
    if new > old:
        _say("", f"the learning rate rises from {old:.3g} to {new:.3g}: with "
                 f"another --steps or --epochs, --lr_schedule="
                 f"{config.training.lr_schedule} lowers it later")


def _say_what_changed(changes: str, journal: Journal) -> None:
    parts = [changes] if changes else []
    if "incomparable" in journal.best:
        parts.append("the best step, {step}, was evaluated on others and is "
                     "not compared with later ones".format(**journal.best))
    if parts:
        _say("changed", "; ".join(parts))


def _judged_area(config: Config, state: TrainState) -> str:
    """Describes the part of an image that one logit judges."""
    if config.networks.discriminator.startswith("dcgan"):
        return "the whole image"
    side = discriminators.receptive_field(state.discriminator)
    return f"patches of {side} x {side} px"


def _say(label: str, text: str) -> None:
    print(f"{label:<12}{text}", flush=True)
