"""Accidents to model files, by disks, networks and people: none is loaded, each is one sentence."""

import json

import numpy as np
import pytest

from spectragan import ModelFileError, load

N_QUICK, N_SLOW = 90, 360


def _split(data):
    """Return header text and payload of a model file."""
    length = int.from_bytes(data[:8], "little")
    return data[8 : 8 + length].decode(), data[8 + length :]


def truncated(data, rng):
    return data[: rng.integers(len(data))]


def header_bit(data, rng):
    return flipped(data, rng.integers(8 * len(_split(data)[0])) + 64)


def payload_bit(data, rng):
    return flipped(data, 8 * len(data) - 1 - rng.integers(8 * len(_split(data)[1])))


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def length_bit(data, rng):
    return flipped(data, rng.integers(64))


def appended(data, rng):
    return data + rng.bytes(rng.integers(1, 100))


def inserted(data, rng):
    place = rng.integers(len(data))
    return data[:place] + rng.bytes(rng.integers(1, 100)) + data[place:]


def blanked(data, rng):
    place = 8 + len(_split(data)[0]) + rng.integers(len(_split(data)[1]) - 64)
    return data[:place] + bytes(b ^ 255 for b in data[place : place + 64]) + data[place + 64 :]


def swapped_blocks(data, rng):
    """Swap the content of two tensors of one size."""
    header, payload = _split(data)
    places = {}
    for name, entry in json.loads(header).items():
        if name != "__metadata__":
            start, stop = entry["data_offsets"]
            places.setdefault(stop - start, {})[payload[start:stop]] = start
    choices = [(size, list(p.items())) for size, p in places.items() if len(p) > 1 and size]
    size, ((first, a), (second, b), *_) = choices[rng.integers(len(choices))]
    changed = bytearray(payload)
    changed[a : a + size], changed[b : b + size] = second, first
    return data[: len(data) - len(payload)] + bytes(changed)


def no_model(data, rng):
    return [b"", b"\x80\x04N.", b"{}", b"PK\x03\x04", rng.bytes(500), data[8:]][rng.integers(6)]


KINDS = (
    truncated,
    header_bit,
    payload_bit,
    length_bit,
    appended,
    inserted,
    blanked,
    swapped_blocks,
    no_model,
)


@pytest.mark.usefixtures("no_code")
def test_ninety_damaged_files_are_refused(check_refused):
    check_refused(KINDS, N_QUICK, seed=0)


@pytest.mark.slow
@pytest.mark.usefixtures("no_code")
def test_hundreds_of_damaged_files_are_refused(check_refused):
    check_refused(KINDS, N_SLOW, seed=1)


def test_an_intact_file_is_loaded(originals, tmp_path):
    for data in originals:
        (tmp_path / "model").write_bytes(data)
        load(tmp_path / "model")


@pytest.mark.parametrize("kind", [payload_bit, appended, blanked, swapped_blocks])
def test_a_changed_file_does_not_match_its_checksum(kind, originals, tmp_path):
    (tmp_path / "model").write_bytes(kind(originals[0], np.random.default_rng(0)))
    with pytest.raises(ModelFileError, match="must match its checksum; got other content; it was"):
        load(tmp_path / "model")


@pytest.mark.usefixtures("no_code")
def test_a_pickle_is_refused_unread(tmp_path):
    (tmp_path / "model").write_bytes(b"cos\nsystem\n(S'true'\ntR.")  # what pickle would run
    with pytest.raises(ModelFileError, match="must begin as a model file of spectragan does"):
        load(tmp_path / "model")
