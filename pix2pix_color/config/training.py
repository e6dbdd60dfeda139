"""Options of the losses, the optimizers and the length of training."""

import dataclasses

from pix2pix_color.config.option import option
from pix2pix_color.metric_names import GUIDING


@dataclasses.dataclass(frozen=True)
class Training:
    """Losses, optimizers, duration and devices."""

    epochs: int = option(
        200, "Passes through the training photographs, after "
        "--pretrain_epochs. --steps overrides it.", minimum=1, resumable=True)
    steps: int = option(
        0, "Total updates of the run, including pretraining and updates before "
        "a resume. 0: determined by --epochs.", minimum=0, resumable=True)
    pretrain_epochs: float = option(
        0.0, "Passes through the photographs without the adversarial loss, "
        "before --epochs. The discriminator is not trained.", minimum=0.0)
    pretrain_learning_rate: float = option(
        1e-4, "Adam's learning rate during --pretrain_epochs. The generator's "
        "Adam state is reset after them.", minimum=0.0)
    freeze_encoder: bool = option(
        False, "Do not train the encoder during --pretrain_epochs.")
    encoder_rate: float = option(
        1.0, "The encoder's learning rate as a fraction of the other layers'. "
        "0: the encoder is not trained.", minimum=0.0, maximum=1.0)
    frozen_stages: int = option(
        0, "Encoder stages that are not trained, counted from the input, of 5 "
        "in ResNet-18 and 8 in EfficientNet-Lite. The first ones cost the most "
        "time. Above 0, no depthwise kernel is trained, because their "
        "gradients are slow on a CPU.", minimum=0, maximum=8)
    gan_loss: str = option(
        "vanilla", "Adversarial loss. vanilla: cross-entropy. lsgan: squared "
        "distance to the label. hinge: a margin.",
        choices=("vanilla", "lsgan", "hinge"))
    gan_weight: float = option(
        0.03, "Weight of the adversarial loss in the generator's loss; "
        "pix2pix: 1. 0: the discriminator is not trained and its flags have no "
        "effect.", minimum=0.0)
    label_smoothing: float = option(
        0.0, "Subtracted from the label 1 of real photographs when the "
        "discriminator is trained.", minimum=0.0, maximum=0.5)
    l1_weight: float = option(
        20.0, "Weight of the L1 loss in the generator's loss; pix2pix: 100.",
        minimum=0.0)
    psnr_weight: float = option(
        1.0, "Weight in the generator's loss of each decibel of PSNR below 40; "
        "pix2pix: 0.", minimum=0.0)
    colorfulness_weight: float = option(
        0.17, "Weight in the generator's loss of the difference between a "
        "batch's mean colorfulness and that of its photographs; pix2pix: 0.",
        minimum=0.0)
    semantic_weight: float = option(
        0.0, "Weight in the generator's loss, after --pretrain_epochs, of how "
        "differently a classifier responds to photographs and their colorized "
        "versions; pix2pix: 0.", minimum=0.0)
    classifier_weights: str = option(
        "imagenet", "Classifier of --semantic_weight: a .safetensors file of "
        "EfficientNet-Lite0 or Lite2, or imagenet for the one in the package. "
        "Evaluate with a different --judge_weights.", holds="path")
    learning_rate: float = option(
        2e-4, "Adam's learning rate for the generator.", minimum=0.0)
    discriminator_learning_rate: float = option(
        2e-4, "Adam's learning rate for the discriminator.", minimum=0.0)
    discriminator_steps: float = option(
        1.0, "Discriminator updates per generator update. 0.5: one every "
        "second time. 2: two, on the same photographs.", minimum=0.01)
    lr_schedule: str = option(
        "linear", "Schedule of both learning rates after --pretrain_epochs. "
        "linear: they decrease to zero at the last update. plateau: they are "
        "reduced whenever evaluations stop improving.",
        choices=("constant", "linear", "plateau"))
    lr_decay_start: float = option(
        0.5, "Share of the updates after --pretrain_epochs at which "
        "--lr_schedule=linear begins to decrease. Changing --epochs moves it.",
        minimum=0.0, maximum=1.0)
    plateau_metric: str = option(
        "ab_l1", "Evaluation metric watched by --lr_schedule=plateau.",
        choices=GUIDING)
    plateau_factor: float = option(
        0.5, "Factor by which --lr_schedule=plateau multiplies the learning "
        "rates.", minimum=0.0, maximum=1.0)
    plateau_patience: int = option(
        3, "Consecutive evaluations without a new best before "
        "--lr_schedule=plateau reduces the learning rates.", minimum=1)
    plateau_floor: float = option(
        1e-6, "Lowest learning rate of --lr_schedule=plateau.", minimum=0.0)
    ema_decay: float = option(
        0.999, "Decay of the moving average of the generator's weights. The "
        "average, not the raw weights, is evaluated, sampled and exported. "
        "0.999 averages over about 1000 updates. 0: no average.", minimum=0.0,
        maximum=0.999999)
    precision: str = option(
        "auto", "Arithmetic of the networks. auto: mixed_bfloat16 if the "
        "hardware supports it, otherwise float32. mixed_float16 is for one GPU "
        "without bfloat16.",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"))
    jit_compile: str = option(
        "auto", "Compile the training step with XLA, on one device only. auto: "
        "on for a GPU; off for a CPU, where it is slower.",
        choices=("auto", "on", "off"))
    seed: int = option(
        0, "Determines initial weights, order, augmentation and dropout.",
        minimum=0, maximum=2**31 - 1)
    deterministic: bool = option(
        False, "Give bit-identical results on the same hardware, interrupted "
        "or not. Slower. Otherwise runs differ by the order of additions.")
    distribute: str = option(
        "none", "Devices. none: one. mirrored: all GPUs of this machine. "
        "multiworker: all machines listed in TF_CONFIG.",
        choices=("none", "mirrored", "multiworker"), resumable=True)
    sync_batch_norm: bool = option(
        True, "With --distribute, compute batch norm over the whole batch. "
        "Otherwise each device uses only its own share, which saves "
        "communication but changes results when shares are small.")
