"""A module imports its own layer and lower ones only, and no command."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]

# Lowest first. A module may import its own layer and those before it.
LAYERS = (
    ("data_pipelines.augment", "data_pipelines.bmp_file",
     "data_pipelines.color", "data_pipelines.color_profile",
     "data_pipelines.command", "data_pipelines.command_help",
     "data_pipelines.data_spec", "data_pipelines.data_uri",
     "data_pipelines.decode", "data_pipelines.decode_file",
     "data_pipelines.degrade", "data_pipelines.errors",
     "data_pipelines.extras", "data_pipelines.files",
     "data_pipelines.hints", "data_pipelines.image_header",
     "data_pipelines.linear_light", "data_pipelines.orientation",
     "data_pipelines.photo_file", "data_pipelines.png_file",
     "data_pipelines.results",
     "data_pipelines.sources", "data_pipelines.tiff_file",
     "data_pipelines.tiff_samples"),
    ("data_pipelines.beam_flag", "data_pipelines.cache",
     "data_pipelines.colorless",
     "data_pipelines.first_look", "data_pipelines.inspection",
     "data_pipelines.pipeline", "data_pipelines.preparation",
     "data_pipelines.rejected", "data_pipelines.split"),
    ("data_pipelines.inspect", "data_pipelines.prepare"),
    ("pix2pix_color.color_bins", "pix2pix_color.config",
     "pix2pix_color.config_flags",
     "pix2pix_color.fast_keras", "pix2pix_color.hardware",
     "pix2pix_color.losses", "pix2pix_color.metric_names",
     "pix2pix_color.metrics", "pix2pix_color.model_flag",
     "pix2pix_color.networks", "pix2pix_color.recipes",
     "pix2pix_color.run_folder", "pix2pix_color.semantic_loss",
     "pix2pix_color.weights_flag"),
    ("pix2pix_color.saved_model",),
    ("pix2pix_color.evaluation", "pix2pix_color.summaries"),
    ("pix2pix_color.colorizing", "pix2pix_color.training"),
    ("pix2pix_color.archive",),
    ("pix2pix_color.api",),
    ("pix2pix_color.__main__", "pix2pix_color.colorize",
     "pix2pix_color.colorize_archive", "pix2pix_color.demo",
     "pix2pix_color.evaluate", "pix2pix_color.export", "pix2pix_color.fit"),
    ("experiments",),
)
COMMANDS = LAYERS[2] + LAYERS[9]
MODULES = sorted(
    path for package in ("data_pipelines", "pix2pix_color", "experiments")
    for path in (ROOT / package).rglob("*.py"))


def imports_of(path):
    """Full names of what a module imports, `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(name):
    for layer, members in enumerate(LAYERS):
        if any(name == member or name.startswith(member + ".")
               for member in members):
            return layer
    return None


def test_every_module_has_a_layer():
    unlisted = [name_of(path) for path in MODULES
                if layer_of(name_of(path)) is None]
    assert unlisted == ["data_pipelines", "pix2pix_color"]


def test_no_folders_import_each_other():
    edges = {(folder_of(name_of(path)), folder_of(imported))
             for path in MODULES for imported in imports_of(path)}
    # Except a folder and its own subfolder.
    assert not {(one, other) for one, other in edges
                if (other, one) in edges and one and other
                and not (one + "/").startswith(other + "/")
                and not (other + "/").startswith(one + "/")}


def folder_of(name):
    """The folder that a module is in; empty outside of the project."""
    path = ROOT.joinpath(*name.split("."))
    while path != ROOT and not path.is_dir():
        path = path.parent
    return str(path.relative_to(ROOT)).replace(".", "")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path):
    own = name_of(path)
    for imported in imports_of(path):
        assert imported not in COMMANDS, f"{own} imports a command"
        layer, own_layer = layer_of(imported), layer_of(own)
        if layer is not None and own_layer is not None:
            assert layer <= own_layer, f"{own} imports {imported} from above"


@pytest.mark.parametrize("module, importer", [
    ("tensorflow_io", "data_pipelines.color"),
    ("tensorboard", "pix2pix_color.summaries"),
    ("uvicorn", "pix2pix_color.demo"),
    ("safetensors", "pix2pix_color.networks.weights_file"),
])
def test_a_dependency_has_one_importer(module, importer):
    importers = {name_of(path) for path in MODULES
                 if not name_of(path).startswith("experiments") for imported
                 in imports_of(path) if imported.split(".")[0] == module}
    assert importers == {importer}


@pytest.mark.parametrize("path", [
    *(ROOT / "pix2pix_color" / "config").glob("*.py"),
    ROOT / "pix2pix_color" / "config_flags.py",
    ROOT / "pix2pix_color" / "metric_names.py",
    ROOT / "pix2pix_color" / "weights_flag.py",
    ROOT / "pix2pix_color" / "saved_model" / "find.py",
    ROOT / "pix2pix_color" / "training" / "early_checks.py",
    ROOT / "data_pipelines" / "command.py",
    ROOT / "data_pipelines" / "command_help.py",
    ROOT / "data_pipelines" / "data_spec.py",
    ROOT / "data_pipelines" / "errors.py",
    ROOT / "data_pipelines" / "results.py"], ids=name_of)
def test_flags_are_checked_without_tensorflow(path):
    assert {name.split(".")[0] for name in imports_of(path)}.isdisjoint(
        {"tensorflow", "keras", "tensorflow_io"})
