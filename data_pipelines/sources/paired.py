"""`paired:GRAY_DIR,COLOR_DIR`: gray and color photographs in two folders."""

import os
import unicodedata

import tensorflow as tf
from absl import logging
from PIL import ExifTags, Image

from data_pipelines import color, data_spec, decode_file
from data_pipelines.errors import UserError
from data_pipelines.sources import source
from data_pipelines.sources.name_list import NameList

# Number of pairs whose sizes are compared before training, and of names that
# a warning lists.
_SIZES_CHECKED = 100
_NAMES_SHOWN = 5


def open_paired(directories: str, *, origin: str) -> source.Source:
    """Pairs the files of two folders by their relative path.

    The extension is ignored: gray/a/1.png belongs to color/a/1.jpg. So is the
    Unicode form, in which macOS and other systems differ: an é of one character
    or of two. An example
    is the color photograph with the gray one as a fourth channel, and its
    identity is the color file's path. Files without a partner are left out and
    reported. If the sizes of a pair differ, the gray photograph is resized,
    which is reported too.

    Args:
      directories: both folders, separated by a comma; data_spec.py checks it.
      origin: the flag and data spec, for messages.

    Raises:
      UserError: a folder is missing, two files of one folder differ only in
        their extension or Unicode form, or there is no pair.
    """
    gray_dir, _, color_dir = directories.partition(",")
    gray_files = _by_stem(gray_dir, origin)
    color_files = _by_stem(color_dir, origin)
    stems = [stem for stem in color_files if stem in gray_files]
    if not stems:
        raise UserError(
            f"{origin}: {gray_dir!r} and {color_dir!r} have no file of the "
            f"same path, apart from the extension")
    _report_unpaired(gray_files, color_files, origin)
    gray_names = NameList(gray_files[stem] for stem in stems)
    color_names = NameList(color_files[stem] for stem in stems)
    _report_sizes(gray_dir, gray_names, color_dir, color_names, origin)

    def load(index):
        def read(directory, names):
            path = tf.strings.join([directory, names.at(index)], separator="/")
            return decode_file.decode_file(tf.io.read_file(path))

        rgb = read(color_dir, color_names)
        gray = color.luma(read(gray_dir, gray_names))
        resized = tf.image.resize(gray, tf.shape(rgb)[:2], antialias=True)
        gray = tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)
        return tf.concat([rgb, gray], axis=-1)

    return source.Source(origin=origin, identities=color_names, load=load,
                         channels=4)


def _by_stem(directory, origin):
    files: dict[str, str] = {}
    for name in data_spec.list_images(directory, origin=origin):
        stem = unicodedata.normalize("NFC", os.path.splitext(name)[0])
        if stem in files:
            raise UserError(
                f"{origin}: {files[stem]!r} and {name!r} in {directory!r} "
                f"differ only in their extension or Unicode form, so neither "
                f"can be paired")
        files[stem] = name
    return files


def _report_unpaired(gray_files, color_files, origin):
    for files, others, what in ((gray_files, color_files, "gray"),
                                (color_files, gray_files, "color")):
        alone = [name for stem, name in files.items() if stem not in others]
        if alone:
            more = ", ..." if len(alone) > _NAMES_SHOWN else ""
            logging.warning(
                "%s: %d %s file(s) without a partner are left out: %s%s",
                origin, len(alone), what, ", ".join(alone[:_NAMES_SHOWN]), more)


def _report_sizes(gray_dir, gray_names, color_dir, color_names, origin):
    differing = []
    for gray, colored in list(zip(gray_names, color_names))[:_SIZES_CHECKED]:
        try:
            if (_upright_size(os.path.join(gray_dir, gray))
                    != _upright_size(os.path.join(color_dir, colored))):
                differing.append(colored)
        except (OSError, Image.DecompressionBombError):
            continue  # the pipeline will report it
    if differing:
        logging.warning(
            "%s: of the first %d pairs %d differ in size, %s first; the gray "
            "photograph is resized to the color one's", origin,
            min(_SIZES_CHECKED, len(gray_names)), len(differing), differing[0])


def _upright_size(path):
    with Image.open(path) as image:
        is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        return image.size[::-1] if is_turned else image.size
