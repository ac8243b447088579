"""When Python searches for circles of objects, of which trees and nets have few and many objects to search."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def collecting_later() -> Iterator[None]:
    """No search while a text is read or a net is in work: of millions of messages it takes a third of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
