"""Colors photographs in a browser: python -m pix2pix_color.demo --model=M.

Drop a photograph, compare with the slider, download the result at full
resolution. Only this machine can reach the page unless --host says otherwise.
Needs Gradio, the extra `demo`.
"""

import errno
import importlib.util
import os
import socket
import tempfile
from typing import Sequence

from absl import flags

from data_pipelines import command
from data_pipelines.errors import UserError
from pix2pix_color import model_flag

_MODEL = model_flag.define_model()
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen on; 0.0.0.0 is every network.")
_PORT = flags.DEFINE_integer("port", 7860, "Port to listen on.",
                             lower_bound=1, upper_bound=65535)
_MAX_PIXELS = command.define_max_pixels()
_MAX_UPLOAD_MB = flags.DEFINE_integer(
    "max_upload_mb", 50, "Largest file that can be uploaded, megabytes.",
    lower_bound=1)

_NUM_EXAMPLES = 8


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    if importlib.util.find_spec("gradio") is None:
        raise UserError("The page needs Gradio: pip install "
                        "'pix2pix_color[demo]'")
    _require_free(_HOST.value, _PORT.value)
    with tempfile.TemporaryDirectory() as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_OFFLINE"] = "1"
        with command.quiet_tensorflow():
            from data_pipelines.sources import sample_photos
            from pix2pix_color.colorizing import web_page
            from pix2pix_color.saved_model.load import LoadedModel
        names = sorted(name for name in os.listdir(sample_photos.DIRECTORY)
                       if name.endswith(".jpg"))
        page = web_page.build_page(
            LoadedModel(_MODEL.value), max_pixels=_MAX_PIXELS.value,
            examples=[os.path.join(sample_photos.DIRECTORY, name) for name in
                      names[::max(1, len(names) // _NUM_EXAMPLES)]])
        try:
            page.launch(
                server_name=_HOST.value, server_port=_PORT.value, share=False,
                max_file_size=f"{_MAX_UPLOAD_MB.value}mb",
                theme=web_page.theme(), footer_links=[], quiet=True,
                prevent_thread_lock=True)
        except OSError as error:  # Gradio needs the port on this machine too
            raise UserError(_in_use("127.0.0.1", _PORT.value)) from error
        print(f"http://{_HOST.value}:{_PORT.value}  (Ctrl-C to stop)",
              flush=True)
        page.block_thread()


def _require_free(host: str, port: int) -> None:
    """Raises UserError if an address cannot be listened on."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(_in_use(host, port)) from error
        raise UserError(f"--host={host} --port={port} cannot be listened on: "
                        f"{error.strerror}") from error


def _in_use(host: str, port: int) -> str:
    return (f"--port={port} is in use on {host}, perhaps by another demo; stop "
            f"that one or choose another --port")


if __name__ == "__main__":
    command.run(main)
