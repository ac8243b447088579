"""From the log of a stopped Caffe to one sentence."""

from __future__ import annotations

import re
import signal as signals

from ..errors import EngineError

_FATAL = re.compile(r"^F\d{4} \S+ +\d+ (\S+?)\] (.*)$")
_GLOG_LINE = re.compile(r"^[IWEF]\d{4} \S+ +\d+ \S+?\] ")
_STACK = "*** Check failure stack trace: ***"
_PROTOBUF = re.compile(r"^\[libprotobuf (?:ERROR|FATAL) [^\]]*\] (.*)$")
_PYTHON = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt)(?:: .*)?$")
_LAYER = re.compile(r"^I\d{4} .*?layer_factory\.hpp:\d+\] Creating layer (.+)$", re.MULTILINE)
_LAYER_DONE = re.compile(r"^I\d{4} .*?net\.cpp:\d+\] Memory required for data: ", re.MULTILINE)
_KNOWN_TYPES = re.compile(r" \(known types: [^)]*\)")
_LOADER = re.compile(r"symbol lookup error|error while loading shared libraries")
_MEANINGS = {
    "SIGFPE": "it divided by zero in its own code and gave no reason",
    "SIGSEGV": "it touched memory that it does not own and gave no reason",
    "SIGKILL": "the system ended it, usually for want of memory",
}


class EngineStopped(EngineError):
    """Caffe's process ended before it gave an answer.

    log     everything that it wrote
    reason  the line that says why, in Caffe's own words; may be empty
    signal  the name of the signal that ended it (`SIGABRT` for a failed check), or None
    layer   the layer that was being set up, or None
    """

    def __init__(self, sentence: str, log: str = "", reason: str = "",
                 signal: str | None = None, layer: str | None = None):  # fmt: skip
        super().__init__(sentence)
        self.log = log
        self.reason = reason
        self.signal = signal
        self.layer = layer


def signal_name(number: int) -> str:
    """`SIGABRT` for 6; an unknown number stays a number."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


def reason_in(log: str) -> str:
    """The reason of the end, in Caffe's own words, or an empty string.

    Where the text does not parse, that is protobuf's complaint, which has the line and column.
    """
    lines = log.splitlines()
    fatal = _fatal_messages(lines)
    protobuf = [match.group(1) for match in map(_PROTOBUF.match, lines) if match]
    if protobuf and (not fatal or "Failed to parse" in fatal[-1]):
        return "; ".join(dict.fromkeys(protobuf))
    if fatal:
        return "; ".join(dict.fromkeys(fatal))
    # A Python layer that cannot be made prints its error, and Boost then complains about nothing.
    lines = [line for line in lines if "returned NULL without setting an error" not in line]
    for pattern in (_LOADER, _PYTHON):
        found = [line for line in lines if pattern.search(line)]
        if found:
            return found[-1]
    return ""


def layer_in(log: str) -> str | None:
    """The layer that Caffe was setting up when the log ends; None before the first and after."""
    begun = list(_LAYER.finditer(log))
    if not begun or _LAYER_DONE.search(log, begun[-1].end()):
        return None
    return begun[-1].group(1)


def _fatal_messages(lines: list[str]) -> list[str]:
    """Each fatal message of glog, with the lines that it runs over, and its place in the source."""
    messages = []
    for number, line in enumerate(lines):
        match = _FATAL.match(line)
        if match:
            words = [match.group(2).replace(_STACK, "")]
            for following in lines[number + 1 :]:
                if _STACK in following or following.startswith("    @"):
                    words.append(following.partition(_STACK)[0] if _STACK in following else "")
                    break
                if _GLOG_LINE.match(following):
                    break
                words.append(following)
            text = " ".join(word.strip() for word in words if word.strip())
            messages.append(f"{text} ({match.group(1)})")
    return messages


def stopped(log: str, exit_code: int, subject: str = "Caffe", timeout: float = 0) -> EngineStopped:
    """The error for a process that ended with `exit_code`; negative is a signal."""
    reason = reason_in(log)
    if exit_code == -signals.SIGALRM and timeout:
        sentence = f"{subject} must finish within {timeout:g} s, but it was still running."
        return EngineStopped(sentence, log, reason, "SIGALRM")
    name = signal_name(-exit_code) if exit_code < 0 else None
    layer = layer_in(log)
    how = f"stopped with {name}" if name else f"stopped with exit code {exit_code}"
    where = f" while setting up layer {layer!r}" if layer else ""
    why = _KNOWN_TYPES.sub("", reason) or _without_reason(log, name)
    return EngineStopped(f"{subject} {how}{where}: {why}", log, reason, name, layer)


def _without_reason(log: str, signal: str | None) -> str:
    """What to say when Caffe gave no reason: what the signal means, or the last line it wrote."""
    if signal in _MEANINGS:
        return _MEANINGS[signal]
    lines = [line for line in log.splitlines() if line.strip()]
    # Between glog's lines stands the net's own text, which explains nothing.
    return lines[-1] if lines and not any(map(_GLOG_LINE.match, lines)) else "it gave no reason"
