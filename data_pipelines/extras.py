"""Says how to install what an optional feature needs."""

import importlib.metadata
import re
import shlex
import sys


def how_to_install(extra: str) -> str:
    """Returns the shell command that installs an extra of this project.

    It names the packages with their bounds, so it works wherever this project
    was installed from. Where it runs without being installed, there are no
    bounds to name, and the text is an advice to install it.

    Args:
      extra: its name in setup.cfg.
    """
    try:
        requirements = importlib.metadata.requires("pix2pix_color") or []
    except importlib.metadata.PackageNotFoundError:
        return f"install pix2pix_color with its extra {extra}"
    packages = [
        shlex.quote(requirement.partition(";")[0].strip())
        for requirement in requirements
        if re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", requirement)]
    return shlex.join([sys.executable, "-m", "pip", "install"]) + " " + (
        " ".join(packages))
