"""Writes photographs in the layouts that the reference systems train on.

    python -m experiments.reference_data --kind=paired --data=folder:PHOTOS \\
        --output=pairs
    python -m pix2pix_color.fit --data=paired:pairs/gray,pairs/color ...

| --kind | layout |
|---|---|
| paired | gray/N.jpg and color/N.jpg, N counting from 0 |
| kaggle_npy | the arrays of Kaggle's "Image Colorization" |

The arrays have the names, shapes and scaling of Kaggle's (see
data_pipelines.sources.kaggle_npy): center squares of 224 px, two fifths of
them in ab1.npy, two fifths in ab2.npy, the rest in ab3.npy.

Without --data, the photographs are the embedded ones. Only one at a time is in
memory. The work is done in OUTPUT.partial, which is renamed when it is
complete. Unreadable photographs are named and left out.
"""

import os
import shutil
from typing import Callable, Iterator, Sequence

import numpy as np
import tqdm
from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from experiments import command_flags

with command.quiet_tensorflow():
    import tensorflow as tf

    from data_pipelines import augment, color
    from data_pipelines.rejected import RejectedExamples
    from data_pipelines.sources import Source, kaggle_npy, open_source

flags.adopt_module_key_flags(command_flags)

_KAGGLE_SIZE = 224
_JPEG_QUALITY = 95


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    kind = command_flags.parse_kind(_WRITERS)
    output = command_flags.OUTPUT.value
    if not output or os.path.lexists(output):
        raise UserError(f"--output={output} must name a folder that does not "
                        f"exist yet")
    count = write_reference_data(
        kind=kind, data=command_flags.DATA.value, output=output,
        tfds_data_dir=command_flags.TFDS_DATA_DIR.value)
    print(f"{count} photographs in {output}")


def write_reference_data(*, kind: str, data: str, output: str,
                         tfds_data_dir: str = "") -> int:
    """Writes photographs in one of the layouts; returns their number.

    Args:
      kind: `paired` or `kaggle_npy`.
      data: the photographs, a data spec; empty for the embedded ones.
      output: the folder to write; it must not exist.
      tfds_data_dir: folder of the TensorFlow Datasets data sets.

    Raises:
      UserError: too few photographs can be read.
    """
    source = open_source(data or "sample_photos", flag="--data",
                         tfds_data_dir=tfds_data_dir)
    partial = f"{output.rstrip(os.sep)}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        count = _WRITERS[kind](_load_readable(source), len(source), partial)
        os.rename(partial, output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def _load_readable(source: Source) -> Iterator[tf.Tensor]:
    """Yields each readable photograph, uint8 [H, W, 3 or 4]."""
    rejected = RejectedExamples()
    for index in tqdm.trange(len(source), unit="photo", disable=None):
        try:
            photo = source.load(tf.constant(index, tf.int64))
        except tf.errors.OpError:
            rejected.add(source, index)
        else:
            yield photo
    if len(rejected) == len(source):
        raise UserError(f"{source.origin}: none of its {len(source)} "
                        f"photographs can be read")


def _write_paired(photos: Iterator[tf.Tensor], total: int, folder: str) -> int:
    for name in ("gray", "color"):
        os.makedirs(os.path.join(folder, name))
    digits, count = len(str(total - 1)), 0
    for count, photo in enumerate(photos, 1):
        name = f"{count - 1:0{digits}}.jpg"
        for kind, picture in (("gray", color.given_gray(photo)[..., :1]),
                              ("color", photo[..., :3])):
            tf.io.write_file(
                os.path.join(folder, kind, name), tf.io.encode_jpeg(
                    picture, quality=_JPEG_QUALITY, chroma_downsampling=False))
    return count


def _write_kaggle_npy(photos: Iterator[tf.Tensor], total: int,
                      folder: str) -> int:
    most = 2 * total // 5
    if not most:
        raise UserError(f"--data: {total} photographs are too few for three "
                        f"arrays; at least 3 are needed")
    square = (_KAGGLE_SIZE, _KAGGLE_SIZE)
    sizes = (most, most, total - 2 * most)
    paths = [os.path.join(folder, name) for name in
             (kaggle_npy.LIGHTNESS_FILE, *kaggle_npy.AB_FILES)]
    for path in paths:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    lightness, *parts = (
        np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        for path, shape in zip(paths, (
            (total, *square), *((size, *square, 2) for size in sizes))))
    count = 0
    for count, photo in enumerate(photos, 1):
        lab = color.rgb_to_opencv_lab(augment.center_square(
            photo[..., :3], image_size=_KAGGLE_SIZE)).numpy()
        part, place = (divmod(count - 1, most) if count <= 2 * most
                       else (2, count - 1 - 2 * most))
        lightness[count - 1] = lab[..., 0]
        parts[part][place] = lab[..., 1:]
    if count <= 2 * most:
        raise UserError(f"--data: only {count} of {total} photographs can be "
                        f"read, too few for three arrays")
    for values in (lightness, *parts):
        values.flush()
    if count < total:
        _shorten(paths[0], count)
        _shorten(paths[-1], count - 2 * most)
    return count


def _shorten(path: str, rows: int) -> None:
    """Cuts an array file to its first rows; the file is mapped, not read."""
    with open(f"{path}.shorter", "wb") as file:
        np.save(file, np.load(path, mmap_mode="r")[:rows])
    os.replace(f"{path}.shorter", path)


_WRITERS: dict[str, Callable[[Iterator[tf.Tensor], int, str], int]] = {
    "paired": _write_paired, "kaggle_npy": _write_kaggle_npy}


if __name__ == "__main__":
    flags.set_default(command_flags.KIND, "paired")
    command.run(main)
