"""What goes wrong in the world: killed processes, full disks, odd targets, broken and hostile files."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Sequence, Tuple

import pytest
from caffemodels import model
from command_line import call

from prototools import files, weights
from prototools.cli import COMMANDS, main

PROJECT = Path(__file__).resolve().parents[1]

NET = b"""# a net
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
layer { name: "up" type: "Interp" bottom: "data" top: "up" interp_param { zoom_factor: 2 } }
"""


#: Weights for NET, with an entry of the layer that is replaced.
WEIGHTS = model(("fc", "InnerProduct", [range(50)]), ("up", "Interp", []), ("fd", "InnerProduct", [range(7)]))


def rewritten(text: bytes = NET) -> bytes:
    from prototools import rewrite

    return rewrite(text).text


def prototools(*words: Any, **settings: Any) -> subprocess.CompletedProcess:
    """The real command in a process of its own; what it says must be sentences."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **settings.pop("environment", {})}
    done = subprocess.run([sys.executable, "-m", "prototools", *map(os.fspath, words)],
                          env=environment, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings})
    assert b"Traceback" not in (done.stderr or b"") and b"Exception" not in (done.stderr or b""), done.stderr
    return done


# ---------------------------------------------------------------- kill -9

#: Where Python's calls to the system live, and the rooms of ours in which, or below which, files are written.
SYSTEM, ROOMS = ("posix", "io", "_io", "mmap"), ("prototools.files", "prototools.weights")


def calls_the_system(frame: Any, called: Any) -> bool:
    """Whether a call of C may be one after which the disk is another: any at all, whoever makes it for our rooms."""
    if called.__module__ not in SYSTEM and type(called.__self__).__module__ not in SYSTEM:
        return False
    while frame is not None and frame.f_globals.get("__name__") not in ROOMS:
        frame = frame.f_back
    return frame is not None


def died_at(step: int, words: Sequence[str]) -> bool:
    """Run a command in a child that is killed just before its `step`-th such call; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [step]

        def count(frame: Any, event: str, called: Any) -> None:
            if event == "c_call" and calls_the_system(frame, called):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.setprofile(count)
        try:
            main(words)
        except SystemExit as error:
            os._exit(error.code or 0)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def killed_everywhere(words: Sequence[str], prepare: Callable[[], None], check: Callable[[], None]) -> int:
    """Kill the command at each of its steps, one after the other; how many there were."""
    for step in range(1000):
        prepare()
        died = died_at(step, words)
        check()
        if not died:
            return step
    raise AssertionError("the command does not end")


def test_killed_while_it_rewrites_in_place(tmp_path: Path) -> None:
    """The old file or the new one is there, whole, and the next run finishes the job."""
    net, found = tmp_path / "net.prototxt", set()

    def check() -> None:
        found.add(net.read_bytes())
        assert prototools_in_place(net) == rewritten()

    steps = killed_everywhere(["rewrite", "-q", "--in-place", str(net)], lambda: fresh(net, NET), check)
    assert steps >= 6 and found == {NET, rewritten()}


def prototools_in_place(net: Path) -> bytes:
    assert call(["rewrite", "-q", "--in-place", str(net)]).exit_code == 0
    return net.read_bytes()


def fresh(path: Path, data: bytes) -> None:
    """A file as it was, and no other beside it."""
    for other in path.parent.iterdir():
        other.unlink()
    path.write_bytes(data)


def test_killed_while_it_patches_weights(tmp_path: Path) -> None:
    """Net and weights in place: each is old or new, whole; the old net loads either; the next run finishes both."""
    net, caffemodel = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    old, found = WEIGHTS, set()
    words = ["rewrite", "-q", str(net), "--in-place", "--weights", str(caffemodel), "--weights-out", str(caffemodel)]

    def prepare() -> None:
        fresh(net, NET)
        caffemodel.write_bytes(old)

    prepare()
    assert call(words).exit_code == 0
    new = caffemodel.read_bytes()
    assert new != old

    def check() -> None:
        state = (net.read_bytes() == NET, caffemodel.read_bytes() == old)
        assert (net.read_bytes(), caffemodel.read_bytes()) in (
            (NET, old), (NET, new), (rewritten(), new)), "a half of one of them, or a new net with old weights"
        found.add(state)
        assert call(words).exit_code == 0
        assert (net.read_bytes(), caffemodel.read_bytes()) == (rewritten(), new)

    steps = killed_everywhere(words, prepare, check)
    assert steps >= 12 and found == {(True, True), (True, False), (False, False)}


# ---------------------------------------------------------------- where nothing can be written


def test_a_full_device(tmp_path: Path) -> None:
    """A sentence and exit code 2, on standard output and as a target, for every command that prints."""
    net = tmp_path / "net.prototxt"
    net.write_bytes(NET)
    with open("/dev/full", "w") as full:
        for words in (["rewrite", net], ["shapes", net], ["shapes", net, "--json"], ["upgrade", net], ["rules"],
                      ["--help"], ["--version"],
                      ["render", "unet.prototxt.j2"]):
            done = prototools(*words, stdout=full)
            assert done.returncode == 2, words
            assert done.stderr.splitlines()[-1] == b"standard output: cannot be written: No space left on device"
    done = prototools("rewrite", net, "-o", "/dev/full")
    assert done.returncode == 2 and b"/dev/full: cannot be written: No space left" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["rewrite", "net.prototxt"], ["rewrite", "missing"], ["rewrit"], ["rewrite", "-x"]])
def test_commentary_on_a_full_device(words: Sequence[str], unbuffered: str, tmp_path: Path) -> None:
    """Nothing can be said, but the exit code says it."""
    (tmp_path / "net.prototxt").write_bytes(NET)
    with open("/dev/full", "w") as full:
        for out in (subprocess.PIPE, full):
            done = prototools(*words, cwd=tmp_path, stdout=out, stderr=full,
                              environment={"PYTHONUNBUFFERED": unbuffered})
            assert done.returncode == 2


def test_a_closed_pipe(tmp_path: Path) -> None:
    """Nobody reads on: no words, and not exit code 0."""
    net = tmp_path / "net.prototxt"
    net.write_bytes(NET + b"# %s\n" % (b"x" * (1 << 20)))
    reader, writer = os.pipe()
    os.close(reader)
    done = prototools("rewrite", "-q", net, stdout=writer)
    os.close(writer)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"1 layer rewritten" in done.stderr


CHINESE = "\u4e0a\u91c7\u6837"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "gbk", "latin-1"])
@pytest.mark.parametrize("name", [CHINESE.encode(), CHINESE.encode("gbk"), "\xfcber".encode(), b"\xff"])
def test_names_of_any_language(name: bytes, encoding: str, tmp_path: Path) -> None:
    """They come out, whatever standard output is said to take; where it has no such letters, as they came in."""
    net = tmp_path / "net.prototxt"
    net.write_bytes(NET.replace(b'"up"', b'"%s"' % name))
    for words, code in (["shapes", net], 0), (["check", net], 1), (["rewrite", "--diff", net], 1):
        done = prototools(*words, environment={"PYTHONIOENCODING": encoding})
        assert done.returncode == code and (name in done.stdout or name.decode().encode(encoding) in done.stdout)


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_descriptors(closed: int, tmp_path: Path) -> None:
    """Started without standard input, output or error: no file takes their place."""
    net = tmp_path / "net.prototxt"
    net.write_bytes(NET)
    code = (f"import os, sys; os.close({closed}); "
            "os.execv(sys.executable, [sys.executable, '-m', 'prototools', *sys.argv[1:]])")
    done = subprocess.run([sys.executable, "-c", code, "rewrite", "--in-place", str(net)], capture_output=True,
                          env={**os.environ, "PYTHONPATH": str(PROJECT)})
    assert done.returncode == 0 and b"Traceback" not in done.stderr and net.read_bytes() == rewritten()


@pytest.mark.parametrize("command", ["rewrite", "upgrade", "deploy", "shapes", "check", "to-python"])
def test_closed_standard_input(command: str) -> None:
    """It is no empty network, which a result could be made of."""
    done = prototools(command, "-", preexec_fn=lambda: os.close(0))
    assert done.returncode == 2 and done.stdout == b"" and b"-: cannot be read: Bad file descriptor" in done.stderr


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB; only root can make one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(little_disk: Path, tmp_path: Path) -> None:
    """The old files stay whole, and nothing is left behind."""
    net, caffemodel = little_disk / "net.prototxt", little_disk / "net.caffemodel"
    text = NET + b"# %s\n" % (b"x" * 40000)
    net.write_bytes(text)
    done = prototools("rewrite", "--in-place", net)
    assert done.returncode == 2 and b"cannot be written: No space left on device" in done.stderr
    assert net.read_bytes() == text and os.listdir(little_disk) == ["net.prototxt"]
    source = tmp_path / "in.caffemodel"
    source.write_bytes(weights.encode(weights.NewLayer("fc", "InnerProduct", [((1 << 16,), bytes(1 << 18))])))
    done = prototools("rewrite", net, "-o", tmp_path / "out", "--weights", source, "--weights-out", caffemodel)
    assert done.returncode == 2 and os.listdir(little_disk) == ["net.prototxt"] and not (tmp_path / "out").exists()


def test_a_limit_on_file_sizes(tmp_path: Path) -> None:
    """The same without root: a process may write no more than so many bytes."""
    net = tmp_path / "net.prototxt"
    text = NET + b"# %s\n" % (b"x" * 100_000)
    net.write_bytes(text)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = prototools("rewrite", "--in-place", net, preexec_fn=limit)
    assert done.returncode == 2 and b"cannot be written: File too large" in done.stderr
    assert net.read_bytes() == text and os.listdir(tmp_path) == ["net.prototxt"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["rewrite", "net.prototxt"], ["makefile"], ["shapes", "net.prototxt"]])
def test_a_limit_on_standard_output(words: Sequence[str], unbuffered: str, tmp_path: Path) -> None:
    """What is cut off is no success, even where Python writes without a buffer and the first part fits."""
    (tmp_path / "net.prototxt").write_bytes(NET + b"# %s\n" % (b"x" * 5000))
    with open(tmp_path / "out", "wb") as out:
        done = prototools(*words, stdout=out, cwd=tmp_path, environment={"PYTHONUNBUFFERED": unbuffered},
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    assert done.returncode == 2 and done.stderr.endswith(b"standard output: cannot be written: File too large\n")


def in_a_child(prepare: Callable[[], None], words: Sequence[str]) -> Tuple[int, str]:
    """Run a command that has run here before in a child of this process: its exit code, and what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 2)
        sys.stderr = os.fdopen(2, "w")
        try:
            prepare()
            main(list(words))
        except SystemExit as error:
            sys.stderr.flush()
            os._exit(error.code or 0)
        finally:
            os._exit(99)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    return os.WEXITSTATUS(os.waitpid(child, 0)[1]), text


def as_nobody() -> None:
    """Permissions do not bind root."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


def test_a_read_only_folder_and_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder that takes no new file is a sentence; a file that may not be written to is the user's to replace."""
    here = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        here.chmod(0o755)
        net = here / "net.prototxt"
        net.write_bytes(NET)
        net.chmod(0o444)
        here.chmod(0o555)
        assert in_a_child(as_nobody, ["rewrite", "-q", "--in-place", str(net)]) == (
            2, f"{net}: 1 layer rewritten, 0 refused\n{net}: cannot be written: Permission denied\n")
        assert net.read_bytes() == NET and os.listdir(here) == ["net.prototxt"]
        here.chmod(0o755)
        assert prototools("rewrite", "--in-place", net).returncode == 0
        assert net.read_bytes() == rewritten() and stat.S_IMODE(net.stat().st_mode) == 0o444
    finally:
        here.chmod(0o755)
        subprocess.run(["rm", "-rf", str(here)], check=True)


#: Targets that are no plain file, and what is said.
TARGETS = {
    "a folder": (lambda p: p.mkdir(), b"Is a directory"),
    "in no folder": (lambda p: None, b"No such file or directory"),
    "a link to itself": (lambda p: p.symlink_to(p), b"Too many levels of symbolic links"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_targets_that_cannot_be(case: str, tmp_path: Path) -> None:
    make, told = TARGETS[case]
    net, target = tmp_path / "net.prototxt", tmp_path / "target"
    net.write_bytes(NET)
    make(target)
    place = target / "x" / "y" if case == "in no folder" else target
    done = prototools("rewrite", net, "-o", place)
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert sorted(set(os.listdir(tmp_path)) - {"target"}) == ["net.prototxt"]


def test_links(tmp_path: Path) -> None:
    """A symlink stays and its file is replaced; a dangling one makes its file; hard links keep the old bytes."""
    net, link, hard = tmp_path / "net.prototxt", tmp_path / "link", tmp_path / "hard"
    net.write_bytes(NET)
    link.symlink_to("net.prototxt")
    os.link(net, hard)
    assert prototools("rewrite", "--in-place", link).returncode == 0
    assert link.is_symlink() and net.read_bytes() == rewritten() and hard.read_bytes() == NET
    dangling = tmp_path / "dangling"
    dangling.symlink_to("made")
    assert prototools("rewrite", hard, "-o", dangling).returncode == 0
    assert dangling.is_symlink() and (tmp_path / "made").read_bytes() == rewritten()


def test_pipes(tmp_path: Path) -> None:
    """A FIFO is written to and stays one; it may be the source too."""
    net, fifo, read = tmp_path / "net.prototxt", tmp_path / "fifo", []
    net.write_bytes(NET)
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    assert prototools("rewrite", net, "-o", fifo).returncode == 0
    reader.join(20)
    assert read == [rewritten()] and stat.S_ISFIFO(fifo.stat().st_mode)
    writer = threading.Thread(target=lambda: fifo.write_bytes(NET))
    writer.start()
    assert prototools("rewrite", fifo).stdout == rewritten()
    writer.join(20)
    assert prototools("rewrite", net, "-o", "/dev/stdout").stdout == rewritten()


# ---------------------------------------------------------------- others at work


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Both end, at worst with a sentence, and the file is whole and rewritten once."""
    net = tmp_path / "net.prototxt"
    text = NET + b"".join(b'layer { name: "r%d" type: "ReLU" bottom: "up" top: "r%d" }\n' % (i, i) for i in range(3000))
    for _ in range(3):
        net.write_bytes(text)
        words = [sys.executable, "-m", "prototools", "rewrite", "-q", "--in-place", str(net)]
        runs = [subprocess.Popen(words, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(PROJECT)})
                for _ in range(3)]
        for run in runs:
            _, said = run.communicate()
            assert run.returncode in (0, 2) and b"Traceback" not in said
            assert run.returncode == 0 or b"was changed by another" in said
        assert net.read_bytes() == rewritten(text) and os.listdir(tmp_path) == ["net.prototxt"]


def test_a_source_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another wrote in the meantime is not lost; where it is only a source nothing is promised but wholeness."""
    net, read = tmp_path / "net.prototxt", files.read
    net.write_bytes(NET)

    def read_then_changed(path: str, limit: int = -1) -> bytes:
        data = read(path, limit)
        if data == NET:
            net.write_bytes(NET + b"# mine\n")
        return data

    monkeypatch.setattr(files, "read", read_then_changed)
    done = call(["rewrite", "-q", "--in-place", str(net)])
    assert done.exit_code == 2 and "was changed by another while it was worked on" in done.output
    assert net.read_bytes() == NET + b"# mine\n" and os.listdir(tmp_path) == ["net.prototxt"]


def test_weights_that_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caffemodel that is written to while it is copied is not taken."""
    source, target, copy = tmp_path / "in", tmp_path / "out", weights._copy
    source.write_bytes(WEIGHTS)
    old = source.stat()

    def copy_then_changed(*arguments: Any) -> None:
        copy(*arguments)
        source.write_bytes(WEIGHTS)
        os.utime(source, ns=(old.st_atime_ns, old.st_mtime_ns + 1))

    monkeypatch.setattr(weights, "_copy", copy_then_changed)
    with pytest.raises(weights.WeightsError, match="was changed by another while it was read"):
        weights.patch(str(source), str(target), {"up": []})
    assert os.listdir(tmp_path) == ["in"]


def test_weights_that_become_shorter(tmp_path: Path) -> None:
    """Under whoever walks through them or reads them, at any place; it is a sentence and not a signal."""
    path = tmp_path / "in"
    whole = b"".join(weights.encode(weights.NewLayer(f"fc{i}", "InnerProduct", [((2000,), bytes(8000))]))
                     for i in range(4))
    for length in (0, 5, 3000, 8100, len(whole) - 1):
        for read in (lambda model: list(weights.spans(model.data, 0, model.size)),
                     lambda model: model.data[100:model.size],
                     lambda model: weights.write(model, str(tmp_path / "out"), [(0, model.size)])):
            path.write_bytes(whole)
            with weights.BinaryNet(str(path)) as model, pytest.raises(weights.WeightsError, match="run again|shorter"):
                os.truncate(path, length)
                read(model)
                model.require_unchanged()
    assert os.listdir(tmp_path) == ["in"]


def test_owner_mode_and_times(tmp_path: Path) -> None:
    """They stay; an unchanged file is not touched at all."""
    net = tmp_path / "net.prototxt"
    net.write_bytes(NET)
    net.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(net, 12, 34)
    owner = net.stat().st_uid, net.stat().st_gid
    assert prototools("rewrite", "--in-place", net).returncode == 0
    assert stat.S_IMODE(net.stat().st_mode) == 0o640 and (net.stat().st_uid, net.stat().st_gid) == owner
    os.utime(net, (1, 1))
    before = net.stat()
    assert prototools("rewrite", "--in-place", net).returncode == 0
    assert (net.stat().st_mtime_ns, net.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


NAMES = {
    "a line break": b"a\nb.prototxt", "blanks and quotes": b" a 'b\" $c;d .prototxt", "a dash": b"-net.prototxt",
    "Chinese": "网络.prototxt".encode(), "no UTF-8": b"\xff\xfe.prototxt", "as long as may be": b"x" * 255,
}


@pytest.mark.parametrize("case", NAMES)
def test_odd_names(case: str, tmp_path: Path) -> None:
    """Each is rewritten in place, in a plain C locale too; an error about it is one sentence."""
    name = os.fsdecode(NAMES[case])
    net = tmp_path / name
    net.write_bytes(NET)
    for environment in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        fresh(net, NET)
        done = prototools("rewrite", "--in-place", "--", name, cwd=tmp_path, environment=environment)
        assert done.returncode == 0 and net.read_bytes() == rewritten(), done.stderr
        fresh(net, b"layer {")
        done = prototools("rewrite", "--in-place", "--", name, cwd=tmp_path, environment=environment)
        assert done.returncode == 2 and b"1:1: layer must be closed" in done.stderr


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    """Layers' names come out as they came in."""
    net = tmp_path / "net.prototxt"
    net.write_bytes(NET.replace(b"data", b"\xff\xfe"))
    for environment in ({"PYTHONIOENCODING": "utf-8"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        done = prototools("shapes", net, environment=environment)
        assert done.returncode == 0 and b"\xff\xfe" in done.stdout, done.stderr


# ---------------------------------------------------------------- broken and hostile texts


def deep(levels: int, end: bytes = b"} ") -> bytes:
    return b"a { " * levels + end * levels


def custom(kind: str, message: str, settings: str) -> bytes:
    return f'layer {{ name: "u" type: "{kind}" bottom: "d" top: "u" {message} {{ {settings} }} }}'.encode()


HEAD = b'input: "d" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9 '
#: Texts that somebody may hold. Every command must take each, or refuse it in a sentence.
TEXTS: Dict[str, bytes] = {
    "10,000 levels": deep(10_000),
    "10,000 levels in a layer": b'layer { name: "x" type: "Y" ' + deep(10_000) + b"}",
    "10,000 levels in a custom layer": b'layer { type: "Interp" interp_param { ' + deep(10_000) + b"} }",
    "10,000 open brackets": deep(10_000, b""),
    "10,000 lists": b"[" * 10_000,
    "10,000 quotes": b'"' * 10_000,
    "NUL in a string": b'layer { name: "a\0b" }',
    "NUL behind": NET + b"\0",
    "NUL in a comment": b"# \0\n" + NET,
    "no UTF-8": NET.replace(b"data", b"\xff\xfe"),
    "UTF-16": NET.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + NET,
    "gzip": gzip.compress(NET),
    "every byte": bytes(range(256)) * 50,
    "nothing": b"",
    "blanks": b" \t\r\n\n",
    "truncated": NET[:-30],
    "a name of 3 MB": b'layer { name: "' + b"x" * 3_000_000 + b'" type: "Input" top: "d" }',
    "10,000 layers of one name": b'layer { name: "a" type: "B" bottom: "c" top: "c" }\n' * 10_000,
    "10,000 empty layers": b"layer{}" * 10_000,
    "a dim of 23 digits": NET.replace(b"dim: 9", b"dim: 99999999999999999999999"),
    "a negative dim": NET.replace(b"dim: 9", b"dim: -5"),
    "a blob of terabytes": HEAD.replace(b"9", b"300000") + NET[6:].replace(b'"data"', b'"d"'),
    "a zoom of 2^32": HEAD + custom("Interp", "interp_param", "zoom_factor: 4294967296"),
    "a size of 2^31": HEAD + custom("Interp", "interp_param", "height: 2147483647 width: 1"),
    "an infinite scale": HEAD + custom("Resize", "resize_param", "scale: inf"),
    "a scale of no number": HEAD + custom("ImResize", "imresize_param", "factor: nan"),
    "values times 1e38": HEAD + custom("Upsample", "upsample_param", "stride: 2 scale: 1e38"),
    "layer beside layers": b"layer { } layers { }",
    "values of wrong kinds": b"layer { name: 3 type: 4 bottom: { } top: 1.5 }",
    "fields twice": b'name: "a" name: "b" layer { name: "c" name: "d" type: "e" type: "f" }',
    "a layer of itself": b'layer { name: "a" type: "Interp" bottom: "a" top: "a" interp_param { zoom_factor: 2 } }',
    "a solver": b'net: "x" base_lr: 1',
    "a shell script": b"#!/bin/sh\nset -e\nrm -rf $HOME/x\n",
    "HTML": b"<!DOCTYPE html><html><body>404</body></html>",
    "JSON": b'{"layer": [{"name": "a"}]}',
    "a merge conflict": NET + b"<<<<<<< HEAD\n=======\n>>>>>>> other\n",
}

WORDS: Tuple[Tuple[str, ...], ...] = (
    ("rewrite",), ("rewrite", "--check"), ("rewrite", "--diff"), ("upgrade",), ("deploy",), ("render",), ("shapes",),
    ("shapes", "--json"), ("check",), ("to-python",), ("verify", "{net}"),
)


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
@pytest.mark.parametrize("case", TEXTS)
def test_texts(case: str, words: Tuple[str, ...], tmp_path: Path) -> None:
    """A result or a sentence of ours, the promised exit codes, and the file as it was."""
    net = tmp_path / "net.prototxt"
    net.write_bytes(TEXTS[case])
    done = call([*(word.format(net=net) for word in words), str(net)])
    assert done.exit_code in (0, 1, 2) and "Traceback" not in done.output
    assert done.exit_code == 0 or len(done.output.split()) > 3
    assert net.read_bytes() == TEXTS[case] and os.listdir(tmp_path) == ["net.prototxt"]


def test_a_line_of_200_mb(tmp_path: Path) -> None:
    """It is read, rewritten and refused in memory that is a small multiple of it; the caret's line is cut."""
    net, out = tmp_path / "net.prototxt", tmp_path / "out.prototxt"
    line = NET.replace(b"# a net\n", b"").replace(b"\n", b" ")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    net.write_bytes(line + b'x: "' + b"y" * 200_000_000 + b'"')
    assert prototools("rewrite", "-q", net, "-o", out, preexec_fn=limit).returncode == 0
    assert out.stat().st_size > 200_000_000
    # Wrong at its end, and at its beginning.
    for text in (line + b"y" * 20_000_000, b"} " + b"y" * 20_000_000):
        net.write_bytes(text)
        done = prototools("rewrite", "-q", net, preexec_fn=limit)
        assert done.returncode == 2 and len(done.stderr) < 1000


@pytest.mark.parametrize("error, code, words", [
    (KeyboardInterrupt, 2, "interrupted"), (MemoryError, 2, "does not fit into memory"),
    (RecursionError, 2, "nested too deeply")])
def test_what_ends_a_command(error, code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no verdict, and what is too much is said."""
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(files, "read", fails)
    done = call(["rewrite", "--check", str(tmp_path / "net.prototxt")])
    assert done.exit_code == code and words in done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_flags(name: str) -> None:
    """A wrong flag and a missing file, for every command: exit code 2 and a sentence."""
    for words in ([name, "--no-such-flag"], [name, "/no/such/file", "/no/such/file"]):
        done = call(words)
        assert done.exit_code == 2 and len(done.output.split()) > 3, words


# ---------------------------------------------------------------- caffemodels that lie

VARINT = b"\xff" * 9 + b"\x01"
ENTRY = weights.encode(weights.NewLayer("fc", "InnerProduct", [((2, 3), bytes(24))]))

#: Bytes that are no whole caffemodel, or one that says what is not so.
MODELS: Dict[str, bytes] = {
    "a length beyond the end": b"\xa2\x06\xff\x01" + ENTRY[4:],
    "a length of 2^63": b"\xa2\x06" + VARINT + ENTRY,
    "a length of exabytes inside": b"\xa2\x06\x0e\x0a\x02fc\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    "a number without end": b"\xa2\x06" + b"\xff" * 40,
    "an entry cut off": ENTRY[:-5],
    "a key of field 0": b"\x02\x01a" + ENTRY,
    "a wire type that is none": b"\x0f" + ENTRY,
    "a group": b"\x0b\x0c" + ENTRY,
    "a group without end": b"\x0b" + ENTRY,
    "floats of three bytes": b"\xa2\x06\x0d\x0a\x02fc\x3a\x07\x2a\x03abc\x3a\x00",
    "a shape of more than there is": weights.encode(weights.NewLayer("fc", "IP", [((1 << 30, 1 << 30), bytes(8))])),
    "a shape of less": weights.encode(weights.NewLayer("fc", "IP", [((1,), bytes(400))])),
    "a dim below 0": b"\xa2\x06\x17\x0a\x02fc\x3a\x11\x3a\x0f\x0a\x0d" + VARINT + b"abc",
    "text": NET,
    "nothing": b"",
    "one byte": b"\xa2",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "gzip": gzip.compress(ENTRY),
    "zeros": bytes(1000),
    "10,000 levels": b"\x0a\x7f" * 10_000,
}

MODEL_WORDS: Tuple[Tuple[str, ...], ...] = (
    ("rewrite", "{net}", "-o", "{out}", "--weights", "{model}", "--weights-out", "{out}.caffemodel"),
    ("check", "{net}", "--weights", "{model}"), ("verify", "{net}", "{net}", "--weights", "{model}"),
    ("upgrade", "{model}", "-o", "{out}"),
)


@pytest.mark.parametrize("words", MODEL_WORDS, ids=lambda words: words[0])
@pytest.mark.parametrize("case", MODELS)
def test_caffemodels(case: str, words: Tuple[str, ...], tmp_path: Path) -> None:
    """A result or a sentence of ours, and the files as they were."""
    net, path, out = tmp_path / "net.prototxt", tmp_path / "net.caffemodel", tmp_path / "out"
    net.write_bytes(NET)
    path.write_bytes(MODELS[case])
    done = call([word.format(net=net, model=path, out=out) for word in words])
    assert done.exit_code in (0, 1, 2) and "Traceback" not in done.output and net.read_bytes() == NET
    assert path.read_bytes() == MODELS[case] and (done.exit_code == 0 or len(done.output.split()) > 3)
    assert done.exit_code != 2 or not out.exists(), "half of a pair was written"


def test_weights_from_a_pipe(tmp_path: Path) -> None:
    """They are walked to and fro, so a pipe is refused in a sentence."""
    net, fifo = tmp_path / "net.prototxt", tmp_path / "fifo"
    net.write_bytes(NET)
    os.mkfifo(fifo)
    for words in (["check", net], ["verify", net, net], ["rewrite", net, "-o", net, "--weights-out", tmp_path / "w"]):
        writer = threading.Thread(target=lambda: os.close(os.open(fifo, os.O_WRONLY)))
        writer.start()
        done = prototools(*words, "--weights", fifo)
        writer.join(20)
        assert done.returncode == 2 and b"must be a file, but is a pipe or a device" in done.stderr, words
    assert net.read_bytes() == NET and not (tmp_path / "w").exists()


def test_numbers_of_too_many_bytes() -> None:
    """A varint has ten at most, as protobuf reads them; the time and the memory for more are not spent."""
    assert weights.decode_varint(VARINT, 0, 10) == (2**64 - 1, 10)
    with pytest.raises(ValueError, match="is broken"):
        weights.decode_varint(b"\xff" * 10 + b"\x01", 0, 11)


def test_a_claimed_length_takes_no_memory(tmp_path: Path) -> None:
    """Whatever a caffemodel says of its length, memory grows with what is there."""
    net, path = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_bytes(NET)
    path.write_bytes(MODELS["a length of exabytes inside"])
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))  # noqa: E731
    done = prototools("rewrite", net, "-o", tmp_path / "o", "--weights", path, "--weights-out", tmp_path / "w",
                      preexec_fn=limit)
    assert done.returncode == 2 and b"must be a whole binary caffemodel, but is not" in done.stderr


# ---------------------------------------------------------------- what fuzzing found

FOUND = sorted((PROJECT / "tests/cases/fuzz").iterdir())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_fuzzing_found(path: Path, tmp_path: Path) -> None:
    """Each was an error of Python's once, or took minutes."""
    words = {".prototxt": ["rewrite"], ".j2": ["render"], ".caffemodel": ["upgrade", "-o", str(tmp_path / "out")]}
    done = call([*words[path.suffix], str(path)])
    assert done.exit_code in (0, 1, 2)
