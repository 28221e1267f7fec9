"""Headers that somebody forged, with a valid checksum: none is loaded, none takes memory."""

import json
import re
import resource
import tracemalloc

import numpy as np
import pytest

from spectragan import ModelFileError, load, model_card
from spectragan.files.layout import LONGEST_HEADER

N_QUICK, N_SLOW = 63, 360
MOST_BYTES = 200e6  # allocated at once while 4 MB of hostile JSON are read


def forged_length(file, rng):
    text = file.text()
    lengths = [0, 1, len(text) - 8, len(text) + 8, len(file.data), 2**40, 2**63, 2**64 - 1]
    return file.seal(text, lengths[rng.integers(len(lengths))])


def forged_version(file, rng):
    version = ["0", "2", "17", "9999", "-1", "1e9"][rng.integers(6)]
    return file.seal(file.text().replace('"format_version":"1"', f'"format_version":"{version}"'))


def deep_nesting(file, rng):
    depth = int(rng.choice([70, 10_000, 1_000_000]))
    opened, closed = [("[", "]"), ('{"tuple":[', "]}"), ('{"a":', "}")][rng.integers(3)]
    bomb = opened * depth + "1" + closed * depth
    text = file.text()
    if rng.integers(2):
        return file.seal(text[:-1] + ',"x":' + bomb + "}")
    file.header["__metadata__"]["state"] = bomb
    return file.seal(file.dump())


def wide_json(file, rng):
    """Fill a header, now and then the longest there may be, with small values."""
    part = ["[],", "0,", '{"tuple":[]},'][rng.integers(3)]
    size = LONGEST_HEADER - 100_000 if rng.integers(8) == 0 else LONGEST_HEADER // 20
    n_parts = size // (len(part) + part.count('"'))
    inside = "[" + (part * n_parts)[:-1] + "]"
    metadata = file.header["__metadata__"]
    metadata["state"] = inside if rng.integers(2) else f'{{"estimator":{inside}}}'
    return file.seal(file.dump())


def huge_number(file, rng):
    number = ["1" * 5000, "1e999", "9" * 41, "NaN", "Infinity", "-" + "1" * 50][rng.integers(6)]
    text = file.text()
    if rng.integers(2):
        text = re.sub(r'"shape":\[[0-9,]*\]', f'"shape":[{number}]', text, count=1)
        return file.seal(text)
    attributes, names = file.attributes()
    attributes[names[rng.integers(len(names))]] = "HERE"
    return file.seal(file.text().replace(r"\"HERE\"", number))


def double_key(file, rng):
    text = file.text()
    name = json.dumps(file.tensors()[0])
    doubled = [
        text[:-1] + ',"__metadata__":{}}',
        text[:-1] + f",{name}:{{}}}}",
        text.replace('"dtype":', '"dtype":"F64","dtype":', 1),
        text.replace(r"{\"estimator\":", r"{\"estimator\":1,\"estimator\":", 1),
        text[:-1] + r',"\u005f_metadata__":{"sha256":"x"}}',
    ]
    return file.seal(doubled[rng.integers(len(doubled))])


def wrong_metadata(file, rng):
    metadata = file.header["__metadata__"]
    key = ["about", "state"][rng.integers(2)]
    values = [None, 1, [], {}, "", "[", "\ud800", "nul\0", "{'a': 1}", "[1,2,]"]
    choice = rng.integers(len(values) + 2)
    if choice < len(values):
        metadata[key] = values[choice]
    elif choice == len(values):
        del metadata[key]
    else:
        metadata["code"] = "import os"
    return file.seal(file.dump())


def wrong_entry(file, rng):
    """Change what the header says of one tensor: type, shape or offsets."""
    name = file.learned()[rng.integers(len(file.learned()))]
    entry = file.header[name]
    start, stop = entry["data_offsets"]
    size = len(file.payload)
    changes = [
        {"dtype": "I64" if entry["dtype"] == "F64" else "F64"},
        {"dtype": ["F64", "object", "F65", "|O", "BF16", None, ["F64"]][rng.integers(1, 7)]},
        {"shape": [2**62]},
        {"shape": [*entry["shape"], 2**40]},
        {"shape": [-1]},
        {"shape": [0, 2**61]},
        {"shape": [[2]]},
        {"shape": [1.0]},
        {"shape": [True]},
        {"shape": [1] * 200 + entry["shape"]},
        {"shape": "2,3"},
        {"shape": None},
        {"data_offsets": [start + 8, stop + 8]},
        {"data_offsets": [start, 2**62]},
        {"data_offsets": [-8, stop - start - 8]},
        {"data_offsets": [stop, start] if stop > start else [8, 0]},
        {"data_offsets": [size, size + stop - start]},
        {"data_offsets": [start]},
        {"data_offsets": [start, stop, stop]},
        {"data_offsets": {"start": start}},
        {"file": "/etc/passwd"},
    ]
    entry.update(changes[rng.integers(len(changes))])
    return file.sealed()


def other_layout(file, rng):
    """Overlap, reorder, rename, drop or add tensors, or leave bytes that belong to none."""
    names = file.tensors()
    first, second = names[0], names[-1]
    choice = rng.integers(7)
    if choice == 0:
        file.header[second]["data_offsets"] = file.header[first]["data_offsets"]
    elif choice == 1:
        file.payload += bytes(8 * rng.integers(1, 9))
    elif choice == 2:
        file.payload = file.payload[:-8]
    elif choice == 3:
        file.header["../../../tmp/x"] = file.header.pop(second)
    elif choice == 4:
        del file.header[second]
    elif choice == 5:
        end = len(file.payload)
        file.header["more"] = {"dtype": "U8", "shape": [8], "data_offsets": [end, end + 8]}
        file.payload += bytes(8)
    else:
        file.header = {"__metadata__": file.header["__metadata__"]} | dict(
            reversed([(name, file.header[name]) for name in names])
        )
    return file.sealed()


KINDS = (
    forged_length,
    forged_version,
    deep_nesting,
    wide_json,
    huge_number,
    double_key,
    wrong_metadata,
    wrong_entry,
    other_layout,
)


@pytest.mark.usefixtures("no_code")
def test_sixty_forged_headers_are_refused(check_refused, forger):
    check_refused(KINDS, N_QUICK, seed=0, take=forger)


@pytest.mark.slow
@pytest.mark.usefixtures("no_code")
def test_hundreds_of_forged_headers_are_refused(check_refused, forger):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check_refused(KINDS, N_SLOW, seed=1, take=forger)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 2 * MOST_BYTES  # the test makes the files in this process, too


@pytest.mark.parametrize(
    "kind", [deep_nesting, pytest.param(wide_json, marks=pytest.mark.slow), wrong_entry]
)
def test_a_forged_header_allocates_little(kind, originals, forger, tmp_path):
    (tmp_path / "model").write_bytes(kind(forger(originals[0]), np.random.default_rng(3)))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            load(tmp_path / "model")
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (forged_length, "the header must end within the file|match its checksum|header must be"),
        (forged_version, "format version must be 1, .* install a newer spectragan|must begin as"),
        (deep_nesting, "the header must be nested at most 60 deep|must end within the file"),
        (double_key, "the header must name everything once"),
        (wrong_entry, "tensor '.*' must"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_refusal_says_what_is_wrong(kind, message, originals, forger, tmp_path):
    for seed in range(5):
        changed = kind(forger(originals[0]), np.random.default_rng(seed))
        (tmp_path / "model").write_bytes(changed)
        with pytest.raises(ModelFileError, match=message):
            load(tmp_path / "model")


def test_a_card_of_a_forged_header_is_plain_text(originals, forger, tmp_path):
    file = forger(originals[0])
    about = json.loads(file.header["__metadata__"]["about"])
    about["parameters"] = {"<script>": "`x`\n# Title\n" + "y" * 10_000}
    about["labels"] = [{"name": ["deep", {}]}, 3]
    file.header["__metadata__"]["about"] = json.dumps(about)
    (tmp_path / "model").write_bytes(file.sealed())
    card = model_card(tmp_path / "model")
    assert "<script>" not in card
    assert "\n# Title" not in card
    assert len(card) < 5000
