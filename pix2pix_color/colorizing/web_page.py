"""A web page that colors photographs, on Gradio.

A photograph stays in the memory of its visitor's session and nowhere else: the
upload is deleted once it is read, and results reach the browser within the
page.
"""

import dataclasses
import hashlib
import html
import os
from typing import Optional, Sequence

import gradio
import numpy as np
from PIL import Image

from data_pipelines.data_uri import data_uri, jpeg_data_uri
from pix2pix_color.colorizing.photograph import (NoPhotographError, Photograph,
                                                 read_photograph,
                                                 write_photograph)
from pix2pix_color.saved_model.load import LoadedModel, gray_of
from pix2pix_color.saved_model.recolor import ChromaField

# The slider's largest side, pixels; the download has full size.
_SHOWN_SIDE = 1600
# Seconds after which an idle session's photograph is forgotten.
_FORGOTTEN_AFTER = 900
_MAX_ALTERNATIVE = 20
_DROP = "Drop, paste or choose a photograph."

_SLIDER = """
<div class="compare" style="position:relative;line-height:0">
<img alt="without color" src="{gray}" style="width:100%">
<img alt="with color" src="{color}" style="width:100%;position:absolute;left:0;
top:0;clip-path:inset(0 50% 0 0)"><input type="range" min="0" max="100"
value="50" aria-label="how much is shown in color" style="width:100%;
position:absolute;left:0;bottom:8px" oninput="this.previousElementSibling
.style.clipPath='inset(0 '+(100-this.value)+'% 0 0)'"></div>
<p><a class="download" download="{name}" href="{full}">Download, {width} x
{height} pixels</a></p>"""


@dataclasses.dataclass
class _Seen:
    """A session's photograph and its chroma."""

    photograph: Photograph
    name: str
    field: ChromaField
    alternative: int


def build_page(model: LoadedModel, *, max_pixels: int,
               examples: Sequence[str] = ()) -> gradio.Blocks:
    """Builds the page.

    Args:
      model: the colorizer.
      max_pixels: height times width of the largest image that is decoded.
      examples: paths of photographs to try.
    """
    kept = set()
    for path in examples:
        with open(path, "rb") as file:
            kept.add(hashlib.sha256(file.read()).digest())

    def color(path: Optional[str], saturation: float, alternative: int,
              seen: Optional[_Seen]) -> tuple[Optional[_Seen], str]:
        if path is not None:
            photograph = read_upload(path, max_pixels, kept)
            stem = os.path.splitext(os.path.basename(path))[0]
            seen = _Seen(photograph, f"{stem}_colorized.png",
                         _field(model, photograph.rgb, int(alternative)),
                         int(alternative))
        if seen is None:
            raise gradio.Error(_DROP, print_exception=False)
        if seen.alternative != alternative:
            seen = dataclasses.replace(
                seen, alternative=int(alternative), field=_field(
                    model, seen.photograph.rgb, int(alternative)))
        return seen, _show(model, seen, saturation)

    with gradio.Blocks(title="pix2pix_color", analytics_enabled=False,
                       delete_cache=(60, _FORGOTTEN_AFTER)) as page:
        gradio.Markdown("# Give a photograph its colors back\n" + _DROP)
        seen = gradio.State(None, time_to_live=_FORGOTTEN_AFTER)
        with gradio.Row():
            with gradio.Column(scale=1):
                upload = gradio.Image(
                    type="filepath", sources=["upload", "clipboard"],
                    label="Photograph", elem_id="photograph")
                # Otherwise Gradio would check the file before we do.
                setattr(upload, "preprocess",
                        lambda payload: payload and payload.path)
                saturation = gradio.Slider(
                    0.0, 2.0, value=1.0, step=0.05, label="Saturation")
                alternative = gradio.Slider(
                    0, _MAX_ALTERNATIVE, value=0, step=1, label="Alternative",
                    info="0 is the answer without noise",
                    visible=model.has_noise)
                if examples:
                    gradio.Examples([[path] for path in examples], upload)
            with gradio.Column(scale=2):
                result = gradio.HTML(elem_id="result")
        settings = [saturation, alternative, seen]
        nothing = gradio.State(None)
        upload.change(
            lambda path, *rest: (rest[-1], "") if path is None
            else color(path, *rest), [upload, *settings], [seen, result],
            api_visibility="private")
        for slider in (saturation, alternative):
            slider.release(color, [nothing, *settings], [seen, result],
                           api_visibility="private")
    return page


def theme() -> gradio.themes.Base:
    """Returns a theme of local fonts: nothing is fetched from elsewhere."""
    return gradio.themes.Default(font=["system-ui", "sans-serif"],
                                 font_mono=["monospace"])


def read_upload(path: str, max_pixels: int, kept: set[bytes]) -> Photograph:
    """Reads a file and deletes it, unless its SHA-256 is among kept."""
    with open(path, "rb") as file:
        image_bytes = file.read()
    if hashlib.sha256(image_bytes).digest() not in kept:
        os.remove(path)
    try:
        return read_photograph(image_bytes, max_pixels=max_pixels)
    except NoPhotographError as error:
        raise gradio.Error(f"This file cannot be colored: {error}",
                           print_exception=False) from error


def _field(model: LoadedModel, rgb: np.ndarray,
           alternative: int) -> ChromaField:
    return model.predict_field(rgb, seed=alternative or None)


def _show(model: LoadedModel, seen: _Seen, saturation: float) -> str:
    rgb = seen.photograph.rgb
    colored = model.recolor(rgb, seen.field.scaled(saturation))
    full = write_photograph(dataclasses.replace(seen.photograph, rgb=colored),
                            file_format="png")
    height, width = rgb.shape[:2]
    return _SLIDER.format(
        gray=jpeg_data_uri(gray_of(_reduced(rgb))),
        color=jpeg_data_uri(_reduced(colored)), full=data_uri("png", full),
        name=html.escape(seen.name), width=width, height=height)


def _reduced(rgb: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(rgb)
    picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    return np.asarray(picture)
