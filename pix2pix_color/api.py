"""The functions behind `import pix2pix_color`, for programs and notebooks."""

import os
import warnings
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
from PIL import Image

from data_pipelines import photo_file
from data_pipelines.command import MAX_PIXELS
from data_pipelines.errors import UserError
from pix2pix_color import summaries
from pix2pix_color.colorizing import hints_file, requirements
from pix2pix_color.colorizing.photograph import (NoPhotographError,
                                                 read_photograph)
from pix2pix_color.colorizing.reference import Reference
from pix2pix_color.config import Config
from pix2pix_color.evaluation import of_saved_model
from pix2pix_color.saved_model.load import LoadedModel
from pix2pix_color.training import run

Path = Union[str, "os.PathLike[str]"]
# uint8 [H, W, 3] or [H, W], a picture of Pillow's, or a file's path.
Photograph = Union[np.ndarray, Image.Image, Path]
# As in a file of hints: {"x": 120, "y": 80, "color": "#7a3b1d"}.
Hint = Mapping[str, Union[int, float, str]]


class Colorizer:
    """A model that colors photographs; pix2pix_color.load makes it.

    Attributes:
      card: the model card: architecture, flags, metrics.
      takes_hints: whether colorize can be given hints and a reference.

    Args:
      model: as for pix2pix_color.load.

    Raises:
      UserError: there is no model, or it cannot be loaded.
    """

    def __init__(self, model: Path) -> None:
        self._name = os.path.expanduser(model)
        self._model = LoadedModel(self._name)
        self.card: dict[str, Any] = self._model.card
        self.takes_hints: bool = self._model.takes_hints

    def colorize(self, photograph: Photograph, *, saturation: float = 1.0,
                 hints: Optional[Sequence[Hint]] = None,
                 reference: Optional[Photograph] = None,
                 chroma_size: int = 0, seed: Optional[int] = None
                 ) -> np.ndarray:
        """Colors a photograph.

        Args:
          photograph: uint8 sRGB [H, W, 3], gray [H, W], a picture of Pillow's,
            or the path of an image file, of which the first picture is taken.
          saturation: factor of the colors, 0 to 10; 0 is gray.
          hints: colors that are known, in pixels of the upright photograph:
            [{"x": 120, "y": 80, "color": "#7a3b1d"}], or by a name of CSS.
          reference: a color photograph whose colors to take for
            what is alike; hints go before it.
          chroma_size: side of the square in which colors are predicted,
            pixels, a multiple of the model's; larger is slower and colors
            smaller things. 0 for the model's.
          seed: draws one of many answers, if the model has noise; None for
            the answer without noise.

        Returns:
          uint8 sRGB [H, W, 3], with the photograph's own lightness.

        Raises:
          UserError: the photograph cannot be read or is no such array, or the
            model cannot do what is asked for.
        """
        if not 0 <= saturation <= 10:
            raise UserError(f"saturation={saturation} must be in 0..10")
        if seed is not None and not self._model.has_noise:
            raise UserError(f"seed={seed} needs a model with noise, and "
                            f"{self._model.directory} has none")
        rgb = _rgb_of(photograph, "photograph")
        size = self._model.fitting_chroma_size(chroma_size)
        if size < chroma_size:
            warnings.warn(f"chroma_size={chroma_size} needs too much memory; "
                          f"using {size}", stacklevel=2)
        return self._model.colorize(
            rgb, saturation=saturation, chroma_size=size, seed=seed,
            hints=self._find_hints(rgb, hints, reference, seed))

    def _find_hints(self, rgb, hints, reference, seed):
        for name, given in (("hints", hints), ("reference", reference)):
            if given is not None:
                requirements.require_takes_hints(
                    self.takes_hints, name, model=self._model.directory)
                if seed is not None:
                    raise UserError(f"{name} cannot be used with a seed")
        if hints is not None:
            height, width = rgb.shape[:2]
            return hints_file.parse_hints(list(hints), "hints", height=height,
                                          width=width)
        if reference is not None:
            return Reference(
                self._model, _rgb_of(reference, "reference")).find_hints(rgb)
        return None

    def evaluate(self, data: str = "", *, image_size: int = 0,
                 degrade: bool = False, judge_weights: str = "",
                 inception_weights: str = "", tfds_data_dir: str = ""
                 ) -> dict[str, Any]:
        """Measures the model on photographs, as the command `evaluate`.

        Args:
          data: the photographs: folder:DIR, sample_photos or another --data of
            the commands; empty for the run's evaluation photographs, or the
            64 in the package.
          image_size: side of the squares, pixels, colored as by colorize; 0
            measures the generator alone, at its own size.
          degrade: whether the model sees old prints of the photographs.
          judge_weights: a classifier's weights, which add `agreement` and
            `kl`; `imagenet` for the one in the package.
          inception_weights: InceptionV3's weights, which add `fid`.
          tfds_data_dir: folder of TensorFlow Datasets' data sets.

        Returns:
          The content of metrics.json: `colorized` and `gray_image` (metric ->
          mean), `interval_95` (the same two, metric -> low and high),
          `photographs` (their number), `rejected` (name -> why), and more.

        Raises:
          UserError: no photograph can be read, or an argument cannot be used.
        """
        source = of_saved_model.open_data(data, model=self._name,
                                          tfds_data_dir=tfds_data_dir)
        return of_saved_model.Score(
            self._model, source, image_size=image_size, degraded=degrade,
            judge_weights=judge_weights,
            inception_weights=inception_weights).to_json()


def _rgb_of(photograph: Photograph, name: str) -> np.ndarray:
    """Returns uint8 [H, W, 3]; `name` is what messages call the argument."""
    try:
        if isinstance(photograph, (str, os.PathLike)):
            path = os.path.expanduser(photograph)
            with open(path, "rb") as file:
                return read_photograph(file.read(), max_pixels=MAX_PIXELS).rgb
        if isinstance(photograph, Image.Image):
            return np.asarray(photo_file.upright_rgb(photograph))
    except OSError as error:
        raise UserError(f"{name} {photograph}: {error.strerror}") from error
    except (NoPhotographError, photo_file.Rejected) as error:
        raise UserError(f"{name} {photograph}: {error}") from error
    array = np.asarray(photograph)
    if array.dtype != np.uint8 or not array.size or not (
            array.ndim == 2 or array.ndim == 3 and array.shape[2] == 3):
        raise UserError(
            f"{name} is {array.dtype} of shape {array.shape}; it must be uint8 "
            f"[H, W, 3] or [H, W], a picture of Pillow's, or a file's path")
    return array if array.ndim == 3 else np.repeat(
        array[..., np.newaxis], 3, axis=-1)


def train(config: Config) -> dict[str, dict[int, float]]:
    """Trains as pix2pix_color.train, whose docstring tells the rest."""
    run.fit(config)
    return {tag: points for part in ("train", "eval")
            for tag, points in summaries.read_curves(
                os.path.join(config.reporting.workdir, part)).items()}
