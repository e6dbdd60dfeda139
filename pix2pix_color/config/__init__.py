"""Every hyperparameter of a run: its default, allowed values and help text.

Each field of these dataclasses is also a flag (config_flags.py). Fields marked
`resumable` may change when a run is resumed; all others define the run. Nothing
here imports TensorFlow, so a wrong flag is reported at once.
"""

import dataclasses
import fractions
import math
import re
from typing import Any, Iterator, NamedTuple

from data_pipelines.errors import UserError
from pix2pix_color.config.data import Data
from pix2pix_color.config.networks import ENCODERS, Networks
from pix2pix_color.config.option import explain_value, is_allowed
from pix2pix_color.config.reporting import Reporting
from pix2pix_color.config.training import Training
from pix2pix_color.metric_names import JUDGED


class Need(NamedTuple):
    """A requirement of some options on another one.

    Attributes:
      options: names of the options that have the requirement.
      other: name of the option that they require.
      allowed: values of `other` that satisfy it; empty: any but 0 and "".
      values: values of `options` that have it; empty: any but the default.
    """

    options: tuple[str, ...]
    other: str
    allowed: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()


NEEDS = (
    Need(("max_resize_size",), "resize_size"),
    Need(("efficientnet", "hints"), "generator", ("efficientnet_unet",)),
    Need(("encoder_weights", "encoder_rate", "frozen_stages", "freeze_encoder"),
         "generator", ENCODERS),
    Need(("hints",), "color_space", ("lab",)),
    Need(("upsampling",), "generator", ENCODERS, values=("nearest",)),
    Need(("decoder_activation",), "generator", ("unet",)),
    Need(("discriminator_layers",), "discriminator", ("patchgan",)),
    Need(("pretrain_learning_rate", "freeze_encoder"), "pretrain_epochs"),
    Need(("label_smoothing",), "gan_loss", ("vanilla", "lsgan")),
    Need(("classifier_weights",), "semantic_weight"),
    Need(("lr_decay_start",), "lr_schedule", ("linear",)),
    Need(("plateau_metric", "plateau_factor", "plateau_patience",
          "plateau_floor"), "lr_schedule", ("plateau",)),
    Need(("plateau_metric", "best_metric"), "judge_weights", values=JUDGED),
    Need(("precision",), "distribute", ("none",), values=("mixed_float16",)),
    Need(("jit_compile",), "distribute", ("none",), values=("on",)),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """All hyperparameters of one run.

    Raises:
      UserError: values are not allowed, or contradict each other; a line each.
    """

    data: Data = Data()
    networks: Networks = Networks()
    training: Training = Training()
    reporting: Reporting = Reporting()

    def __post_init__(self) -> None:
        # A conflict with a value that is not allowed would be misleading.
        problems = ([explain_value(field, value) for field, value
                     in self.options() if not is_allowed(field, value)]
                    or [*self._needs(), *self._sizes(), *self._others()])
        if problems:
            raise UserError("\n".join(problems))

    def _needs(self) -> Iterator[str]:
        options = {field.name: (value, field.default)
                   for field, value in self.options()}
        for need in NEEDS:
            other, _ = options[need.other]
            if other in need.allowed or (other and not need.allowed):
                continue
            for name in need.options:
                value, default = options[name]
                if value in need.values or (
                        value != default and not need.values):
                    needed = ("=" + " or ".join(need.allowed) if need.allowed
                              else "" if other == "" else " above 0")
                    yield (f"--{name}={value} needs --{need.other}{needed}"
                           + (f", not {other}" if needed else ""))

    def _sizes(self) -> Iterator[str]:
        data, networks = self.data, self.networks
        size = data.image_size
        if networks.generator in ENCODERS:
            if size % 32 or size < 64:
                yield (f"--image_size={size} must be a multiple of 32, at "
                       f"least 64: --generator={networks.generator} halves it "
                       f"five times")
        elif size not in (32, 64, 128, 256, 512):
            yield (f"--image_size={size} must be a power of two from 32 to "
                   f"512: the U-Net halves it down to one pixel")
        multiple = 2**networks.discriminator_layers
        if networks.discriminator == "patchgan" and (
                size % multiple or size < 3 * multiple):
            yield (f"--discriminator_layers={networks.discriminator_layers} "
                   f"needs an --image_size that is a multiple of {multiple}, "
                   f"at least {3 * multiple}, not {size}")
        if 0 < data.resize_size < size:
            yield (f"--resize_size={data.resize_size} must be at least "
                   f"--image_size={size}, or 0")
        if 0 < data.max_resize_size < data.resize_size:
            yield (f"--max_resize_size={data.max_resize_size} must be at "
                   f"least --resize_size={data.resize_size}, or 0")

    def _others(self) -> Iterator[str]:
        networks, reporting = self.networks, self.reporting
        if networks.encoder_weights and networks.initial_weights:
            yield (f"--encoder_weights={networks.encoder_weights} and "
                   f"--initial_weights={networks.initial_weights} exclude "
                   f"each other: the latter includes an encoder")
        if (networks.encoder_weights == "imagenet"
                and networks.generator == "resnet18_unet"
                and networks.base_filters != 64):
            yield (f"--encoder_weights=imagenet needs --base_filters=64, not "
                   f"{networks.base_filters}")
        steps = re.fullmatch(r"([1-9]\d*),([1-9]\d*)", reporting.profile_steps)
        if reporting.profile_steps and not (
                steps and int(steps[1]) <= int(steps[2])):
            yield (f"--profile_steps={reporting.profile_steps} must be the "
                   f"first and the last step to record, such as 10,20")
        if not reporting.workdir:
            yield "--workdir must name a folder"

    def pretrain_steps(self, num_train_examples: int) -> int:
        """Returns the number of updates without the adversarial loss.

        --steps may end the run before them.
        """
        return self._num_steps(_exact(self.training.pretrain_epochs),
                               num_train_examples)

    def total_steps(self, num_train_examples: int) -> int:
        """Returns the number of updates of the whole run."""
        training = self.training
        return training.steps or self._num_steps(
            _exact(training.pretrain_epochs) + training.epochs,
            num_train_examples)

    def _num_steps(self, epochs: fractions.Fraction, num_examples: int) -> int:
        return math.ceil(epochs * num_examples / self.data.batch_size)

    def profiled_steps(self) -> tuple[int, int]:
        """Returns the first and last update to record; (0, 0) for none."""
        first, _, last = (self.reporting.profile_steps or "0,0").partition(",")
        return int(first), int(last)

    def options(self) -> Iterator[tuple[dataclasses.Field, Any]]:
        """Yields every option's field and value, in order."""
        for group in dataclasses.fields(self):
            values = getattr(self, group.name)
            for field in dataclasses.fields(values):
                yield field, getattr(values, field.name)

    def hyperparameters(self) -> dict[str, Any]:
        """Returns name -> value of every option that defines the run."""
        return {field.name: value for field, value in self.options()
                if not field.metadata["resumable"]}


def _exact(value: float) -> fractions.Fraction:
    """Returns the decimal number that was written on the command line."""
    return fractions.Fraction(repr(value))


def differing_options(old: Config, new: Config) -> list[str]:
    """Lists the options that prevent a run from being resumed, one a line.

    Options that may change on resume are left out.
    """
    return [
        f"--{field.name} is {after!r} now and was {before!r}"
        for (field, before), (_, after) in zip(old.options(), new.options())
        if before != after and not field.metadata["resumable"]]
