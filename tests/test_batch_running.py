"""Where the jobs of a batch are done, what stops them and what does not, and the command."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Dict, Iterator, List

import pytest
from batches import BAD, BROKEN, DATA, UP, below, make, make_many, make_nets, statuses
from command_line import call

import prototools
from prototools.batching import job, pools, records


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- where the jobs are done


def test_processes(here: Path) -> None:
    """The same outcomes in the same order, and the same files."""
    make_many()
    make({"nets/broken.prototxt": BROKEN, "nets/refused.prototxt": UP + BAD})
    one, two = prototools.batch("nets", "one"), prototools.batch("nets", "two", jobs=2)
    assert [outcome[2:7] for outcome in one] == [outcome[2:7] for outcome in two]
    assert [outcome.source for outcome in one] == [outcome.source for outcome in two]
    assert [Path("one", name).read_bytes() for name in below("one")] == \
        [Path("two", name).read_bytes() for name in below("two")]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_no_fork_is_needed(here: Path, method: str) -> None:
    """A worker that imports the job itself does it as well; the caller's executor is left as it is."""
    make_many(3)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as executor:
        outcomes = prototools.batch("nets", "out", executor=executor)
        assert {one.status for one in outcomes} == {"rewritten"}
        assert executor.submit(int, "7").result() == 7


def test_threads(here: Path) -> None:
    """Any executor will do."""
    make_many(5)
    with ThreadPoolExecutor(3) as executor:
        assert {one.status for one in prototools.batch("nets", "out", executor=executor)} == {"rewritten"}
    assert prototools.batch("nets", "out2", executor=executor)[0].error.startswith("nets/0.prototxt: its worker failed")


def test_dask(here: Path) -> None:
    """A cluster of two workers, with Dask."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'prototools[dask]'")
    make_many(6)
    make({"nets/broken.prototxt": BROKEN})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own.
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, \
                distributed.Client(cluster) as client:
            executor = client.get_executor()
            found = statuses(os.path.abspath("nets"), os.path.abspath("out"), executor=executor)
            make({"nets/broken.prototxt": DATA})
            again = statuses(os.path.abspath("nets"), os.path.abspath("out"), executor=executor)
    assert sorted(found.values()) == ["failed"] + ["rewritten"] * 6 and len(below("out")) == 7
    assert sorted(again.values()) == ["copied"] + ["unchanged"] * 6


@pytest.mark.parametrize("options", [{}, {"jobs": 2}], ids=["here", "pool"])
def test_fail_fast(here: Path, options) -> None:
    """No other file is begun, and what is done is kept."""
    make_many(40)
    make({"nets/1.prototxt": BROKEN})
    found = list(statuses("nets", "out", fail_fast=True, **options).values())
    assert found.count("failed") == 1 and found.count("not done") > 20
    assert len(below("out")) == found.count("rewritten")
    assert list(statuses("nets", "out", **options).values()).count("unchanged") == found.count("rewritten")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_file_that_kills_its_process(here: Path, monkeypatch) -> None:
    """It fails alone, with a sentence, and every other file is done."""
    make_many()
    make({"nets/3.prototxt": DATA + UP + "# kill me\n"})
    rewrite = job.rewrite
    monkeypatch.setattr(job, "rewrite", lambda text, **options:
                        os._exit(9) if b"kill me" in text else rewrite(text, **options))
    monkeypatch.setattr(pools, "_context", lambda: multiprocessing.get_context("fork"))
    outcomes = {one.source: one for one in prototools.batch("nets", "out", jobs=2)}
    failed = outcomes.pop("nets/3.prototxt")
    assert (failed.status, failed.code) == ("failed", 2) and "the process that rewrote it died" in failed.error
    assert {one.status for one in outcomes.values()} == {"rewritten"} and len(below("out")) == 11


def test_a_mistake_of_ours(here: Path, monkeypatch) -> None:
    """Whatever goes wrong with one file is a sentence, and the rest goes on."""
    make_many(3)
    monkeypatch.setattr(job, "rewrite", lambda text, **_: 1 / 0)
    outcomes = prototools.batch("nets", "out")
    assert ["please report it: ZeroDivisionError" in one.error for one in outcomes] == [True] * 3


# ---------------------------------------------------------------- the command


def run(*words: str):
    return call(["batch", *words])


#: Words, exit code, a part of standard output, a part of standard error.
CALLS = [
    pytest.param("nets/net.prototxt -d out", 0, "rewritten        1                   1",
                 "nets/net.prototxt -> out/net.prototxt: rewritten, 1 layer", id="one file"),
    pytest.param("nets -d out -j 1", 2, "all              4 ", "broken.prototxt:1:1: layer must be", id="all"),
    pytest.param("nets/refused.prototxt -d out", 1, "refused", "nets/refused.prototxt:3:1: bad: ", id="refused"),
    pytest.param("nets/refused.prototxt -d out", 1, "", "nothing written, because 1 of 2 layers were", id="why"),
    pytest.param("nets/refused.prototxt -d out --partial", 1, "partial", ": partial, 1 layer", id="partial"),
    pytest.param("nets/n*.prototxt -d out -q", 0, "1 file in", "", id="pattern, quiet"),
    pytest.param("nets/nothing* -d out", 2, "failed", "nets/nothing*: holds no .prototxt", id="nothing"),
    pytest.param("nowhere -d out", 2, "failed", "nowhere: cannot be read: No such file", id="no source"),
    pytest.param("nets -d nets", 2, "", "would be written over nets/", id="onto itself"),
    pytest.param("nets -d nets/net.prototxt", 2, "", "the results must go to a folder", id="no folder"),
    pytest.param("nets/net.prototxt -d out --report no/such/r", 2, "", "no/such/r: cannot be written", id="no report"),
    pytest.param("nets/net.prototxt -d out --dialect psp", 2, "", "did you mean pspnet", id="bad dialect"),
    pytest.param("nets/net.prototxt", 2, "", "-d", id="no target"),
    pytest.param("nets -d out -D x", 2, "", "must be NAME=VALUE", id="bad value"),
    pytest.param("nets/net.prototxt -d nets/net.prototxt/x", 2, "", "cannot be written", id="a target in a file"),
]


@pytest.mark.parametrize("words, code, out, err", CALLS)
def test_call(here: Path, words: str, code: int, out: str, err: str) -> None:
    """The exit code is the largest, the table the product, the rest commentary."""
    make_nets()
    result = run(*words.split())
    assert result.exit_code == code, result.output
    assert out in result.stdout and err in result.stderr and "Traceback" not in result.output
    assert "-q" not in words or not result.stderr


def test_report(here: Path) -> None:
    """A line of JSON for each file, in order, with every layer."""
    make_nets()
    run("nets", "-d", "out", "-j", "2", "--report", "report.jsonl")
    lines = [json.loads(line) for line in Path("report.jsonl").read_text().splitlines()]
    assert [(line["file"], line["status"]) for line in lines] == [
        ("nets/broken.prototxt", "failed"), ("nets/net.prototxt", "rewritten"), ("nets/refused.prototxt", "refused"),
        ("nets/stock.prototxt", "copied")]
    assert lines[1]["changes"][0]["new_layers"] == ["up/deconv"] and lines[1]["target"] == "out/net.prototxt"
    assert lines[2]["refusals"][0]["layer"] == "bad" and "must be closed" in lines[0]["error"]


def test_a_bar_on_a_terminal(here: Path) -> None:
    """A bar instead of lines; what went wrong is said after it."""
    make_nets()
    parent, child = os.openpty()
    command = [sys.executable, "-m", "prototools", "batch", "nets", "-d", "out", "-j", "2"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=child, env=environment())
    os.close(child)
    said = os.read(parent, 1 << 16).decode()
    os.close(parent)
    assert done.returncode == 2 and "4/4" in said and "nets/stock.prototxt ->" not in said
    assert said.index("4/4") < said.index("broken.prototxt:1:1: layer must be closed")


def environment() -> Dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(prototools.__file__).resolve().parents[1])}


#: Networks that take long enough to be interrupted.
SLOW = DATA + "".join(UP.replace('"up"', f'"up{n}"').replace("zoom_factor: 3", f"height: {97 + n} width: 101")
                      for n in range(30))


def as_on_a_terminal() -> None:
    """What runs in the background, or under nohup, ignores some of these signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def begun(*words: str) -> Iterator[subprocess.Popen]:
    """A batch of 100 networks in a session of its own, three of which are done."""
    make({f"nets/{number}.prototxt": SLOW for number in range(100)})
    command = [sys.executable, "-m", "prototools", "batch", "nets", "-d", "out", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
                          start_new_session=True, preexec_fn=as_on_a_terminal) as process:
        for _ in range(3):
            process.stderr.readline()
        yield process


@pytest.mark.parametrize("jobs, number, to_all", [
    ("1", signal.SIGINT, True), ("2", signal.SIGINT, True), ("2", signal.SIGTERM, False), ("2", signal.SIGTERM, True),
    ("2", signal.SIGHUP, True)])
def test_interrupt(here: Path, jobs: str, number: int, to_all: bool) -> None:
    """Ctrl-C, which reaches every process of the terminal, ends a batch cleanly; the next one goes on from there.

    So does a polite request to end.
    """
    with begun("-j", jobs) as process:
        (os.killpg if to_all else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "interrupted: " in err and "Traceback" not in err, err
    done = below("out")
    assert 3 <= len(done) < 100 and all("Deconvolution" in Path("out", name).read_text() for name in done)
    assert sorted(os.listdir("out")) == sorted([".prototools", *done])
    kept = json.loads(Path("out/.prototools/batch.json").read_text())["targets"]
    assert 3 <= len(kept) <= len(done) and f"{len(kept)} of 100 files done" in err
    for name in os.listdir("nets"):
        if name not in kept:
            os.unlink(f"nets/{name}")
    assert set(statuses("nets", "out").values()) == {"unchanged"}


def test_files_in_work_at_an_interrupt(here: Path, monkeypatch) -> None:
    """They are ended, and counted among those that are done."""
    class Interrupted:
        """A queue whose third `get` is interrupted."""

        def __init__(self) -> None:
            self.queue, self.left = SimpleQueue(), 3
            self.put = self.queue.put

        def get(self):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return self.queue.get()

    make_many(20)
    monkeypatch.setattr(pools, "SimpleQueue", Interrupted)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        prototools.batch("nets", "out", jobs=2, on_done=seen.append)
    assert 2 < len(seen) < 20 and below("out") == sorted(os.path.basename(one.target) for one in seen)
    assert sorted(json.loads(Path("out/.prototools/batch.json").read_text())["targets"]) == below("out")


def test_a_second_interrupt(here: Path) -> None:
    """It does not wait for the files in work, and leaves no process behind."""
    with begun("-j", "2") as process:
        workers = children(process.pid)
        for _ in range(2):
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.1)
        out, err = process.communicate(timeout=60)
    assert process.returncode in (2, -signal.SIGINT) and "Traceback" not in err, err
    assert_ended(workers)


def test_a_killed_batch(here: Path) -> None:
    """Its processes end with it."""
    with begun("-j", "2") as process:
        workers = children(process.pid)
        process.kill()
        process.communicate(timeout=60)
    assert_ended(workers)
    assert set(os.listdir("out")) == set(below("out"))


def children(process: int) -> List[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def assert_ended(processes: List[int]) -> None:
    """Within a minute; what nobody has waited for yet counts as ended."""
    assert processes
    for process in processes:
        stat = Path(f"/proc/{process}/stat")
        for _ in range(600):
            try:
                if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                    break
            except (FileNotFoundError, ProcessLookupError):
                break
            time.sleep(0.1)
        else:
            raise AssertionError("a process was left behind")


def test_a_killed_batch_is_remembered(here: Path, monkeypatch) -> None:
    """What is done is written down while the batch runs."""
    make_many(3)
    monkeypatch.setattr(records, "SECONDS", -1)
    kept = []
    prototools.batch("nets", "out", on_done=lambda _: kept.append(
        len(json.loads(Path("out/.prototools/batch.json").read_text())["targets"])))
    assert kept == [1, 2, 3]


def test_a_process_that_may_start_none(here: Path) -> None:
    """A daemonic process, as `multiprocessing.Pool` has them, does the files itself."""
    make_many(3)
    child = multiprocessing.get_context("spawn").Process(target=prototools.batch, args=("nets", "out"),
                                                         kwargs={"jobs": 2}, daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0 and len(below("out")) == 3


def test_a_broken_executor(here: Path) -> None:
    """Each file that it leaves undone is told, and why."""
    make_many(20)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        outcomes = prototools.batch("nets", "out", executor=executor, on_done=lambda _: [
            process.kill() for process in executor._processes.values()])
    assert outcomes[0].status == "rewritten" and outcomes[-1].status == "failed"
    assert "nets/9.prototxt: its worker failed: BrokenProcessPool: " in outcomes[-1].error


def test_a_killed_worker(here: Path) -> None:
    """A process that is killed from outside costs nothing but a remark."""
    make_many(200)
    command = [sys.executable, "-m", "prototools", "batch", "nets", "-d", "out", "-j", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment()) as process:
        process.stderr.readline()
        os.kill(children(process.pid)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "a process of the pool died" in err and "Traceback" not in err, err
    assert len(below("out")) == 200
