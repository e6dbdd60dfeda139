"""Colors black-and-white photographs, and trains networks that do.

    import pix2pix_color

    colorizer = pix2pix_color.load()
    rgb = colorizer.colorize("old.jpg")             # uint8 [H, W, 3]
    metrics = colorizer.evaluate("folder:PHOTOS")   # a dict

    curves = pix2pix_color.train(
        "fine_tune", data="folder:PHOTOS", workdir="runs/mine")
    mine = pix2pix_color.load("runs/mine")

TensorFlow is imported when load or train is called.
"""

import os
from typing import TYPE_CHECKING, Any, Union

import data_pipelines  # noqa: F401, tells TensorFlow what to do on import
from data_pipelines.errors import Interrupted, UserError

if TYPE_CHECKING:
    from pix2pix_color.api import Colorizer

__all__ = ["Interrupted", "UserError", "load", "train"]


def load(model: Union[str, "os.PathLike[str]"] = "colorizer") -> "Colorizer":
    """Loads a model that colors photographs.

    Args:
      model: a run's folder, a SavedModel, or a folder of its versions;
        `colorizer` is the trained one in the package.

    Raises:
      UserError: there is no model, or it cannot be loaded.
    """
    from data_pipelines import command
    with command.quiet_tensorflow():
        from pix2pix_color import api
    return api.Colorizer(model)


def train(recipe: str = "", **options: Any) -> dict[str, dict[int, float]]:
    """Trains, evaluates and exports a model, as the command `fit`.

    Prints what `fit` prints, and resumes the run in workdir if there is one.
    An interrupt (once) finishes the update and saves the run.

    Args:
      recipe: a recipe such as `fine_tune` or a flag file; empty for the
        defaults of `fit`.
      **options: flags of `fit` without their dashes, which go before the
        recipe: data="folder:PHOTOS", workdir="runs/mine", epochs=3.

    Returns:
      The curves that TensorBoard shows: tag -> step -> value. Tags are
      `loss/generator` and such, of training; `metric/ab_l1` and such, of
      evaluation.

    Raises:
      UserError: an option, the folder or the photographs cannot be used, or
        the training diverges.
      Interrupted: an interrupt or SIGTERM came; the same call goes on.
    """
    from data_pipelines import command
    from pix2pix_color import config_flags
    config = config_flags.config_from_options(recipe, options)
    with command.quiet_tensorflow():
        from pix2pix_color import api
    return api.train(config)
