"""Fuzz the commands with mutated networks:

    PYTHONPATH=tests python tests/fuzz/commands.py COMMAND SECONDS FOLDER...

Needs nothing but Python. Seeds are files, such as the corpus and, for render, `templates/`. What ends in an error of
Python's, or takes longer than `PATIENCE`, is stored as found-* in the current folder, and kept as a case in
tests/cases/fuzz when it is mended.
"""

from __future__ import annotations

import random
import re
import resource
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Callable, List, NoReturn, Sequence, Tuple

from command_line import call

#: Seconds and bytes that no small network may need.
PATIENCE, MEMORY = 25, 3 << 30

TOKEN = re.compile(rb'"[^"\n]*"|#[^\n]*|[\w.+-]+|\s+|.', re.S)
VALUES = (b'0 -1 1 3 0.5 -0.0 2147483647 2147483648 -2147483648 18446744073709551615 99999999999999999999999999 1e38 '
          b'1e400 inf -inf nan 0x10 010 1f true MAX TEST "" "x" "data" "\xff" "../x" $X ${Y} {} <> [] '
          b'[1,2] {a:1}').split()

Tokens = List[bytes]


def lose(tokens: Tokens, place: int, other: Tokens) -> None:
    """A few tokens less."""
    del tokens[place : place + random.choice((1, 1, 5, 40))]


def double(tokens: Tokens, place: int, other: Tokens) -> None:
    """A few tokens twice."""
    tokens[place:place] = tokens[place : place + random.choice((1, 1, 5, 40))] + [b" "]


def swap(tokens: Tokens, place: int, other: Tokens) -> None:
    """One token for another of the file."""
    tokens[place] = random.choice(tokens)


def set_value(tokens: Tokens, place: int, other: Tokens) -> None:
    """An odd value for the next one."""
    values = (i for i in range(place, len(tokens)) if re.match(rb'[-+.\d"]|[A-Z]+$|(true|false)$', tokens[i]))
    tokens[next(values, place)] = random.choice(VALUES)


def splice(tokens: Tokens, place: int, other: Tokens) -> None:
    """A piece of another file."""
    begin = random.randrange(len(other))
    tokens[place:place] = [b" ", *other[begin : begin + random.randrange(60)], b" "]


def cut(tokens: Tokens, place: int, other: Tokens) -> None:
    """Only the head, now and then."""
    if random.random() < 0.2:
        del tokens[place:]


MUTATIONS: Tuple[Callable[[Tokens, int, Tokens], None], ...] = (lose, double, swap, set_value, set_value, splice, cut)


def mutated(seeds: Sequence[Tokens]) -> bytes:
    """A seed with one to four mutations."""
    tokens = list(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(MUTATIONS)(tokens, random.randrange(len(tokens)), random.choice(seeds))
        tokens = tokens or [b" "]
    return b"".join(tokens)


def judge(command: Sequence[str], path: Path) -> str:
    """What is wrong with a command's answer; nothing where it is a result or an error of ours."""
    signal.alarm(PATIENCE)
    try:
        done = call([*command, str(path)])
    except TooSlow:
        return f"takes more than {PATIENCE} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    silent = done.exit_code and not done.output.strip()
    return f"ends with {done.exit_code}: {done.output}" if silent or done.exit_code not in (0, 1, 2) else ""


class TooSlow(BaseException):
    """The patience is over."""


def too_slow(*_: object) -> NoReturn:
    raise TooSlow


def fuzz(command: str, seconds: float, folders: Sequence[str]) -> None:
    """Try mutated seeds for so long."""
    files = [path for folder in folders for path in sorted(Path(folder).rglob("*"))
             if path.is_file() and path.stat().st_size < 50_000]
    seeds = [TOKEN.findall(path.read_bytes()) or [b" "] for path in files]
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data, count = mutated(seeds), count + 1
        path = Path(f"found-{sha256(data).hexdigest()[:8]}.prototxt" + ".j2" * (command == "render"))
        path.write_bytes(data)
        wrong = judge(command.split(), path)
        if wrong:
            print(f"{path}: {wrong}", flush=True)
        else:
            path.unlink()
    print(f"{command}: {count} networks")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    fuzz(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
