"""A fitted model as a tree of plain values, which names the arrays beside it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from spectragan.files.classes import UNKEPT, kind_of, name_of, rules_of
from spectragan.files.layout import TYPE_OF, refusal
from spectragan.files.values import CODECS

LARGEST_EXACT = 2**63  # whole numbers that every reader of JSON keeps; larger ones are spelt
FEWEST_FLOATS = 8  # a longer list of floats is an array in the file: shorter and quicker


class Encoder:
    """Encodes one model.

    Attributes
    ----------
    tensors : dict of str to ndarray
        The arrays that the tree names; one that is in the model twice is here once.
    modules : dict of str to torch.nn.Module
        The networks that aren't of this package, by the names of their classes.

    Notes
    -----
    A node is None, True, False, a whole number, a finite float, a word, a list of nodes, or an
    object with one key that says what its value is.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        self.modules: dict[str, Any] = {}
        self._arrays: dict[tuple[Any, ...], str] = {}
        self._objects: dict[int, int] = {}
        self._kept: list[Any] = []  # what has an id here must not be replaced by another

    def encode(self, value: Any, path: str = "") -> Any:
        """Return the node of a value.

        Parameters
        ----------
        value : object
        path : str
            Where in the model it is: names its arrays, and is said in messages.

        Returns
        -------
        node : object
            For `Decoder.decode`.

        Raises
        ------
        ModelFileError
            If a file can't hold the value.
        """
        if value is None or type(value) in (bool, str, int, float):
            return _plain(value)
        if type(value) is list:
            return self._list(value, path)
        if type(value) is tuple:
            return {"tuple": [self.encode(v, f"{path}.{i}") for i, v in enumerate(value)]}
        if isinstance(value, Mapping):
            return {"dict": self._pairs(dict(value), path)}
        if isinstance(value, np.str_):
            return str(value)
        if isinstance(value, np.generic) and value.dtype in TYPE_OF:
            return {"scalar": self._array(np.asarray(value), path)}
        for kind, codec in CODECS.items():
            if codec.matches(value):
                parts = codec.apart(value)
                return {kind: [self.encode(part, f"{path}.{i}") for i, part in enumerate(parts)]}
        if type(value) in (np.ndarray, np.memmap):
            return {"array": self._array(np.asarray(value), path)}
        return self._object(value, path)

    def _list(self, values: list[Any], path: str) -> Any:
        if len(values) >= FEWEST_FLOATS and all(type(v) is float for v in values):
            return {"floats": self._array(np.array(values), path)}
        return [self.encode(v, f"{path}.{i}") for i, v in enumerate(values)]

    def _pairs(self, values: Mapping[Any, Any], path: str) -> list[Any]:
        return [
            [self.encode(key, path), self.encode(value, f"{path}.{key}")]
            for key, value in values.items()
        ]

    def _array(self, array: np.ndarray, path: str) -> Any:
        """Return the name of an array, with the order of its axes in memory if that isn't C's."""
        if array.dtype.newbyteorder("<") not in TYPE_OF:
            raise refusal(
                f"`{path}` must hold numbers of at most 64 bits",
                f"an array of {array.dtype}",
                "convert it first.",
            )
        address = array.__array_interface__["data"][0]
        key = (address, array.shape, array.strides, array.dtype.str)
        # Products of matrices are rounded differently if rows and columns change places. Where
        # strides are equal, one axis has length 1, and comes last.
        order = sorted(range(array.ndim), key=lambda i: (-abs(array.strides[i]), -array.shape[i]))
        if key not in self._arrays:
            self._kept.append(array)
            name = self._new_name(path)
            self._arrays[key] = name
            laid_out = np.ascontiguousarray(array.transpose(order))
            laid_out = laid_out.astype(array.dtype.newbyteorder("<"), copy=False)
            self.tensors[name] = laid_out.reshape([array.shape[axis] for axis in order])
        name = self._arrays[key]
        return name if order == list(range(array.ndim)) else [name, order]

    def _new_name(self, path: str) -> str:
        name, number = path[:100], 1
        while name in self.tensors or name == "__metadata__":
            number += 1
            name = f"{path[:100]}#{number}"
        return name

    def _object(self, value: Any, path: str) -> Any:
        """Return the node of an object of the table, or say where it was met before."""
        if id(value) in self._objects:
            return {"same": self._objects[id(value)]}
        name = name_of(value)
        if name is None:
            node = self._own_module(value, path)
        elif kind_of(name) == "network":
            node = {"network": [name, *self._network(value, path)]}
        elif kind_of(name) == "estimator":
            node = {"estimator": [name, *self._estimator(name, value, path)]}
        else:
            names = [rule.removesuffix("?") for rule in rules_of(name)]
            fields = {field: _field(value, field) for field in names}
            node = {"object": [name, self._named(fields, path)]}
        # Numbered when complete, as reading does it; an object can't be part of itself.
        self._objects[id(value)] = len(self._objects)
        self._kept.append(value)
        return node

    def _named(self, values: Mapping[str, Any], path: str) -> dict[str, Any]:
        start = f"{path}." if path else ""
        return {name: self.encode(value, f"{start}{name}") for name, value in values.items()}

    def _estimator(self, name: str, estimator: Any, path: str) -> list[Any]:
        parameters = estimator.get_params(deep=False)
        known = {rule.removesuffix("?") for rule in rules_of(name)}
        left_out = {*parameters, *getattr(estimator, "_left_out", ())}
        attributes = {k: v for k, v in vars(estimator).items() if k not in left_out}
        unknown = sorted(set(attributes) - known)
        if unknown:
            raise refusal(
                f"an attribute of {name} must be one that its fit sets",
                unknown[0],
                f"delete it first (`del estimator.{unknown[0]}`).",
            )
        # Where somebody trained says nothing elsewhere, and whoever loads the model must not write
        # there. Callbacks are objects of other libraries.
        parameters |= {parameter: None for parameter in UNKEPT if parameter in parameters}
        return [self._named(parameters, path), self._named(attributes, path)]

    def _network(self, module: Any, path: str) -> list[Any]:
        return [self._named(module.arguments, path), *self._state(module, path)]

    def _state(self, module: Any, path: str) -> list[Any]:
        """Return what a module has learned: its tensors, by name, and two flags."""
        tensors = {name: _as_array(tensor) for name, tensor in module.state_dict().items()}
        learns = [parameter.requires_grad for parameter in module.parameters()]
        return [self._named(tensors, path), bool(module.training), any(learns)]

    def _own_module(self, value: Any, path: str) -> Any:
        # A module is only one if torch is there: nothing else needs to load it.
        if not hasattr(value, "state_dict") or not hasattr(value, "named_parameters"):
            raise refusal(
                f"`{path or 'the model'}` must be something that a file of plain data can hold",
                f"{type(value).__module__}.{type(value).__qualname__}",
                "use arrays, Spectra, numbers or words, or pickle the model.",
            )
        name = type(value).__name__
        self.modules.setdefault(name, value)
        return {"own": [name, *self._state(value, path)]}


def _plain(value: Any) -> Any:
    if type(value) is float and not np.isfinite(value):
        return {"float": repr(value)}
    if type(value) is int and abs(value) >= LARGEST_EXACT:
        return {"int": str(value)}
    return value


def _field(value: Any, name: str) -> Any:
    """Return a field of an object: a history as plain numbers, a tensor as an array."""
    field = getattr(value, name)
    if name == "history":
        return [{k: _number(v) for k, v in row.items() if k != "batches"} for row in field]
    return _as_array(field) if hasattr(field, "detach") else field


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _as_array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()
