"""The errors of building networks, each of the kind that a script for pycaffe catches too."""

from __future__ import annotations

from collections.abc import Iterable

from prototools import schema
from prototools.errors import SchemaError


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'kernel_size'?` for `kernel` or `kernal_size`, an empty string for what is near to none.

    Of several names that begin so, the first, which is the most usual.
    """
    known = list(known)
    longer = [full for full in known if len(name) > 1 and full.startswith(name)]
    return f"; did you mean {longer[0]!r}?" if longer else schema.did_you_mean(name, known)


class UnknownFieldError(SchemaError, AttributeError):
    """A setting that no message of the layer has; pycaffe raises AttributeError."""


class WrongValueError(SchemaError, TypeError):
    """A value of a type that the field does not take; pycaffe raises TypeError."""


class WrongStructureError(WrongValueError, AttributeError):
    """A list or a dict where the field takes none, or the other way round.

    pycaffe raises AttributeError for some of these and TypeError for others.
    """


class UnknownTopError(SchemaError, AttributeError, KeyError):
    """A name that the NetSpec does not have; pycaffe raises KeyError, `hasattr` needs the other.

    `args` is the name alone, as in a KeyError.
    """

    def __init__(self, top_name: str, known: Iterable[str] = ()):
        super().__init__(top_name)
        self.known = tuple(known)

    def __str__(self) -> str:
        near = schema.did_you_mean(str(self.args[0]), self.known) or "; assign it first."
        return f"the NetSpec has no top {self.args[0]!r}{near}"
