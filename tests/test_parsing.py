"""How words become options and arguments, and what is said of words that cannot."""

from __future__ import annotations

import pytest
from words import READ, USUAL, options, read

from prototools.cli.parsing import Parser, UsageError, chosen, parsed


@pytest.mark.parametrize("words", READ)
def test_read(words: str) -> None:
    """Options stand anywhere, and after `--` everything is an argument."""
    assert read(words) == {**USUAL, **READ[words]}


#: Words, and the sentence that refuses them.
REFUSED = {
    "": "NET must be given",
    "-q": "NET must be given",
    "--": "NET must be given",
    "a --outptu x": "no such option: --outptu, did you mean --output?",
    "--outptu=x": "no such option: --outptu=x, did you mean --output?",
    "a --out x": "no such option: --out, did you mean --output?",
    "a -x": "no such option: -x",
    "a -1": "no such option: -1",
    "a -o": "argument -o/--output: must have a value; one that begins with a dash is joined to it by =",
    "a -o -q": "argument -o/--output: must have a value; one that begins with a dash is joined to it by =",
    "a --output=": "argument -o/--output: must not be empty",
    "a --quiet=1": "argument -q/--quiet: must have no value, but has '1'",
    "a --seed x": "argument --seed: must be a whole number, but is 'x'",
    "a --seed 1.5": "argument --seed: must be a whole number, but is '1.5'",
    "a -j 0": "argument -j/--jobs: must be at least 1, but is 0",
    "a --phase TRIAN": "argument --phase: must be one of TRAIN, TEST, but is 'TRIAN', did you mean TRAIN?",
    "a --phase x": "argument --phase: must be one of TRAIN, TEST, but is 'x' (see",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused(words: str, capsys) -> None:
    """What cannot be read is said in a sentence, with how the program is called, and ends with 2."""
    with pytest.raises(SystemExit) as end:
        read(words)
    said = capsys.readouterr()
    assert end.value.code == 2 and said.out == "" and REFUSED[words] in said.err
    assert said.err.startswith("usage: program [OPTIONS] NET...\nprogram: ") and said.err.endswith("--help)\n")


def test_long_words(capsys) -> None:
    """No sentence is endless."""
    with pytest.raises(SystemExit):
        read(f"a --phase {'x' * 100_000}")
    said = capsys.readouterr().err
    assert len(said) < 3000 and "must be one of" in said and said.endswith("(see program --help)\n")


def test_a_file_that_looks_like_an_option(tmp_path, monkeypatch, capsys) -> None:
    """Where there is a file of that name, the way to name it is told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-net").write_text("")
    with pytest.raises(SystemExit):
        read("-net")
    assert "no such option: -net; a file of this name must stand behind -- (see" in capsys.readouterr().err
    assert read("-- -net")["nets"] == ["-net"]


def test_required(capsys) -> None:
    """A misspelt option is told before a missing one and a missing argument."""
    for words, sentence in {"--directry x": "did you mean --directory?", "": "-d or --directory must be given"}.items():
        parser = Parser("program", None)
        parser.argument("net", "NET")
        parser.option("-d", "--directory", required=True, help="Where to.")
        with pytest.raises(SystemExit):
            parser.read(words.split())
        assert sentence in capsys.readouterr().err


#: What arguments a parser has, words, and what becomes of them.
ARGUMENTS = [
    ([("a", None), ("b", None)], "x y", {"a": "x", "b": "y"}),
    ([("a", None), ("b", None)], "-- -x -y", {"a": "-x", "b": "-y"}),
    ([("a", None), ("b", None)], "x -- -y", {"a": "x", "b": "-y"}),
    ([("a", None), ("b", None)], "-- -- --", {"a": "--", "b": "--"}),
    ([("a", None), ("b", None)], "x -- --", {"a": "x", "b": "--"}),
    ([("a", None), ("b", None)], "x", "program: B must be given"),
    ([("a", None), ("b", None)], "", "program: A and B must be given"),
    ([("a", "+")], "-- x -- y", {"a": ("x", "--", "y")}),
    ([("a", "?")], "-- --", {"a": "--"}),
    ([("a", None), ("b", None)], "x y z", "one argument too many: 'z'"),
    ([("a", "?")], "", {"a": None}),
    ([("a", "?")], "--", {"a": None}),
    ([("a", "?")], "-", {"a": "-"}),
    ([("a", "?"), ("b", "?")], "x", {"a": "x", "b": None}),
    ([("a", "?")], "x y", "one argument too many: 'y'"),
    ([], "x", "one argument too many: 'x'"),
]


@pytest.mark.parametrize("arguments, words, wanted", ARGUMENTS)
def test_arguments(arguments, words: str, wanted, capsys) -> None:
    """Each argument takes its words, and the next one the rest."""
    parser = Parser("program", None)
    for name, nargs in arguments:
        parser.argument(name, name.upper(), nargs)
    if isinstance(wanted, dict):
        assert parser.read(words.split()) == wanted
        return
    with pytest.raises(SystemExit):
        parser.read(words.split())
    assert wanted in capsys.readouterr().err


def test_help(capsys) -> None:
    """The docstring's paragraphs, the options with their defaults, and no line too long."""
    parser = Parser("program", f"What it does.\n\n    {'Many words. ' * 20}\n    And more.\n    ")
    options(parser)
    with pytest.raises(SystemExit) as end:
        parser.read(["--foo", "-h", "--bar"])
    shown = capsys.readouterr().out
    assert end.value.code == 0 and shown.startswith("usage: program [OPTIONS] NET...\n\nWhat it does.\n\nMany words.")
    assert "Of the numbers. [default: 1]" in shown and "A value. Repeatable." in shown and "Where to.\n" in shown
    assert max(map(len, shown.splitlines())) <= 80


COMMANDS = {"rewrite": "Rewrites.", "upgrade": "Upgrades."}


def test_list_of_commands(capsys) -> None:
    """What a command does is wrapped beside its name; without a version there is no option for it."""
    with pytest.raises(SystemExit):
        chosen("program", None, {**COMMANDS, "rewrite": "Many words. " * 20}, ["-h"])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80 and "\n           Many words." in shown
    with pytest.raises(SystemExit):
        chosen("program", None, COMMANDS, ["--version"])
    assert "no such option: --version" in capsys.readouterr().err and "--version" not in shown


def test_chosen() -> None:
    """The first word is the command, and the others are its own."""
    assert chosen("program", None, COMMANDS, ["rewrite", "-h", "x"], "1.2") == ("rewrite", ["-h", "x"])


@pytest.mark.parametrize("words, code, sentence", [
    ("", 2, "rewrite  Rewrites."), ("-h", 0, "rewrite  Rewrites."), ("--help rewrite", 0, "upgrade  Upgrades."),
    ("--version", 0, "prototools 1.2"), ("rewrit", 2, "no such command: 'rewrit', did you mean rewrite?"),
    ("xyz", 2, "no such command: 'xyz' (see"), ("-x", 2, "no such option: -x"),
    ("--vers", 2, "did you mean --version?"), ("--hepl", 2, "did you mean --help?"),
    ("--", 2, "rewrite  Rewrites."),
])
def test_no_command(words: str, code: int, sentence: str, capsys) -> None:
    """Help, version, or what is wrong; help that was asked for is the product."""
    with pytest.raises(SystemExit) as end:
        chosen("program", "What it does.", COMMANDS, words.split(), "1.2")
    said = capsys.readouterr()
    assert end.value.code == code and sentence in (said.err if code else said.out)
    assert not (said.out if code else said.err)


def test_parsed(capsys) -> None:
    """A function becomes a command; words that mean nothing together are refused like words that cannot be read."""
    @parsed(options)
    def both(nets, output, **others) -> int:
        """Takes one net."""
        if output and len(nets) > 1:
            raise UsageError("-o takes one NET")
        return len(nets)

    assert both("program", ["a", "b"]) == 2 and both.__doc__ == "Takes one net."
    with pytest.raises(SystemExit) as end:
        both("program", ["a", "b", "-o", "x"])
    assert end.value.code == 2 and "program: -o takes one NET (see program --help)" in capsys.readouterr().err
