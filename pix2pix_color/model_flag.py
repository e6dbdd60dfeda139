"""The flag --model of the commands that use a model."""

from absl import flags

from data_pipelines import command

flags.disclaim_key_flags()  # they are key flags of the commands


def define_model() -> flags.FlagHolder[str]:
    """Defines --model."""
    holder = command.define_path(
        "model", "colorizer", "A SavedModel, a folder of its versions, or a "
        "run's folder; colorizer is the trained one in the package.")
    flags.register_validator(
        holder, bool, "must name a SavedModel, a run's folder, or colorizer")
    return holder
