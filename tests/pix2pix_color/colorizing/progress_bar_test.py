"""The bar of colorize counts every file, colored or not."""

import fcntl
import os
import pathlib
import struct
import subprocess
import sys
import termios

ROOT = pathlib.Path(__file__).parents[3]
# The command without TensorFlow: only files called good* are colored.
PROGRAM = """
import runpy, sys, types

def colorize_file(model, job, options, progress):
    if "good" not in job.path:
        raise OSError("damaged")
    return []

def add(name, **members):
    sys.modules[name] = module = types.ModuleType(name)
    vars(module).update(members)

add("pix2pix_color.colorizing.one_file", colorize_file=colorize_file)
add("pix2pix_color.colorizing.photograph", NoPhotographError=KeyError)
add("pix2pix_color.saved_model.load", LoadedModel=lambda path:
    types.SimpleNamespace(fitting_chroma_size=lambda size: size))
runpy.run_module("pix2pix_color.colorize", run_name="__main__", alter_sys=True)
"""


def shown_on_terminal(folder, *names):
    for name in names:
        (folder / name).touch()
    reader, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ,
                struct.pack("HHHH", 25, 80, 0, 0))  # rows and columns
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *names], cwd=folder, stderr=terminal,
        stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(reader, 4096)
        except OSError:  # the other side is closed
            break
    os.close(reader)
    process.wait()
    return shown.decode()


def test_the_bar_ends_full_when_files_fail(tmp_path):
    for names in (["a.jpg"], ["a.jpg", "good.jpg", "b.jpg", "c.jpg"]):
        shown = shown_on_terminal(tmp_path, *names)
        assert f"{len(names)}/{len(names)} [" in shown.rpartition("%")[2]
