"""Colors photographs in a browser: python -m pix2pix_color.demo --model=M.

Open a photograph, click where a color is wrong and choose another one, download
the result at full size. Only this machine can reach the page unless --host says
otherwise. Needs the extra `demo`.
"""

import errno
import importlib.util
import ipaddress
import socket
from typing import Sequence

from absl import flags

from data_pipelines import command, extras
from data_pipelines.errors import UserError
from pix2pix_color import model_flag
from pix2pix_color.saved_model import find

_MODEL = model_flag.define_model()
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen on; 0.0.0.0 is every network.")
_PORT = flags.DEFINE_integer("port", 7860, "Port to listen on.",
                             lower_bound=1, upper_bound=65535)
_MAX_PIXELS = command.define_max_pixels()
_MAX_UPLOAD_MB = flags.DEFINE_integer(
    "max_upload_mb", 50, "Largest file that can be uploaded, megabytes.",
    lower_bound=1)

# Connections at once; more are told to come back.
_MAX_CONNECTIONS = 200


def main(arguments: Sequence[str]) -> None:
    command.refuse_arguments(arguments)
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"The page needs {package}: "
                            + extras.how_to_install("demo"))
    find.find_card(_MODEL.value)
    with _listen(_HOST.value, _PORT.value) as listening:
        address = listening.getsockname()[0]
        with command.quiet_tensorflow():
            import uvicorn

            from data_pipelines.sources import sample_photos
            from pix2pix_color.colorizing import web_page
            from pix2pix_color.saved_model.load import LoadedModel
        model = LoadedModel(_MODEL.value)
        web_page.warm_up(model)
        app = web_page.build_app(
            model, examples=sample_photos.DIRECTORY,
            max_pixels=_MAX_PIXELS.value, max_upload_mb=_MAX_UPLOAD_MB.value,
            hosts=[_HOST.value, address, "localhost"] if
            ipaddress.ip_address(address).is_loopback else None)
        host = f"[{address}]" if ":" in address else address
        print(f"http://{host}:{_PORT.value}  (Ctrl-C to stop)", flush=True)
        try:
            uvicorn.Server(uvicorn.Config(
                app, log_level="error", access_log=False, server_header=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_graceful_shutdown=1)).run(sockets=[listening])
        except KeyboardInterrupt:
            pass  # the way to stop it


def _listen(host: str, port: int) -> socket.socket:
    """Takes the port before anything that takes long.

    Raises:
      UserError: it is taken, or this machine has no such address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"--port={port} is in use on {host}, perhaps by another demo; "
                f"stop that one or choose another --port") from error
        raise UserError(f"--host={host} --port={port} cannot be listened on: "
                        f"{error.strerror}") from error
    return listening


if __name__ == "__main__":
    command.run(main)
