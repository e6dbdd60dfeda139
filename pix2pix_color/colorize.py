"""Colors photographs: python -m pix2pix_color.colorize --model=M FILE...

Writes NAME_colorized.png beside each FILE, or into --output_dir: the same
size, the same lightness, with color. Nothing that exists is overwritten. A
file that cannot be read is named at the end, with exit code 1, while the
others are done.
"""

import collections
import os
import sys
from typing import Sequence

import tqdm
from absl import flags

from data_pipelines import command
from pix2pix_color import cli
from pix2pix_color.config import ConfigError

_MODEL = flags.DEFINE_string(
    "model", "",
    "A SavedModel, a directory of its versions, or the folder of a run.")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", "", "Where the pictures go; empty is beside each file.")


def main(arguments: Sequence[str]) -> None:
    paths = arguments[1:]
    if not paths:
        raise ConfigError("no photograph was named: colorize --model=M FILE...")
    outputs = _output_paths(paths, _OUTPUT_DIR.value)
    client = command.load("pix2pix_color.serving.client")
    colorize = client.load(_MODEL.value)
    if _OUTPUT_DIR.value:
        os.makedirs(_OUTPUT_DIR.value, exist_ok=True)

    failed = []
    for path, output in zip(tqdm.tqdm(paths, unit="photo", disable=None),
                            outputs):
        try:
            client.colorize_file(colorize, path, output)
        except OSError as error:
            failed.append(f"{error.filename}: {error.strerror}")
        except client.NoImageError:
            failed.append(f"{path}: no image that can be read (JPEG, PNG, "
                          f"BMP, GIF or WebP)")
        else:
            tqdm.tqdm.write(output)  # above the progress bar
    if failed:
        sys.exit("error: " + "\nerror: ".join(failed))


def _output_paths(paths: Sequence[str], output_dir: str) -> list[str]:
    outputs = []
    for path in paths:
        stem = os.path.splitext(os.path.basename(path))[0]
        directory = output_dir or os.path.dirname(path)
        outputs.append(os.path.join(directory, f"{stem}_colorized.png"))
    for output in outputs:
        if os.path.lexists(output):
            raise ConfigError(
                f"{output} exists and is not overwritten; remove it, or name "
                f"another --output_dir")
    output, count = collections.Counter(
        map(os.path.realpath, outputs)).most_common(1)[0]
    if count > 1:
        raise ConfigError(
            f"two of the photographs would be written to {output}; color "
            f"them in two calls with different --output_dir")
    return outputs


if __name__ == "__main__":
    cli.run(main)
