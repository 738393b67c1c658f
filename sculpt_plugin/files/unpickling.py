"""A pickle machine that makes no objects: names, records and plain containers only."""

import pickletools
from collections.abc import Callable
from io import BytesIO
from typing import Any

# Some 100,000 tensors, and about half a minute and a gigabyte at the worst.
MOST_STEPS = 4_000_000

# Only these are dict keys and set members: hashing others can take for ever.
KEYS = (str, bytes, bool, type(None))


class Name:
    """A class or function that a pickle names; nothing was imported.

    Attributes:
        path: The dotted name.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class Record:
    """What a pickle says about one object: how it was made and its state.

    Attributes:
        path: The dotted name of the class or function that would have made it.
        arguments: What would have been passed to that.
        state: What the file says the object's attributes are, `None` if nothing.
    """

    __slots__ = ("arguments", "path", "state")

    def __init__(self, path: str, arguments: tuple[object, ...] = ()) -> None:
        self.path = path
        self.arguments = arguments
        self.state: object = None


class PickleError(ValueError):
    """A pickle is damaged, too long, or does what torch.save does not."""


def unpickle(
    stream: BytesIO,
    *,
    made: Callable[[str, tuple[object, ...]], object] = Record,
    stored: Callable[[object], object] = repr,
    named: Callable[[str], object] = str,
) -> Any:
    """Read one pickle, of any protocol, without making any object it asks for.

    Python's own machine imports what a pickle names and calls it; that is how a pickle
    runs code. In this one a name stays a name, and a call becomes a record. Nothing in
    the pickle can change that, since there is nothing else here to call.

    Args:
        stream: The bytes, read up to the end of the pickle.
        made: Gives what stands in for the call of a name with some arguments.
        stored: Gives what stands in for an object that is stored outside of the pickle.
        named: Told each name as it comes, before anything is made of it.

    Returns:
        Numbers, texts, lists, tuples, dicts and sets, `Name`, and what `made` and
        `stored` give. A key that could be slow to look up becomes an object that is
        equal to nothing else.

    Raises:
        PickleError: The pickle is too long or does what torch.save does not.
        Exception: Anything, where the pickle is damaged.

    Example:
        >>> import pickle
        >>> record = unpickle(BytesIO(pickle.dumps(range(3))))
        >>> record.path, record.arguments
        ('builtins.range', (0, 3, 1))
    """
    machine = _Machine(made, stored, named)
    for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if step > MOST_STEPS:
            raise PickleError(f"a pickle of more than {MOST_STEPS:,} steps")
        machine.take(opcode.name, argument)
    if len(machine.stack) != 1 or machine.marks:
        raise PickleError("a pickle that ends with more than one object")
    return machine.stack[0]


ITSELF = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING",
        "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
        "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "FLOAT", "BINFLOAT",
    }
)  # fmt: skip

NEW: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}

TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

# Renamed since Python 2, which pickles of protocol 2 still speak.
MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class _Machine:
    """The stack of a pickle and what its instructions do to it."""

    def __init__(
        self,
        made: Callable[[str, tuple[object, ...]], object],
        stored: Callable[[object], object],
        named: Callable[[str], object],
    ) -> None:
        self.made, self.stored, self.named = made, stored, named
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def take(self, name: str, argument: Any) -> None:
        """Do one instruction."""
        push, pop = self.stack.append, self.stack.pop
        if name in ITSELF:
            push(argument)
        elif name in NEW:
            push(NEW[name]())
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            push(self.memo[argument])
        elif name == "MARK":
            self.marks.append(self.stack)
            self.stack = []
        elif name in TUPLES:
            count = TUPLES[name]
            if len(self.stack) < count:
                raise PickleError("a pickle that takes more than it has put down")
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif name == "TUPLE":
            items = self._marked()
            self.stack.append(tuple(items))
        elif name == "REDUCE":
            arguments, function = pop(), pop()
            push(self._call(function, arguments))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._name(argument)
        elif name in ("BINPERSID", "PERSID"):
            push(self.stored(pop() if name == "BINPERSID" else argument))
        elif name in ("SETITEM", "SETITEMS", "APPEND", "APPENDS", "ADDITEMS"):
            items = self._marked() if name.endswith("S") else self._last(name)
            _put(self.stack[-1], name, items)
        elif name in ("NEWOBJ", "NEWOBJ_EX"):
            if name == "NEWOBJ_EX":
                pop()
            arguments, kind = pop(), pop()
            push(self._call(kind, arguments))
        elif name == "BUILD":
            self._build(pop())
        else:
            self._rare(name)

    def _rare(self, name: str) -> None:
        """Do an instruction that newer and older programs write."""
        if name in ("LIST", "DICT", "FROZENSET"):
            items = self._marked()
            whole: Any = {"LIST": list, "DICT": dict, "FROZENSET": set}[name]()
            kind = {"LIST": "APPENDS", "DICT": "SETITEMS", "FROZENSET": "ADDITEMS"}
            _put(whole, kind[name], items)
            self.stack.append(whole)
        elif name == "POP":
            # An empty stack means that the mark itself goes.
            if self.stack:
                self.stack.pop()
            else:
                self.stack = self.marks.pop()
        elif name == "POP_MARK":
            self._marked()
        elif name == "DUP":
            self.stack.append(self.stack[-1])
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise PickleError(f"a pickle with {name}, which torch.save does not write")

    def _marked(self) -> list[Any]:
        """Take what was put down since the last mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def _last(self, name: str) -> list[Any]:
        count = 2 if name == "SETITEM" else 1
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _name(self, argument: str | None) -> None:
        if argument is None:
            attribute, module = self.stack.pop(), self.stack.pop()
        else:
            module, _, attribute = argument.partition(" ")
        if not isinstance(module, str) or not isinstance(attribute, str):
            raise PickleError("a pickle that asks for something without a name")
        path = f"{MODULES.get(module, module)}.{attribute}"
        self.named(path)
        self.stack.append(Name(path))

    def _call(self, function: object, arguments: object) -> object:
        if not isinstance(function, Name | Record) or not isinstance(arguments, tuple):
            raise PickleError("a pickle that calls what is no function")
        return self.made(function.path, arguments)

    def _build(self, state: object) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target.state = state
        elif not isinstance(target, dict):
            # A dict is an OrderedDict, whose attributes say nothing about a model.
            raise PickleError("a pickle that changes what is no object")


def _put(whole: object, name: str, items: list[Any]) -> None:
    """Add items to a container; what a record contains is not looked at."""
    if isinstance(whole, Record):
        return
    if name.startswith("SETITEM") and isinstance(whole, dict) and not len(items) % 2:
        pairs = zip(items[::2], items[1::2], strict=True)
        whole.update({key_of(key): value for key, value in pairs})
    elif name.startswith("APPEND") and isinstance(whole, list):
        whole.extend(items)
    elif name == "ADDITEMS" and isinstance(whole, set):
        whole.update(map(key_of, items))
    else:
        raise PickleError("a pickle that adds to what is no container")


def key_of(key: object) -> object:
    """Give a key that is quick to look up, or one that is equal to nothing else.

    Example:
        >>> key_of("weight"), type(key_of((1, 2)))
        ('weight', <class 'object'>)
    """
    if type(key) in KEYS or (type(key) is int and abs(key) < 2**60):
        return key
    return object()
