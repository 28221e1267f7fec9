"""Configuration of the documentation. Builds without a network: nothing outside is looked up."""

import inspect
import pkgutil
import shutil
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import spectragan

project = "spectragan"
author = "The spectragan developers"
copyright = f"2026, {author}"
version = release = spectragan.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_parser",  # the tables of benchmarks/results
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "changes", "gallery/*.ipynb", "sg_execution_times.rst"]
templates_path = ["_templates"]
nitpicky = True  # a link that leads nowhere is a warning
default_role = "code"
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "spectragan"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
# Without it the theme finds no mode, and says so on the browser's console.
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}

autosummary_generate = True
autosummary_imported_members = False
# Types are in the docstrings, with shapes and units; annotations are for the type checker.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
# The class template lists the members; numpydoc would list them a second time.
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

copybutton_prompt_text = ">>> |\\.\\.\\. "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": "gallery/backreferences",  # stays empty, but `minigallery` asks for it
    "filename_pattern": r"[\\/]plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "show_signature": False,
    "plot_gallery": True,
    "parallel": 2,  # processes, one thread each: see `.ci/run`
}

# Names of other packages have no page here, and their inventories need a network.
_elsewhere = "astropy|matplotlib|numpy|openTSNE|pandas|scipy|sklearn|skorch|specutils|torch|tqdm"
nitpick_ignore_regex = [(r"py:.*", rf"({_elsewhere})(\..*)?")]


@cache
def names_in_package():
    """Map every name in the package to the path it is documented under, or to None."""
    modules = [
        import_module(m.name) for m in pkgutil.walk_packages(spectragan.__path__, "spectragan.")
    ]
    names = {name: None for module in modules for name in vars(module)}
    for module in ("spectragan.datasets", "spectragan.diagnostics", "spectragan"):
        names |= {name: f"{module}.{name}" for name in import_module(module).__all__}
    return names


def find_in_package(app, env, node, contnode):
    """Lead references to where a name is documented; leave names that aren't public as text."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or name not in names_in_package():
        return None
    path = names_in_package()[name]
    if path is None:
        return contnode
    domain, document = env.get_domain("py"), node.get("refdoc")
    return domain.resolve_xref(env, document, app.builder, "obj", path, node, contnode)


def skip_inherited_from_elsewhere(app, what, name, obj, skip, options):
    """Leave out what scikit-learn's base classes add: their pages explain it better."""
    found = inspect.unwrap(obj) if callable(obj) else obj
    # What is written in C, as numpy's arrays are, names its class instead of a module.
    found = found if getattr(found, "__module__", None) else getattr(found, "__objclass__", None)
    module = getattr(found, "__module__", None)
    is_foreign = isinstance(module, str) and not module.startswith("spectragan")
    return True if what in ("attribute", "method", "class") and is_foreign else None


def add_unreleased_changes(app, docname, source):
    """Show the fragments of the coming release on top of the released ones."""
    if docname == "whats_new":
        command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "unreleased"]
        draft = subprocess.run(
            command, cwd=f"{app.srcdir}/..", capture_output=True, text=True, check=True
        ).stdout
        source[0] = source[0].replace(".. towncrier release notes start\n", draft)


def copy_benchmark_tables(app):
    """Make pages of the tables that the scripts in benchmarks/ wrote."""
    tables = Path(app.srcdir, "benchmarks", "tables")
    shutil.rmtree(tables, ignore_errors=True)
    shutil.copytree(Path(app.srcdir, "..", "benchmarks", "results"), tables)


def setup(app):
    """Connect the functions above to the build."""
    app.connect("builder-inited", copy_benchmark_tables)
    app.connect("autodoc-skip-member", skip_inherited_from_elsewhere)
    app.connect("missing-reference", find_in_package)
    app.connect("source-read", add_unreleased_changes)
