"""Pictures as data URIs, for HTML pages that need no other file."""

import base64
import io

import numpy as np
from PIL import Image

_JPEG_QUALITY = 90


def data_uri(file_format: str, content: bytes) -> str:
    """Makes a data URI of an image file, such as `png` and its bytes."""
    return (f"data:image/{file_format};base64,"
            f"{base64.b64encode(content).decode()}")


def jpeg_data_uri(rgb: np.ndarray) -> str:
    """Encodes a picture, uint8 [H, W, 3], as the data URI of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=_JPEG_QUALITY,
                              subsampling=0)
    return data_uri("jpeg", file.getvalue())
