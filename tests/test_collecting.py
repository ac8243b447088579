"""Python searches for circles again once a text is read, and only where it did before."""

from __future__ import annotations

import gc

import pytest

from prototools import parse
from prototools.collecting import collecting_later
from prototools.errors import ProtoTextError


@pytest.fixture(params=[True, False], ids=["it searches", "it does not"])
def searching(request):
    """Whether the program that calls lets Python search; put back afterwards."""
    was = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was else gc.disable)()


def test_as_it_was(searching: bool) -> None:
    """After a text, a broken text, and one pause inside another."""
    parse(b"layer { }")
    assert gc.isenabled() == searching
    with pytest.raises(ProtoTextError):
        parse(b"layer {")
    assert gc.isenabled() == searching
    with collecting_later():
        parse(b"layer { }")
        assert not gc.isenabled()
    assert gc.isenabled() == searching
