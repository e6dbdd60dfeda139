"""Turns a run into the trained colorizer of the package, with its card.

    python -m experiments.ship_colorizer --run=runs/colorizer \
        --data=folder:data/photos/val \
        --judge_weights=data/weights/efficientnet_lite2.safetensors

Writes pix2pix_color/colorizer/: the averaged generator's weights in float16,
and model_card.json. The card holds evaluations of exactly these files as
`colorize` uses them, each at 128 and 256 px:

- of --data, clean and degraded, and clean with float32 weights to compare;
- of the embedded photographs, clean and degraded; a test checks these numbers;
- of --data at 128 px with 0 to 100 color hints (experiments/hints_curve.py).

With --head_run the head for likely colors is that of a second run, which went
on from the first; all other weights are the first one's.

The package does not change before all is measured.
"""

import dataclasses
import json
import os
import pathlib
import tempfile
from typing import Any, Sequence

import numpy as np
from absl import flags

from data_pipelines import command
from data_pipelines.command import DATA_SPECS
from data_pipelines.errors import UserError
from pix2pix_color import config_flags
from pix2pix_color.config import Config

with command.quiet_tensorflow():
    import keras

    from experiments import measure_hints
    from pix2pix_color import networks
    from pix2pix_color.evaluation import of_saved_model
    from pix2pix_color.networks import (efficientnet_weights, encoder_unet,
                                        weights_file)
    from pix2pix_color.saved_model import trained
    from pix2pix_color.saved_model.load import LoadedModel
    from pix2pix_color.saved_model.write import activation_bytes
    from pix2pix_color.training.restore import restore_run

_RUN = command.define_path("run", "", "Folder of a run that has ended.")
_DATA = command.define_data(
    "data", "", f"Photographs to evaluate on: {DATA_SPECS}.")
_JUDGE_WEIGHTS = command.define_path(
    "judge_weights", "", "Weights file of the classifier that measures "
    "agreement and kl; not the one of the run's semantic loss.")
_CHROMA_GAIN = flags.DEFINE_float(
    "chroma_gain", 1.0, "Factor of the last layer's weights: below 1 for paler "
    "colors, above 1 for more vivid ones.", lower_bound=0.0, upper_bound=10.0)

_PHOTOGRAPHS = flags.DEFINE_integer(
    "photographs", 0, "Number of different photographs that it was trained on, "
    "for the card, where some were shown more often; 0: the run's number.",
    lower_bound=0)

_HEAD_RUN = command.define_path(
    "head_run", "", "Folder of a run of the same network with --hints, whose "
    "head for likely colors to take; empty: --run's own, if it has one.")

_NOTES = os.path.join(os.path.dirname(__file__), "card_notes.json")
_SIZES = (128, 256)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    for name in ("run", "data", "judge_weights"):
        if not getattr(flags.FLAGS, name):
            raise UserError(f"--{name} must be given")
    sources = {name: of_saved_model.open_data(spec, tfds_data_dir="")
               for name, spec in (("held_out", _DATA.value),
                                  ("embedded", "sample_photos"))}
    folder, config, state, _ = restore_run(_RUN.value, checkpoint="latest")
    generator = state.served_generator(config)
    if _HEAD_RUN.value:
        generator, config = with_head(generator, config, _HEAD_RUN.value)
    output = generator.get_layer("output")
    output.set_weights([_CHROMA_GAIN.value * weight
                        for weight in output.get_weights()])
    text = config_flags.config_to_text(config)
    card = _describe(folder, config, state, generator, text)
    card["metrics"] = {}
    content = {half: weights_file.generator_to_bytes(
        generator, flags=text, half=half) for half in (True, False)}
    with tempfile.TemporaryDirectory() as directory:
        for half, ending in ((True, ""), (False, "_float32")):
            path = pathlib.Path(directory, f"colorizer{ending}")
            trained.write_trained(path, content[half], card)
            model = LoadedModel(path)
            for name, size, degraded in _measurements(half):
                score = of_saved_model.Score(
                    model, sources[name], image_size=size, degraded=degraded,
                    judge_weights=_JUDGE_WEIGHTS.value)
                title = (f"{name}_{size}px" + "_degraded" * degraded + ending)
                card["metrics"][title] = {
                    "judge": score.to_json()["judge"],
                    **_rounded(score.result.to_json())}
                print(title, of_saved_model.result_table(score.result),
                      sep="\n", flush=True)
        model = LoadedModel(pathlib.Path(directory, "colorizer"))
        if model.takes_hints:
            card["hints"] = measure_hints.measure(model, data=_DATA.value)
            print(json.dumps(card["hints"], indent=1), flush=True)
    with open(_NOTES, encoding="utf-8") as file:
        card |= json.load(file)
    trained.write_trained(trained.DIRECTORY, content[True], card)
    print(f"{trained.DIRECTORY}: {len(content[True]):,} bytes of weights")


def with_head(generator: keras.Model, config: Config,
              head_run: str) -> tuple[keras.Model, Config]:
    """Adds another run's head for likely colors to a generator.

    Args:
      generator: the generator; a head of its own is replaced.
      config: its flags.
      head_run: the folder of a run of the same network with --hints.

    Returns:
      A generator with the head, and its flags.

    Raises:
      UserError: the run has no head, or is another network's.
    """
    state = restore_run(head_run, checkpoint="latest",
                        flag="--head_run").state
    heads = weights_file.named_variables(state.inference_generator)
    config = dataclasses.replace(config, networks=dataclasses.replace(
        config.networks, hints=True))
    own = weights_file.named_variables(generator)
    whole = networks.build_generator(config, precision="float32")
    tensors = {}
    for name, variable in weights_file.named_variables(whole).items():
        layer = name.partition("/")[0]
        if layer == encoder_unet.BINS_HEAD:
            if name not in heads:
                raise UserError(f"--head_run={head_run} was trained without "
                                f"--hints")
            tensors[name] = heads[name].numpy()
        elif encoder_unet.is_for_hints(layer):
            # Colorizing never gives the decoder hints.
            tensors[name] = np.zeros(variable.shape, np.float32)
        elif name in own:
            tensors[name] = own[name].numpy()
    weights_file.assign_weights(whole, tensors, origin="--run")
    return whole, config


def _measurements(half: bool):
    """Yields source, size, and whether degraded, of each evaluation."""
    for name in ("held_out", "embedded"):
        for size in _SIZES:
            for degraded in (False, True):
                if half or (name == "held_out" and not degraded):
                    yield name, size, degraded


def _describe(folder: Any, config: Any, state: Any, generator: Any,
              text: str) -> dict[str, Any]:
    """Returns the card without metrics, hash and notes."""
    facts = folder.read_run_json()
    photographs = (_PHOTOGRAPHS.value
                   or facts["data"]["train_photographs"])
    pleased = config.training.classifier_weights
    return {
        "image_size": config.data.image_size,
        "has_noise": False,
        "takes_hints": (generator.name == encoder_unet.EFFICIENTNET_UNET),
        "offers_likely_colors": encoder_unet.has_hint_inputs(generator),
        "color_space": config.networks.color_space,
        "parameters": generator.count_params(),
        "activation_bytes": activation_bytes(generator),
        "architecture": f"{config.networks.generator} on EfficientNet-"
                        f"{config.networks.efficientnet.capitalize()}, see "
                        f"pix2pix_color/networks/encoder_unet.py",
        "encoder": "ImageNet weights of EfficientNet-Lite, Apache-2.0, see "
                   "NOTICE",
        "trained_on": f"{photographs} photographs from public research "
                      f"collections",
        "step": state.step_number,
        "photographs_seen": state.step_number * config.data.batch_size,
        "loss_classifier": efficientnet_weights.load_classifier(
            efficientnet_weights.find_weights(
                pleased, flag="--classifier_weights"),
            flag="--classifier_weights").name
        if config.training.semantic_weight else None,
        "flags": text.splitlines()[1:-1],
        "command": "python -m experiments.ship_colorizer --run=RUN "
                   f"--data=SPEC --judge_weights=FILE "
                   f"--chroma_gain={_CHROMA_GAIN.value:g}"
                   f"{' --head_run=RUN' * bool(_HEAD_RUN.value)}, of a run of "
                   f"experiments/{os.path.basename(_RUN.value)}.flags",
    }


def _rounded(value: Any) -> Any:
    """Rounds all numbers in nested containers to four decimals."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    command.run(main)
