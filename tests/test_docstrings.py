"""Every public object and method has a complete numpydoc docstring."""

import importlib
import inspect
import re
from dataclasses import fields, is_dataclass

import pytest
from numpydoc.validate import validate

MODULES = (
    "spectragan",
    "spectragan.datasets",
    "spectragan.diagnostics",
    "spectragan.exceptions",
    "spectragan.interop",
    "spectragan.networks",
)

IGNORED = {
    "ES01": "a summary that says it all needs no second paragraph",
    "EX01": "methods are shown in their class's example; the test below asks for those",
    "GL01": "the summary stands on the line of the quotes, as ruff's numpy convention has it",
    "GL02": "and so may the closing quotes of a one-line docstring",
    "PR08": "a description may begin with a name that is written small, such as float32",
    "RT02": "a returned thing has a name as parameters have: it says what it is",
    "SA01": "not everything has a relative",
    "SA03": "and so may what is said of a neighbour",
    "SA04": "the name of a neighbour is often enough",
    "YD01": "generators are documented as returning iterators",
}


def public_objects() -> dict[str, object]:
    """Find everything public by its documented path, each object once."""
    found: dict[int, tuple[str, object]] = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", [n for n in vars(module) if n[0].isupper()]):
            value = getattr(module, name)
            found.setdefault(id(value), (f"{module_name}.{name}", value))
    return dict(found.values())


def public_methods() -> list[str]:
    """Find the public methods and properties written in this package, inherited ones too."""
    names = []
    for path, value in public_objects().items():
        for name, member in inspect.getmembers(value) if inspect.isclass(value) else []:
            function = member.fget if isinstance(member, property) else member
            own = str(getattr(function, "__module__", "")).startswith("spectragan")
            if own and not name.startswith("_") and not inspect.isclass(member):
                names.append(f"{path}.{name}")
    return names


def problems(path: str, *also_ignored: str) -> list[str]:
    ignored = {*IGNORED, *also_ignored}
    return [f"{code}: {text}" for code, text in validate(path)["errors"] if code not in ignored]


def is_exception(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def is_result(value: object) -> bool:
    """Tell whether this is a result object: made by a function, which shows it in its example."""
    return inspect.isclass(value) and is_dataclass(value)


@pytest.mark.parametrize("path", public_objects())
def test_public_object_docstring(path):
    # Nobody constructs results, which document attributes instead of parameters, or protocols.
    value = public_objects()[path]
    unbuilt = is_result(value) or getattr(value, "_is_protocol", False)
    assert not problems(path, *(["PR01"] if unbuilt else []))


@pytest.mark.parametrize("path", [p for p, v in public_objects().items() if is_result(v)])
def test_result_documents_every_field(path):
    result = public_objects()[path]
    doc = inspect.getdoc(result) or ""
    assert not [f.name for f in fields(result) if not re.search(rf"\b{f.name}\b", doc)]


@pytest.mark.parametrize("path", public_methods())
def test_public_method_docstring(path):
    assert not problems(path)


@pytest.mark.parametrize(
    "path", [p for p, v in public_objects().items() if not (is_exception(v) or is_result(v))]
)
def test_public_object_has_an_example(path):
    doc = inspect.getdoc(public_objects()[path]) or ""
    assert re.search(r"^Examples\n-{8}\n", doc, flags=re.MULTILINE)
    assert ">>> " in doc


@pytest.mark.parametrize("path", public_objects())
def test_cited_references_are_listed(path):
    doc = inspect.getdoc(public_objects()[path]) or ""
    listed = set(re.findall(r"^\.\. \[(\d+)\]", doc, flags=re.MULTILINE))
    assert set(re.findall(r"\[(\d+)\]_", doc)) <= listed
