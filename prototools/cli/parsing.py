"""How the words of a command are read, and what is said of words that cannot be.

It stands on argparse, because every command pays for what is imported before it begins.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from typing import IO, Any, Callable, Dict, Iterable, List, Mapping, NoReturn, Optional, Sequence, Tuple

from prototools.cli.verdict import FAILED, say

#: Columns of the help. A fixed number, because asking the terminal imports half of Python's archives.
WIDTH = 80

#: How an argument is shown, by how many words it takes.
SHOWN = {None: "{}", "?": "[{}]", "+": "{}..."}

#: What argparse says of words, and what is said here: what must hold, and how that is done.
SENTENCES = {
    ": expected one argument": ": must have a value; one that begins with a dash is joined to it by =",
    ": ignored explicit argument": ": must have no value, but has",
}

Command = Callable[[str, Sequence[str]], int]


class UsageError(Exception):
    """Words that mean nothing together: what must hold, and what was found."""


class Parser(argparse.ArgumentParser):
    """The options and arguments of a command; its docstring is the help.

    Options stand before, between and behind the arguments; after `--` every word is an argument.
    """

    def __init__(self, program: str, docstring: Optional[str]) -> None:
        self._names: List[str] = []
        layout: Any = functools.partial(argparse.RawDescriptionHelpFormatter, width=WIDTH)
        super().__init__(program, usage=f"{program} [OPTIONS]", formatter_class=layout, allow_abbrev=False)
        self._docstring = docstring or ""
        self._required: List[argparse.Action] = []
        self._arguments: List[Tuple[str, str, Optional[str]]] = []

    def argument(self, name: str, metavar: str, nargs: Optional[str] = None) -> None:
        """The next argument: one word, with `?` one or none, with `+` one or more."""
        self._arguments.append((name, metavar, nargs))
        self.usage = f"{self.usage} {SHOWN[nargs].format(metavar)}"

    def option(self, *names: str, required: bool = False, **settings: Any) -> None:
        """An option with a value; the help tells its default. Where it has none, an empty value means nothing."""
        if settings.get("default", "") != "":
            settings["help"] += " [default: %(default)s]"
        if "default" not in settings:
            settings.setdefault("type", not_empty)
        action = self.add_argument(*names, **settings)
        # Not argparse's own mark, because a misspelt option is to be told before a missing one.
        self._required += [action] * required

    def repeatable(self, *names: str, **settings: Any) -> None:
        """An option with a value that may be given more than once; its values are a tuple."""
        settings["help"] += " Repeatable."
        self.add_argument(*names, action="append", default=[], **settings)

    def flag(self, *names: str, **settings: Any) -> None:
        """An option without a value."""
        self.add_argument(*names, action="store_true", **settings)

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        """As argparse's own; the name is kept, to be told to whoever misspells it, and so is each choice."""
        self._names += names
        if "choices" in settings:
            settings["type"] = one_of(settings["choices"])
        return super().add_argument(*names, **settings)

    def read(self, words: Sequence[str]) -> Dict[str, Any]:
        """The values of the options and arguments, by their names in Python."""
        end = words.index("--") if "--" in words else len(words)
        found, left = self.parse_known_args(words[:end])
        for word in left:
            if word.startswith("-") and word != "-":
                hint = "; a file of this name must stand behind --" if os.path.exists(word) else ""
                self.error(f"no such option: {word}{hint or meant(word.partition('=')[0], self._names)}")
        for action in self._required:
            if getattr(found, action.dest) is None:
                self.error(f"{' or '.join(action.option_strings)} must be given")
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in vars(found).items()}
        return {**options, **self._filled([*left, *words[end + 1:]])}

    def _filled(self, words: Sequence[str]) -> Dict[str, Any]:
        """The arguments' values; not argparse's work, which takes a `--` for no word wherever it stands."""
        values: Dict[str, Any] = {}
        for name, _, nargs in self._arguments:
            taken, words = (words, []) if nargs == "+" else (words[:1], words[1:])
            values[name] = tuple(taken) if nargs == "+" else taken[0] if taken else None
        missing = [metavar for name, metavar, nargs in self._arguments if nargs != "?" and values[name] in (None, ())]
        if missing:
            self.error(f"{' and '.join(missing)} must be given")
        if words:
            self.error(f"one argument too many: {words[0]!r}")
        return values

    def format_help(self) -> str:
        """The docstring, each paragraph filled, and the options."""
        import textwrap

        lines = self._docstring.split("\n", 1)
        paragraphs = "\n".join([lines[0], *map(textwrap.dedent, lines[1:])]).strip().split("\n\n")
        self.description = "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)
        return super().format_help()

    def print_help(self, file: Optional[IO[str]] = None) -> None:
        """Print the help; where argparse would hide that it cannot be written, the error comes through."""
        print(self.format_help(), end="", file=file or sys.stdout)

    def error(self, message: str) -> NoReturn:
        """Say how the command is called and what is wrong, and leave with 2."""
        for theirs, ours in SENTENCES.items():
            message = message.replace(theirs, ours)
        say(f"usage: {self.usage}\n{self.prog}: {message} (see {self.prog} --help)")
        sys.exit(FAILED)


def parsed(options: Callable[[Parser], None]) -> Callable[[Callable[..., int]], Command]:
    """Makes a command of a function that takes what its `options` add to a parser.

    The command takes its name and its words, and gives its verdict.
    """

    def decorate(function: Callable[..., int]) -> Command:
        @functools.wraps(function)
        def command(program: str, words: Sequence[str]) -> int:
            parser = Parser(program, function.__doc__)
            options(parser)
            values = parser.read(words)
            try:
                return function(**values)
            except UsageError as error:
                parser.error(str(error))

        return command

    return decorate


def chosen(program: str, docstring: Optional[str], commands: Mapping[str, str], words: Sequence[str],
           version: str = "") -> Tuple[str, Sequence[str]]:
    """The command that the first word names, and the words that are left for it.

    `--version` is an option where there is a version to tell.
    """
    if words and words[0] in commands:
        return words[0], words[1:]
    parser = Parser(program, docstring)
    if version:
        parser.flag("--version", help="Show the version and exit.")
    parser.argument("command", "COMMAND", nargs="?")
    parser.usage = f"{program} COMMAND ..."
    parser.epilog = _table(commands)
    found = parser.read(words[:1])
    if found.get("version"):
        print(f"prototools {version}")
        sys.exit(0)
    if found["command"] is None:
        parser.print_help(sys.stderr)
        sys.exit(FAILED)
    parser.error(f"no such command: {found['command']!r}{meant(found['command'], commands)}")


def _table(commands: Mapping[str, str]) -> str:
    import textwrap

    wide = max(map(len, commands)) + 2
    rows = [textwrap.fill(f"  {name:{wide}}{about}", WIDTH, subsequent_indent=" " * (wide + 2))
            for name, about in commands.items()]
    return "\n".join(["commands:", *rows])


def meant(word: str, words: Iterable[str]) -> str:
    """The word that was meant, as a question, where there is one like it."""
    from difflib import get_close_matches

    near = get_close_matches(word, words, 1)
    return f", did you mean {near[0]}?" if near else ""


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """The value of an option that takes one of these words."""
    def choice(text: str) -> str:
        if text not in choices:
            hint = meant(text, choices)
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(choices)}, but is {text!r}{hint}")
        return text

    return choice


def not_empty(text: str) -> str:
    """The value of an option that takes a name."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def whole_number(text: str) -> int:
    """The value of an option that takes a number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, but is {text!r}") from None


def count(text: str) -> int:
    """The value of an option that takes a number of things, at least one."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but is {number}")
    return number
