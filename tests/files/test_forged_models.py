"""Models that somebody forged, in a file that is intact: none is loaded, no code is run."""

import numpy as np
import pytest

from spectragan import ModelFileError, load
from spectragan.files.classes import rules_of

N_QUICK, N_SLOW = 64, 320


def swapped_references(file, rng):
    """Let two attributes take each other's tensors where their shapes differ."""
    arrays = [(node, key) for node, key in file.nodes("array") if isinstance(node[key], str)]
    shapes = [tuple(file.header[node[key]]["shape"]) for node, key in arrays]
    pairs = [
        (a, b)
        for i, (a, shape) in enumerate(zip(arrays, shapes, strict=True))
        for b, other in zip(arrays[:i], shapes[:i], strict=True)
        if shape != other
    ]
    (a, key), (b, other) = pairs[rng.integers(len(pairs))]
    a[key], b[other] = b[other], a[key]
    return file.sealed()


PATHS = (
    "os.system",
    "builtins.eval",
    "../../../../etc/passwd",
    "spectragan.translator.estimator.CycleGANTranslator",
    "__main__.Evil",
    "subprocess:Popen",
    "C:\\windows\\system32",
    "a\nb",
    "",
    "x" * 100_000,
)


def foreign_class(file, rng):
    name = [*PATHS, None, 3, ["CycleGANTranslator"], {"a": 1}][rng.integers(len(PATHS) + 4)]
    nodes = [place for kind in ("estimator", "object", "network") for place in file.nodes(kind)]
    node, key = nodes[rng.integers(len(nodes))]
    node[key][0] = name
    return file.sealed()


def other_class(file, rng):
    """Call an object something else that the table has."""
    nodes = [place for kind in ("estimator", "object", "network") for place in file.nodes(kind)]
    node, key = nodes[rng.integers(len(nodes))]
    names = ["Spectra", "LoadedNet", "CycleGANTranslator", "StarNet", "FrozenEstimator", "Subspace"]
    names = [name for name in names if name != node[key][0]]
    node[key][0] = names[rng.integers(len(names))]
    return file.sealed()


def foreign_kind(file, rng):
    attributes, names = file.attributes()
    nodes = [
        {"eval": ["__import__('os').system('true')"]},
        {"__reduce__": ["os.system", ["true"]]},
        {"pickle": ["gASVHgAAAA=="]},
        {"same": 10**6},
        {"same": -1},
        {"same": 0.5},
        {"array": "no such tensor"},
        {"array": ["no such tensor", [0]]},
        {"array": {"a": 1}},
        {"float": "__import__('os')"},
        {"int": "1" * 10_000},
        {"tuple": 3},
        {"dict": [[{"dict": []}, 1]]},
        {"dict": [1, 2, 3]},
        {"slice": [1, 2, 3, 4]},
        {"unit": [None, ["10**1000000000 m"], [[1, 1]]]},
        {"unit": [1.0, ["m"], [[10**9, 1]]]},
        {"unit": [1.0, ["m"] * 3, [[1, 1]]]},
        {"random_state": ["MT19937", 3, 0, 0, 0.0]},
        {"generator": [{"dict": [["bit_generator", "os"]]}]},
        {"own": ["Evil", {}, False, False]},
        {},
        {"tuple": [], "float": "nan"},
    ]
    attributes[names[rng.integers(len(names))]] = nodes[rng.integers(len(nodes))]
    return file.sealed()


def wrong_attributes(file, rng):
    """Leave an attribute out, add one, or give one a value of another kind."""
    attributes, names = file.attributes()
    may_be_none = ("medium_", "wavelength_", "old_axis_", "new_axis_")
    may_be_missing = {rule[:-1] for rule in rules_of(file.state["estimator"][0]) if rule[-1] == "?"}
    needed = [n for n in names if n not in may_be_none and n not in may_be_missing]
    name = needed[rng.integers(len(needed))]
    extra = ["fit", "__class__", "__dict__", "predict", "_x", "subspace", ""]
    choice = rng.integers(4)
    if choice == 0:
        del attributes[name]
    elif choice == 1:
        attributes[extra[rng.integers(len(extra))]] = 1
    elif choice == 2:
        attributes[name] = {"tuple": [{"dict": []}, "x"]}
    else:
        file.state["estimator"][1][extra[rng.integers(len(extra))]] = 1
    return file.sealed()


def wrong_sizes(file, rng):
    """Change one whole number that the fit found, or that a network was made with."""
    places = [
        (attributes, key)
        for attributes in [
            file.attributes()[0],
            *(n["network"][1] for n, _ in file.nodes("network")),
        ]
        for key, value in attributes.items()
        if type(value) is int
    ]
    node, key = places[rng.integers(len(places))]
    node[key] = int(rng.choice([node[key] + 1, -1, 2**31, 2**62, 0 if node[key] else 5]))
    return file.sealed()


def wrong_shape(file, rng):
    """Transpose or flatten a tensor that isn't square, or make a row a table."""
    names = file.learned()
    name = names[rng.integers(len(names))]
    shape = file.header[name]["shape"]
    transposed = shape[::-1] if shape[::-1] != shape else [1, *shape]
    file.header[name]["shape"] = transposed if rng.integers(2) else [1, int(np.prod(shape))]
    if file.header[name]["shape"] == shape:
        file.header[name]["shape"] = [*shape, 1]
    return file.sealed()


def no_estimator(file, rng):
    node, key = file.nodes("array")[0]
    file.state = [[], {}, 1, None, {"dict": []}, [file.state], {node[key][0]: node}, "x"][
        rng.integers(8)
    ]
    return file.sealed()


KINDS = (
    swapped_references,
    foreign_class,
    other_class,
    foreign_kind,
    wrong_attributes,
    wrong_sizes,
    wrong_shape,
    no_estimator,
)


@pytest.mark.usefixtures("no_code")
def test_sixty_forged_models_are_refused(check_refused, forger):
    check_refused(KINDS, N_QUICK, seed=0, take=forger)


@pytest.mark.slow
@pytest.mark.usefixtures("no_code")
def test_hundreds_of_forged_models_are_refused(check_refused, forger):
    check_refused(KINDS, N_SLOW, seed=1, take=forger)


def test_what_the_forger_left_as_it_was_is_loaded(originals, forger, tmp_path):
    # Else all of its files would be refused for one and the same reason.
    for data in originals:
        (tmp_path / "model").write_bytes(forger(data).sealed())
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (foreign_class, "a file may only hold classes of spectragan"),
        (swapped_references, "the rest|names and shapes|of kind|complete|of the type|as it says"),
        (no_estimator, "the file must hold an estimator"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_refusal_says_what_is_wrong(kind, message, originals, forger, tmp_path):
    for seed in range(5):
        changed = kind(forger(originals[0]), np.random.default_rng(seed))
        (tmp_path / "model").write_bytes(changed)
        with pytest.raises(ModelFileError, match=message):
            load(tmp_path / "model")


def test_a_sparse_matrix_with_foreign_indices_is_refused(originals, forger, tmp_path):
    # Compiled code would read memory that isn't the matrix's.
    file = next(f for f in map(forger, originals) if f.nodes("sparse"))
    name = next(n for n in file.tensors() if n.startswith("matrix_") and n.endswith(".1"))
    start, stop = file.header[name]["data_offsets"]
    dtype = {"I32": np.int32, "I64": np.int64}[file.header[name]["dtype"]]
    indices = np.frombuffer(file.payload[start:stop], dtype).copy()
    indices[3] = 2**30
    file.payload = file.payload[:start] + indices.tobytes() + file.payload[stop:]
    (tmp_path / "model").write_bytes(file.sealed())
    with pytest.raises(ModelFileError, match="the model must be complete"):
        load(tmp_path / "model")
