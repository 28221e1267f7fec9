"""A model from a tree of plain values that a stranger may have written.

Nothing larger than the file is ever allocated, and no class that is not in the table is made.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from spectragan.exceptions import ModelFileError
from spectragan.files.classes import HOME_OF, PLACE, Rules, class_of, kind_of, rules_of
from spectragan.files.layout import DAMAGED, refusal
from spectragan.files.rules import SizeBook, check_values
from spectragan.files.values import CODECS, SAVE_AGAIN

# A size that a network was made with is at most so many times as large as its tensors together:
# pooling by four is what shrinks spectra most between the input and the first large layer.
LARGEST_RATIO = 4
SMALLEST_LIMIT = 64


def build_object(name: str, values: dict[str, Any]) -> Any:
    """Return an object of the table, made of its fields.

    Parameters
    ----------
    name : str
        Of its class.
    values : dict of str to object
        Checked.

    Returns
    -------
    value : object
    """
    cls = class_of(name)
    return cls._from_file(values) if hasattr(cls, "_from_file") else cls(**values)


def build_network(name: str, arguments: dict[str, Any], tensors: Mapping[str, Any]) -> Any:
    """Return a network of the table without memory for its tensors.

    Parameters
    ----------
    name : str
        Of its class.
    arguments : dict of str to object
        Sizes, checked to be such.
    tensors : mapping of str to ndarray
        What it is to hold.

    Returns
    -------
    network : torch.nn.Module
        On torch's "meta" device.
    """
    import torch

    limit = SMALLEST_LIMIT + LARGEST_RATIO * sum(array.size for array in tensors.values())
    for argument, value in arguments.items():
        for size in value if isinstance(value, list | tuple) else [value]:
            if size > limit:
                raise refusal(f"{name} must be no larger than its tensors: {argument}", size)
    cls = class_of(name)
    with torch.device("meta"):
        return getattr(cls, "_from_file", lambda sizes: cls(**sizes))(arguments)


def fill_module(
    module: Any,
    tensors: Mapping[str, np.ndarray],
    training: bool,
    learns: bool,
    remedy: str = DAMAGED,
) -> Any:
    """Give a module its tensors; they aren't copied.

    Parameters
    ----------
    module : torch.nn.Module
        With the names and shapes of the tensors.
    tensors : mapping of str to ndarray
    training, learns : bool
        Its mode, and whether its parameters have gradients.
    remedy : str
        What to do if they don't fit.

    Returns
    -------
    module : torch.nn.Module
        The same.

    Raises
    ------
    ModelFileError
        If the tensors aren't those of such a module.
    """
    import torch

    expected = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    given = {name: array.shape for name, array in tensors.items()}
    if given != expected:
        wrong = sorted(n for n in {*given, *expected} if given.get(n) != expected.get(n))
        raise refusal(
            f"the tensors of {type(module).__name__} must have its names and shapes, "
            f"{wrong[0]!r} {expected.get(wrong[0], 'none')}",
            given.get(wrong[0], "none"),
            remedy,
        )
    for name, tensor in module.state_dict().items():
        if (tensors[name].dtype.kind == "f") != tensor.is_floating_point():
            raise refusal(
                f"tensor {name!r} must be of the type {tensor.dtype}", tensors[name].dtype
            )
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    module.load_state_dict(state, assign=True)
    module.requires_grad_(bool(learns))
    return module.train(bool(training))


LONGEST_INTEGER = 40  # digits


class Decoder:
    """Decodes one model.

    Parameters
    ----------
    tensors : dict of str to ndarray
        Every array of the file.
    modules : mapping of str to torch.nn.Module
        Networks that aren't of this package, by the names of their classes.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], modules: Mapping[str, Any]) -> None:
        self._tensors = tensors
        self._modules = modules
        self._used: set[str] = set()
        self._objects: list[Any] = []
        self._book = SizeBook()
        self._kinds: dict[str, Callable[[Any], Any]] = {
            "array": self._array,
            "dict": self._dict,
            "estimator": self._estimator,
            "float": lambda text: {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}[text],
            "floats": self._floats,
            "int": _long_integer,
            "network": self._network,
            "object": self._object,
            "own": self._own,
            "same": self._same,
            "scalar": self._scalar,
            "tuple": lambda nodes: tuple(self.decode(node) for node in nodes),
        }

    def model(self, node: Any) -> Any:
        """Return the model of the whole tree, which must use every array.

        Parameters
        ----------
        node : object
            As `Encoder.encode` makes it.

        Returns
        -------
        model : object

        Raises
        ------
        ModelFileError
            If the tree isn't that of a model.
        """
        if not isinstance(node, dict) or not set(node) & {"estimator", "object"}:
            raise refusal("the file must hold an estimator", type(node).__name__)
        try:
            model = self.decode(node)
        except ModelFileError:
            raise
        # Whatever values of a stranger do to the constructors they are handed to.
        except Exception as error:
            raise refusal("the model must be complete", type(error).__name__) from error
        unused = sorted(set(self._tensors) - self._used)
        if unused:
            raise refusal("the model must use every tensor", f"{unused[0]} besides")
        return model

    def decode(self, node: Any) -> Any:
        """Return the value of a node.

        Parameters
        ----------
        node : object

        Returns
        -------
        value : object
        """
        if isinstance(node, list):
            return [self.decode(part) for part in node]
        if not isinstance(node, dict):
            return node
        ((kind, content),) = node.items()
        if kind in self._kinds:
            return self._kinds[kind](content)
        if kind not in CODECS:
            raise refusal("a value must be of a known kind", kind)
        return CODECS[kind].together([self.decode(part) for part in content])

    def _array(self, content: Any) -> np.ndarray:
        name, order = (content, None) if isinstance(content, str) else content
        self._used.add(name)
        array = self._tensors[name]
        if order is None:
            return array
        if sorted(order) != list(range(array.ndim)):
            raise refusal("the axes of an array must be in some order", order)
        return array.transpose(np.argsort(order))

    def _floats(self, name: str) -> list[float]:
        if name in self._used:  # a copy each time: a short file could fill the memory
            raise refusal("a list of numbers must be used once", name)
        array = self._array(name)
        if array.ndim != 1 or array.dtype != np.float64:
            raise refusal("a list of numbers must be one", f"{array.dtype} {array.shape}")
        return array.tolist()

    def _scalar(self, name: str) -> Any:
        array = self._array(name)
        if array.ndim:
            raise refusal("a number must have no dimensions", array.shape)
        return array[()]

    def _dict(self, pairs: Any) -> dict[Any, Any]:
        return {self.decode(key): self.decode(value) for key, value in pairs}

    def _named(self, nodes: dict[str, Any]) -> dict[str, Any]:
        return {name: self.decode(node) for name, node in nodes.items()}

    def _same(self, number: int) -> Any:
        if type(number) is not int or not 0 <= number < len(self._objects):
            raise refusal("a repeated object must have been there before", number)
        return self._objects[number]

    def _made(self, name: str, value: Any, sizes: dict[str, int]) -> Any:
        self._book.note(value, name, sizes)
        self._objects.append(value)
        return value

    def _estimator(self, content: Any) -> Any:
        name, parameters, attributes = content
        _check_class(name, "estimator")
        cls = class_of(name)
        gone = getattr(cls, "_gone", ())
        parameters = {key: value for key, value in parameters.items() if key not in gone}
        unknown = sorted(set(parameters) - set(inspect.signature(cls).parameters))
        if unknown:
            raise refusal(
                f"{name} must have the parameters of this version of spectragan",
                unknown[0],
                "install a newer spectragan.",
            )
        if parameters.get(PLACE) is not None:
            raise refusal("a file must not say where to write: no `checkpoint`", parameters[PLACE])
        estimator: Any = cls(**self._named(parameters))
        values = self._named(attributes)
        sizes = check_values(name, values, rules_of(name), self._book) if values else {}
        vars(estimator).update(values)
        if values and hasattr(cls, "_after_loading"):
            estimator._after_loading()
        return self._made(name, estimator, sizes)

    def _object(self, content: Any) -> Any:
        name, fields = content
        _check_class(name, "object")
        values = self._named(fields)
        sizes = check_values(name, values, rules_of(name), self._book)
        return self._made(name, build_object(name, values), sizes)

    def _network(self, content: Any) -> Any:
        name, arguments, state, training, learns = content
        _check_class(name, "network")
        values, tensors = self._named(arguments), self._named(state)
        sizes = check_values(name, values, rules_of(name), self._book)
        network = build_network(name, values, tensors)
        return self._made(name, fill_module(network, tensors, training, learns), sizes)

    def _own(self, content: Any) -> Any:
        name, state, training, learns = content
        if name not in self._modules:
            raise refusal(
                "a network that isn't of spectragan must be given when its model is loaded",
                f"none of class {name}",
                f"call load(path, modules={{{name!r}: module}}) with one of the same shape.",
            )
        network = _copied(self._modules[name])
        tensors = self._named(state)
        remedy = "give one that was made with the same sizes."
        return self._made("own", fill_module(network, tensors, training, learns, remedy), {})


def _check_class(name: Any, kind: str) -> None:
    if not isinstance(name, str) or name not in HOME_OF or kind_of(name) != kind:
        raise refusal(f"a file may only hold classes of spectragan where it says {kind}", name)


def _long_integer(text: str) -> int:
    if len(text) > LONGEST_INTEGER:
        raise refusal("a number must be short", text, SAVE_AGAIN)
    return int(text)


def _copied(module: Any) -> Any:
    from copy import deepcopy

    return deepcopy(module)


class LoadedNet:
    """A trained module with its history; it can't be trained on.

    Parameters
    ----------
    module_ : torch.nn.Module
        Trained.
    history : list of dict
        One row per epoch.

    Examples
    --------
    >>> from spectragan.files.decoding import LoadedNet
    >>> LoadedNet(None, [{"epoch": 1, "train_loss": 0.5}]).history[:, "train_loss"]
    [0.5]
    """

    _kept: ClassVar[Rules] = {"module_": "EmulatorNetwork|StarNet l p", "history": "epochs"}

    def __init__(self, module_: Any, history: list[dict[str, Any]]) -> None:
        from skorch.history import History

        self.module_ = module_
        self.history = History(history)
