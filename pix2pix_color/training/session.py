"""One call of fit: from a Config to a trained, measured and exported run."""

import os
import platform
import sys
from typing import Any

import keras
import tensorflow as tf

from data_pipelines import cache, pipeline, split
from data_pipelines.sources import Source
from pix2pix_color import evaluation, hardware
from pix2pix_color.config import Config, ConfigError
from pix2pix_color.serving import saved_model
from pix2pix_color.summaries import Summaries
from pix2pix_color.training import loop
from pix2pix_color.training.checkpoints import Checkpoints
from pix2pix_color.training.reporter import Reporter
from pix2pix_color.training.run_folder import RunFolder
from pix2pix_color.training.train_state import TrainState

# The final evaluation on training photographs, which shows how much was
# learned by heart, takes no more of them than this.
MAX_TRAIN_EVALUATION = 500


def fit(config: Config) -> None:
    """Trains, evaluates and exports; resumes where the run's folder stands.

    Raises:
      ConfigError: flags or the run's folder cannot be used, or the training
        has diverged.
      InputError: the photographs cannot be used.
    """
    hardware.claim_devices()
    precision = hardware.resolve_precision(config.training.precision)
    train_source, eval_source = _open_sources(config)
    folder = RunFolder(config.reporting.workdir)
    folder.claim(config)
    facts = _facts(config, precision, train_source, eval_source)
    _say("device", facts["hardware"])
    _say("precision", precision)
    _say("versions", ", ".join(f"{name} {version}" for name, version
                               in facts["versions"].items()))
    _say("data", f"{len(train_source)} photographs to train on, "
                 f"{len(eval_source)} to evaluate on")

    state = TrainState.create(config, precision=precision)
    checkpoints = Checkpoints(state, directory=folder.checkpoints_dir,
                              keep=config.reporting.keep_checkpoints)
    total_steps = config.total_steps(len(train_source))
    if checkpoints.restore_latest():
        _say("resuming", f"at step {int(state.step)} of {total_steps}")
    else:
        _say("training", f"{total_steps} steps of {config.data.batch_size}")
    if total_steps < int(state.step):
        raise ConfigError(
            f"--steps={config.training.steps}, --epochs="
            f"{config.training.epochs}: the run in {folder.path} has done "
            f"{int(state.step)} steps already, more than these {total_steps}")
    folder.write_flags(config)
    before = folder.read_run_json()
    folder.write_run_json({**before, **facts})

    rejected = pipeline.RejectedExamples(config.data.max_bad_fraction)
    summaries = Summaries(folder.path)
    reporter = Reporter(
        config=config, state=state, eval_source=eval_source, folder=folder,
        summaries=summaries, rejected=rejected)
    loop.train(config=config, state=state, train_source=train_source,
               checkpoints=checkpoints, summaries=summaries, reporter=reporter,
               rejected=rejected)

    held_out = reporter.evaluate()
    some_train = reporter.measure(train_source.select(
        range(min(len(train_source), MAX_TRAIN_EVALUATION))))
    sample_path = reporter.draw_samples()
    training_path = reporter.draw_training(train_source)
    summaries.close()
    facts |= {
        "step": int(state.step),
        "rejected": {**before.get("rejected", {}), **rejected.reasons},
        "evaluation": _metrics(held_out),
        "training": _metrics(some_train),
    }
    folder.write_run_json(facts)
    print(evaluation.comparison_table({
        f"{len(held_out)} evaluation photographs": held_out,
        f"{len(some_train)} training photographs": some_train}))
    if facts["rejected"]:
        _say("skipped", f"{len(facts['rejected'])} photograph(s) that could "
                        f"not be read, named in {folder.run_path}")
    _say("samples", f"{sample_path}, evaluation")
    _say("", f"{training_path}, training")
    _say("SavedModel", _export(config, state, folder, facts, before))
    tensorboard = os.path.join(os.path.dirname(sys.executable), "tensorboard")
    _say("curves", f"{tensorboard} --logdir {folder.path}")


def _open_sources(config: Config) -> tuple[Source, Source]:
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
    """Exports the state, unless that was done before; returns the path."""
    path = before.get("export", "")
    if before.get("step") != facts["step"] or not os.path.isdir(path):
        path = saved_model.write(state.served_generator(config),
                                 folder.export_dir)
    folder.write_run_json({**facts, "export": path})
    return path


def _facts(config: Config, precision: str, train_source: Source,
           eval_source: Source) -> dict[str, Any]:
    return {
        "arguments": sys.argv,
        "versions": {"TensorFlow": tf.__version__, "Keras": keras.__version__,
                     "Python": platform.python_version()},
        "hardware": hardware.describe_device(),
        "precision": precision,
        "data": {"train": config.data.data,
                 "train_photographs": len(train_source),
                 "evaluation": config.data.eval_data or config.data.data,
                 "evaluation_photographs": len(eval_source)},
    }


def _metrics(result: evaluation.Evaluation) -> dict[str, Any]:
    return {"photographs": len(result), "colorized": result.means(),
            "gray_image": result.gray_means()}


def _say(what: str, text: str) -> None:
    print(f"{what:<12}{text}", flush=True)
