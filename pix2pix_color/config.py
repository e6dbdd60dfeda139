"""Every hyperparameter, once: its default, its bounds, its help.

cli.py makes the flags from these dataclasses, so a field here is a flag there.
TensorFlow is not imported. An option marked `resumable` may
change when a run is resumed; every other one is part of what the run is.
"""

import dataclasses
import fractions
import math
import re
from typing import Any, Iterator, Optional, Sequence

from data_pipelines.errors import UserError
from pix2pix_color.metric_names import GUIDING, JUDGED

# The generators with an encoder that may begin with a classifier's weights.
ENCODERS = ("resnet18_unet", "efficientnet_unet")


def option(default: Any, help: str, *, minimum: Optional[float] = None,
           maximum: Optional[float] = None,
           choices: Optional[Sequence[str]] = None,
           resumable: bool = False) -> Any:
    """One hyperparameter.

    Args:
      default: its value when the flag is not given; its type is the flag's.
      help: what it does, with its unit.
      minimum: lowest value allowed.
      maximum: highest value allowed.
      choices: the values allowed, for a choice between kinds.
      resumable: whether it may change when a run is resumed.
    """
    return dataclasses.field(default=default, metadata=dict(
        help=help, minimum=minimum, maximum=maximum, choices=choices,
        resumable=resumable))


@dataclasses.dataclass(frozen=True)
class Data:
    """Which photographs, and what becomes of them before the networks."""

    data: str = option(
        "sample_photos",
        "Training photographs: sample_photos, folder:DIR, "
        "paired:GRAY_DIR,COLOR_DIR, tfds:NAME[/CONFIG][@SPLIT], "
        "kaggle_npy:DIR or shards:DIR.")
    eval_data: str = option(
        "",
        "Evaluation photographs, as --data; empty sets some of --data aside.")
    eval_fraction: float = option(
        0.1,
        "Share of --data set aside for evaluation when --eval_data is empty; "
        "sample_photos sets its own 8 aside.", minimum=0.0, maximum=1.0)
    tfds_data_dir: str = option(
        "", "Where TensorFlow Datasets keeps its data sets; empty for its "
        "default.", resumable=True)
    cache: str = option(
        "none", "Where decoded photographs are kept once they have been read.",
        choices=("none", "memory", "disk"), resumable=True)
    max_bad_fraction: float = option(
        0.01, "Share of the photographs that may be unreadable before the run "
        "stops; a single one never stops it.", minimum=0.0, maximum=1.0,
        resumable=True)
    train_examples: int = option(
        0, "Photographs to train on at most; 0 for all.", minimum=0)
    eval_examples: int = option(
        0, "Photographs to evaluate on at most; 0 for all.", minimum=0)
    image_size: int = option(
        256, "Side of the networks' square in pixels: a power of two from 32 "
        "to 512 for --generator=unet, a multiple of 32 from 64 on for "
        "resnet18_unet and efficientnet_unet.")
    resize_size: int = option(
        0,
        "What a photograph's shorter side is resized to before the random "
        "crop of --image_size, in pixels; 0 takes pix2pix's 286/256 of it.",
        minimum=0)
    max_resize_size: int = option(
        0, "Largest size that is drawn, for each photograph anew, in place of "
        "--resize_size, the smallest; 0 always takes that one.", minimum=0)
    min_detail_size: int = option(
        0, "Reduce half of the photographs to a drawn size, so many pixels at "
        "least, before they are brought to --image_size: the networks then "
        "know photographs with little detail as well; 0 reduces none.",
        minimum=0)
    degrade: bool = option(
        False, "Show the generator half of the photographs as old prints: "
        "with film's own lightness, faded, blurred, grainy, scratched, "
        "bordered and compressed. It has to give the clean ones' colors.")
    batch_size: int = option(16, "Photographs an update.", minimum=1)


@dataclasses.dataclass(frozen=True)
class Networks:
    """The shape of generator and discriminator."""

    color_space: str = option(
        "lab", "What is predicted from what: lab is a*b* from L*, rgb is R, G "
        "and B from gray.", choices=("lab", "rgb"))
    generator: str = option(
        "unet", "The generator: unet is pix2pix's; resnet18_unet has a "
        "ResNet-18 for an encoder, efficientnet_unet an EfficientNet-Lite.",
        choices=("unet", *ENCODERS))
    efficientnet: str = option(
        "lite2", "Which EfficientNet-Lite is the encoder of "
        "efficientnet_unet.", choices=("lite0", "lite2"))
    encoder_weights: str = option(
        "", "What the encoder begins with: a .safetensors file of "
        "EfficientNet-Lite, a .safetensors or .pth file of torchvision's or "
        "timm's ResNet-18, or imagenet: that of EfficientNet-Lite2 is in the "
        "package, that of ResNet-18 is downloaded once. Empty for random "
        "weights.")
    initial_weights: str = option(
        "", "What the whole generator begins with: colorizer, the trained one "
        "that comes with the package; the folder of a run; or a .safetensors "
        "file of `export --format=safetensors`. Empty for a new one.")
    upsampling: str = option(
        "auto", "How the generator's decoder doubles height and width: a "
        "transposed convolution, resize (nearest neighbor) and convolution, "
        "convolution and pixel_shuffle, or nearest neighbor alone; auto is "
        "transposed for unet, pixel_shuffle for resnet18_unet, nearest for "
        "efficientnet_unet.",
        choices=("auto", "transposed", "resize", "pixel_shuffle", "nearest"))
    discriminator: str = option(
        "patchgan", "The discriminator: patchgan judges patches, pixel single "
        "pixels, dcgan the whole image.",
        choices=("patchgan", "pixel", "dcgan"))
    discriminator_layers: int = option(
        3, "Convolutions that halve in patchgan: 1 to 5 make patches of 16, "
        "34, 70, 142 and 286 px.", minimum=1)
    base_filters: int = option(
        64, "Filters of both networks' first convolution; of "
        "efficientnet_unet, those of the decoder at a quarter of the size.",
        minimum=1)
    norm: str = option(
        "batch", "What normalizes both networks' layers but for the encoder's: "
        "resnet18_unet always has batch, efficientnet_unet none.",
        choices=("batch", "instance", "none"))
    dropout: float = option(
        0.5, "Dropout rate of the generator's innermost decoder layers: up to "
        "three in unet, two in the others.", minimum=0.0, maximum=0.95)
    noise_channels: int = option(
        0, "Channels of normal noise that the generator is given beside the "
        "condition in training; they are zero afterwards.", minimum=0)


@dataclasses.dataclass(frozen=True)
class Training:
    """Losses, optimizers, and how long."""

    epochs: int = option(
        200, "How many times to go through the photographs; see --steps.",
        minimum=1, resumable=True)
    steps: int = option(
        0, "Total number of updates, over all resumed parts of the run, "
        "pretraining included; 0 follows --epochs.", minimum=0, resumable=True)
    pretrain_epochs: float = option(
        0.0, "How many times to go through the photographs before --epochs "
        "without the adversarial loss; the discriminator does not learn.",
        minimum=0.0)
    pretrain_learning_rate: float = option(
        1e-4, "Adam's learning rate in --pretrain_epochs; the generator's Adam "
        "begins anew after them.", minimum=0.0)
    freeze_encoder: bool = option(
        False, "Leave the encoder as it is during --pretrain_epochs.")
    encoder_rate: float = option(
        1.0, "The encoder's learning rate as a share of the other layers'; 0 "
        "leaves the encoder as it is.", minimum=0.0, maximum=1.0)
    frozen_stages: int = option(
        0, "How many of the encoder's stages, from the input, stay as they "
        "are: ResNet-18 has 5, EfficientNet-Lite 8. Those near the input take "
        "the most time to train. Above 0, the depthwise kernels of the other "
        "stages stay as well, whose gradients are slow on a CPU.", minimum=0,
        maximum=8)
    gan_loss: str = option(
        "vanilla", "How the discriminator tells real from fake: vanilla is "
        "cross-entropy, lsgan squared distance to the label, hinge a margin.",
        choices=("vanilla", "lsgan", "hinge"))
    gan_weight: float = option(
        0.03, "Weight of the adversarial loss in the generator's; pix2pix has "
        "1. With 0 the discriminator does not learn, and its flags mean "
        "nothing.", minimum=0.0)
    label_smoothing: float = option(
        0.0, "How far below 1 the label of real photographs lies when the "
        "discriminator learns.", minimum=0.0, maximum=0.5)
    l1_weight: float = option(
        20.0, "Weight of the L1 loss in the generator's (pix2pix's lambda, "
        "there 100).", minimum=0.0)
    psnr_weight: float = option(
        1.0, "Weight in the generator's loss of each decibel that a picture "
        "lacks to a PSNR of 40 dB; pix2pix has none.", minimum=0.0)
    colorfulness_weight: float = option(
        0.17, "Weight in the generator's loss of how far a batch's mean "
        "colorfulness lies from that of its photographs; pix2pix has none.",
        minimum=0.0)
    semantic_weight: float = option(
        0.0, "Weight in the generator's loss, after --pretrain_epochs, of how "
        "differently a classifier sees the photographs and their colorized "
        "versions; pix2pix has none.", minimum=0.0)
    classifier_weights: str = option(
        "imagenet", "The classifier of --semantic_weight: a .safetensors file "
        "of EfficientNet-Lite0 or Lite2, or imagenet, the one in the package. "
        "Judge the result by another one.")
    learning_rate: float = option(
        2e-4, "Adam's learning rate for the generator.", minimum=0.0)
    discriminator_learning_rate: float = option(
        2e-4, "Adam's learning rate for the discriminator.", minimum=0.0)
    discriminator_steps: float = option(
        1.0, "Updates of the discriminator to one of the generator: 0.5 is one "
        "every second time; 2 is two, both on the same photographs.",
        minimum=0.01)
    lr_schedule: str = option(
        "linear", "What becomes of both learning rates after "
        "--pretrain_epochs: linear lowers them to zero at the run's last "
        "update, plateau lowers them whenever the evaluation does not improve.",
        choices=("constant", "linear", "plateau"))
    lr_decay_start: float = option(
        0.5, "Share of the updates after --pretrain_epochs from which on "
        "--lr_schedule=linear lowers the learning rates; another --epochs "
        "moves it.", minimum=0.0, maximum=1.0)
    plateau_metric: str = option(
        "ab_l1", "The evaluation's number that --lr_schedule=plateau watches.",
        choices=GUIDING)
    plateau_factor: float = option(
        0.5, "What --lr_schedule=plateau multiplies the learning rates with.",
        minimum=0.0, maximum=1.0)
    plateau_patience: int = option(
        3, "How many evaluations in a row without a new best make a plateau.",
        minimum=1)
    plateau_floor: float = option(
        1e-6, "The learning rate that --lr_schedule=plateau does not go below.",
        minimum=0.0)
    ema_decay: float = option(
        0.999, "How slowly a moving average of the generator's weights moves, "
        "which is evaluated, drawn and exported in their place: 0.999 averages "
        "over about 1000 updates; 0 makes none.", minimum=0.0, maximum=0.999999)
    precision: str = option(
        "auto", "Arithmetic of the networks; auto takes mixed_bfloat16 where "
        "the hardware has it and float32 elsewhere; mixed_float16 is for GPUs "
        "without bfloat16, on one device.",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"))
    jit_compile: str = option(
        "auto", "Whether XLA compiles the training step, on one device; auto "
        "does not on CPUs, which it slows down, and does on a GPU.",
        choices=("auto", "on", "off"))
    seed: int = option(
        0, "Determines initial weights, order, augmentation and dropout.",
        minimum=0, maximum=2**31 - 1)
    deterministic: bool = option(
        False, "Repeat to the bit, interrupted or not, on the same hardware; "
        "slower. Without it, runs differ by the order of additions.")
    distribute: str = option(
        "none", "Devices: none is one; mirrored all GPUs of this machine; "
        "multiworker all machines that TF_CONFIG names. --batch_size is that "
        "of all of them together.",
        choices=("none", "mirrored", "multiworker"), resumable=True)
    sync_batch_norm: bool = option(
        True, "With --distribute, normalize by the whole batch, as one device "
        "would; otherwise each device by its own share, which saves their "
        "talking to each other and changes what small shares learn.")


@dataclasses.dataclass(frozen=True)
class Reporting:
    """Where the run lives and how often it shows what."""

    workdir: str = option(
        "runs/sample_photos",
        "Folder of the run: flags, checkpoints, event files, pictures, export. "
        "An existing one is resumed.", resumable=True)
    log_every: int = option(
        50, "Updates between two points of the curves.", minimum=1,
        resumable=True)
    sample_every: int = option(
        500, "Updates between two sample grids.", minimum=1, resumable=True)
    eval_every: int = option(
        2000, "Updates between two evaluations; one always ends the run.",
        minimum=1, resumable=True)
    checkpoint_every: int = option(
        1000, "Updates between two checkpoints; one always ends the run.",
        minimum=1, resumable=True)
    keep_checkpoints: int = option(
        3, "How many checkpoints to keep, the newest; the best stays as well.",
        minimum=1, resumable=True)
    best_metric: str = option(
        "ab_l1", "The evaluation's number that tells the best checkpoint.",
        choices=GUIDING, resumable=True)
    judge_weights: str = option(
        "", "A classifier that judges every evaluation by agreement and kl: a "
        ".safetensors file of EfficientNet-Lite0 or Lite2, or imagenet, the "
        "one in the package; another one than --classifier_weights. Empty for "
        "none.", resumable=True)
    profile_steps: str = option(
        "", "FIRST,LAST updates to record for TensorBoard's profile page.",
        resumable=True)
    histograms: bool = option(
        False, "Write histograms of the weights with every sample grid.",
        resumable=True)


@dataclasses.dataclass(frozen=True)
class Config:
    """All hyperparameters of one run, checked against each other."""

    data: Data = Data()
    networks: Networks = Networks()
    training: Training = Training()
    reporting: Reporting = Reporting()

    def __post_init__(self) -> None:
        size = self.data.image_size
        for field, value in self.options():
            _check_bounds(field, value)
        self._check_networks()
        self._check_training()
        if 0 < self.data.resize_size < size:
            raise UserError(
                f"--resize_size={self.data.resize_size} must be at least "
                f"--image_size={size}, or 0")
        if 0 < self.data.max_resize_size < max(self.data.resize_size, size):
            raise UserError(
                f"--max_resize_size={self.data.max_resize_size} must be at "
                f"least --resize_size={self.data.resize_size} and "
                f"--image_size={size}, or 0")
        if self.data.max_resize_size and not self.data.resize_size:
            raise UserError(
                f"--max_resize_size={self.data.max_resize_size} needs a "
                f"--resize_size, the smallest")
        profiled = self.reporting.profile_steps
        if profiled:
            steps = re.fullmatch(r"([1-9]\d*),([1-9]\d*)", profiled)
            if not steps or int(steps[1]) > int(steps[2]):
                raise UserError(
                    f"--profile_steps={profiled} must be two steps, the first "
                    f"and the last to record, such as 10,20")
        if self.training.distribute != "none":
            for name, value in (("precision", "mixed_float16"),
                                ("jit_compile", "on")):
                if getattr(self.training, name) == value:
                    raise UserError(
                        f"--{name}={value} is for one device, and "
                        f"--distribute={self.training.distribute} must be none "
                        f"with it")
        judged_by = self.reporting.judge_weights
        for name, value in (("best_metric", self.reporting.best_metric),
                            ("plateau_metric", self.training.plateau_metric)):
            if value in JUDGED and not judged_by:
                raise UserError(f"--{name}={value} needs --judge_weights")
        if not self.reporting.workdir:
            raise UserError("--workdir must name a folder")

    def _check_networks(self) -> None:
        size, networks = self.data.image_size, self.networks
        if networks.generator == "unet" and size not in (32, 64, 128, 256, 512):
            raise UserError(
                f"--image_size={size} must be a power of two from 32 to 512: "
                f"the U-Net halves it down to one pixel")
        has_encoder = networks.generator in ENCODERS
        if has_encoder and (size % 32 or size < 64):
            raise UserError(
                f"--image_size={size} must be a multiple of 32 from 64 on: "
                f"--generator={networks.generator} halves it five times")
        if networks.encoder_weights and networks.initial_weights:
            raise UserError(
                f"--encoder_weights={networks.encoder_weights} and "
                f"--initial_weights={networks.initial_weights} exclude each "
                f"other: the latter has an encoder")
        if networks.encoder_weights and not has_encoder:
            raise UserError(
                f"--encoder_weights={networks.encoder_weights} needs "
                f"--generator={' or '.join(ENCODERS)}, not "
                f"{networks.generator}")
        if (networks.encoder_weights == "imagenet"
                and networks.generator == "resnet18_unet"
                and networks.base_filters != 64):
            raise UserError(
                f"--encoder_weights=imagenet needs --base_filters=64, not "
                f"{networks.base_filters}")
        if (networks.efficientnet != Networks().efficientnet
                and networks.generator != "efficientnet_unet"):
            raise UserError(
                f"--efficientnet={networks.efficientnet} needs "
                f"--generator=efficientnet_unet, not {networks.generator}")
        if networks.upsampling == "nearest" and not has_encoder:
            raise UserError(
                f"--upsampling=nearest needs "
                f"--generator={' or '.join(ENCODERS)}, not "
                f"{networks.generator}")
        num_layers = networks.discriminator_layers
        step = 2**num_layers
        if networks.discriminator == "patchgan":
            if size % step or size < 3 * step:
                raise UserError(
                    f"--discriminator_layers={num_layers} needs an "
                    f"--image_size that is a multiple of {step} from "
                    f"{3 * step} on, not {size}")
        elif num_layers != 3:
            raise UserError(
                f"--discriminator_layers={num_layers} is of "
                f"--discriminator=patchgan alone, not of "
                f"{networks.discriminator}")

    def _check_training(self) -> None:
        training, networks = self.training, self.networks
        if training.gan_loss == "hinge" and training.label_smoothing:
            raise UserError(
                f"--label_smoothing={training.label_smoothing} needs "
                f"--gan_loss=vanilla or lsgan: hinge has no labels")
        if networks.generator not in ENCODERS:
            for name in ("freeze_encoder", "encoder_rate", "frozen_stages"):
                value = getattr(training, name)
                if value != getattr(Training(), name):
                    given = f"--{name}" + f"={value}" * (value is not True)
                    raise UserError(
                        f"{given} needs --generator={' or '.join(ENCODERS)}, "
                        f"not {networks.generator}")
        defaults = Training()
        for name, (other, is_met, needed) in _NEEDS.items():
            value = getattr(training, name)
            if (value != getattr(defaults, name)
                    and not is_met(getattr(training, other))):
                raise UserError(
                    f"--{name}={value} needs --{other}{needed}, not "
                    f"{getattr(training, other)}")

    def pretrain_steps(self, num_train_examples: int) -> int:
        """Updates without the adversarial loss; --steps may end the run before.
        """
        return self._num_steps(_exact(self.training.pretrain_epochs),
                               num_train_examples)

    def total_steps(self, num_train_examples: int) -> int:
        """Updates of the whole run."""
        training = self.training
        return training.steps or self._num_steps(
            _exact(training.pretrain_epochs) + training.epochs,
            num_train_examples)

    def _num_steps(self, epochs: fractions.Fraction, num_examples: int) -> int:
        return math.ceil(epochs * num_examples / self.data.batch_size)

    def profiled_steps(self) -> tuple[int, int]:
        """The first and the last update to record; (0, 0) for none."""
        first, _, last = (self.reporting.profile_steps or "0,0").partition(",")
        return int(first), int(last)

    def options(self) -> Iterator[tuple[dataclasses.Field, Any]]:
        """Yields every option's field and value, in order."""
        for group in GROUPS:
            values = getattr(self, group)
            for field in dataclasses.fields(values):
                yield field, getattr(values, field.name)

    def hyperparameters(self) -> dict[str, Any]:
        """Every option that is part of what the run is: name -> value."""
        return {field.name: value for field, value in self.options()
                if not field.metadata["resumable"]}


GROUPS = tuple(field.name for field in dataclasses.fields(Config))


# Flags that were dropped, as runs of before have them: with the value that
# made no difference, the only one that can still be read.
DROPPED = {"rarity_weight": "0.0"}


# What an option of Training means nothing without: another one, what that must
# satisfy, and how to say so.
_NEEDS = {
    "pretrain_learning_rate": ("pretrain_epochs", bool, " above 0"),
    "freeze_encoder": ("pretrain_epochs", bool, " above 0"),
    "classifier_weights": ("semantic_weight", bool, " above 0"),
    "lr_decay_start": ("lr_schedule", "linear".__eq__, "=linear"),
    **dict.fromkeys(
        ("plateau_metric", "plateau_factor", "plateau_patience",
         "plateau_floor"),
        ("lr_schedule", "plateau".__eq__, "=plateau")),
}


def _exact(value: float) -> fractions.Fraction:
    """The decimal number that was written on the command line."""
    return fractions.Fraction(repr(value))


def allowed_values(field: dataclasses.Field) -> str:
    """What an option may be, in words; empty where anything goes."""
    low, high = field.metadata["minimum"], field.metadata["maximum"]
    choices = field.metadata["choices"]
    if choices:
        return f"one of {', '.join(choices)}"
    if high is not None:
        return f"from {low} to {high}"
    return "" if low is None else f"at least {low}"


def _check_bounds(field: dataclasses.Field, value: Any) -> None:
    low, high = field.metadata["minimum"], field.metadata["maximum"]
    choices = field.metadata["choices"]
    # Written so that a NaN fails.
    if ((isinstance(value, float) and not math.isfinite(value))
            or (choices and value not in choices)
            or (low is not None and not value >= low)
            or (high is not None and not value <= high)):
        raise UserError(
            f"--{field.name}={value} must be {allowed_values(field)}")


def differing_options(old: Config, new: Config) -> list[str]:
    """What keeps a run from being resumed: one line a differing option.

    Options that may change on resume are left out.
    """
    return [
        f"--{field.name} is {after!r} now and was {before!r}"
        for (field, before), (_, after) in zip(old.options(), new.options())
        if before != after and not field.metadata["resumable"]]
