"""Makes a run the trained colorizer of the package, with its card.

    python -m experiments.ship_colorizer --run=runs/colorizer \
        --data=folder:data/photos/val \
        --judge_weights=data/weights/efficientnet_lite2.safetensors

Writes pix2pix_color/colorizer/: the averaged generator's weights in float16,
and model_card.json. The card's numbers are those of the files just written, at
128 and 256 px and on degraded photographs, each as `colorize` answers, and the
same on the embedded photographs, which a test holds the colorizer to.
"""

import hashlib
import json
import os
from typing import Any, Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import InputError
from data_pipelines.specs import SPECS
from pix2pix_color import cli
from pix2pix_color.files import write_atomically

_RUN = flags.DEFINE_string("run", "", "Folder of the run that has ended.")
_DATA = flags.DEFINE_string(
    "data", "", f"Photographs that the card's numbers are of: {SPECS}.")
_JUDGE_WEIGHTS = flags.DEFINE_string(
    "judge_weights", "", "The judge of agreement and kl, a file that no loss "
    "of the run knows.")

_NOTES = "card_notes.json"
_SIZES = (128, 256)


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    for name in ("run", "data", "judge_weights"):
        if not getattr(flags.FLAGS, name):
            raise InputError(f"--{name} must be given")
    exporting = command.load("pix2pix_color.training.exporting")
    trained = command.load("pix2pix_color.serving.trained")
    weights_file = command.load("pix2pix_color.networks.weights_file")
    folder, config, state, _ = exporting.restore(_RUN.value,
                                                 checkpoint="latest")
    text = cli.config_to_text(config)
    generator = state.served_generator(config)
    content = weights_file.to_bytes(generator, flags=text)
    facts = folder.read_run_json()
    card: dict[str, Any] = {
        "image_size": config.data.image_size,
        "has_noise": False,
        "color_space": config.networks.color_space,
        "parameters": generator.count_params(),
        "activation_bytes": command.load(
            "pix2pix_color.serving.saved_model").activation_bytes(generator),
        "architecture": f"{config.networks.generator} on EfficientNet-"
                        f"{config.networks.efficientnet.capitalize()}, see "
                        f"pix2pix_color/networks/encoder_unet.py",
        "step": state.step_number,
        "trained_on": f"{facts['data']['train_photographs']} photographs from "
                      f"public research collections",
        "photographs_seen": state.step_number * config.data.batch_size,
        "encoder": "ImageNet weights of EfficientNet-Lite, Apache-2.0, see "
                   "NOTICE",
        "flags": text.splitlines()[1:-1],
        "command": "python -m experiments.ship_colorizer --run=RUN --data="
                   "SPEC --judge_weights=FILE, of a run of experiments/"
                   "colorizer.flags",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    trained.DIRECTORY.mkdir(exist_ok=True)
    write_atomically(str(trained.WEIGHTS), content)
    _write(trained.CARD, card)

    scoring = command.load("pix2pix_color.serving.scoring")
    model = command.load("pix2pix_color.serving.client").Model(trained.NAME)
    card["metrics"] = {}
    for name, spec in (("held_out", _DATA.value),
                       ("embedded", "sample_photos")):
        source = scoring.open_data(spec, tfds_data_dir="")
        for size in _SIZES:
            for degraded in (False, True):
                score = scoring.Score(model, source, image_size=size,
                                      degraded=degraded,
                                      judge_weights=_JUDGE_WEIGHTS.value)
                title = f"{name}_{size}px" + "_degraded" * degraded
                card["metrics"][title] = {
                    "judge": score.to_json()["judge"],
                    **_rounded(score.result.to_json())}
                print(title, scoring.table(score.result), sep="\n", flush=True)
    notes = os.path.join(os.path.dirname(__file__), _NOTES)
    with open(notes, encoding="utf-8") as file:
        card |= json.load(file)
    _write(trained.CARD, card)
    print(f"{trained.WEIGHTS}: {len(content):,} bytes")


def _write(path, card: dict[str, Any]) -> None:
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    write_atomically(str(path), text.encode())


def _rounded(value: Any) -> Any:
    """Numbers with four digits after the point, whatever holds them."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    cli.run(main)
