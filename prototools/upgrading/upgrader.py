"""`upgrade`: Caffe's steps in Caffe's order, each only where it is needed."""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple, Optional, Tuple, Union

from prototools.errors import PrototoolsError
from prototools.prototext import parse
from prototools.upgrading import batch_norm, data_transform, inputs, layout, solver, text, v0, v1
from prototools.upgrading.message import Message
from prototools.upgrading.report import Note, Report


class Upgraded(NamedTuple):
    """What `upgrade` gives.

    `text` is the whole file, as `bytes` or `str` like the one that was given, and None for a binary net.
    `steps` says in a sentence each what was done, `notes` what could not be kept or needs a look.
    """

    text: Union[None, bytes, str]
    steps: Tuple[str, ...]
    notes: Tuple[Note, ...]

    @property
    def problems(self) -> Tuple[Note, ...]:
        """The notes at which Caffe's own tool ends with status 1."""
        return tuple(note for note in self.notes if note.problem)


def upgrade(
    source: Union[bytes, str], *, types: Optional[Mapping[str, str]] = None, mixed: bool = False
) -> Upgraded:
    """Bring a net or a solver of an old form to the current one, as Caffe's own upgrade tools do.

    `source` is a prototxt: V0 and V1 layers, transformation parameters of data layers, `input` fields,
    BatchNorm's learning rates, `solver_type`. Read by Caffe the result is the message that the tools give;
    comments, order, spellings and fields that Caffe does not know stay.
    `types` says what V1 types of other forks are called today, `{"LOCAL_CONV": "LocalConv"}`. `mixed` allows
    `layer` beside `layers`, each upgraded where it stands.

    Raises `ProtoTextError` where the tools abort or read past an array, and for a type nobody knows.
    """
    data = source.encode("utf-8", "surrogateescape") if isinstance(source, str) else bytes(source)
    document = parse(data)
    root = text.TextMessage(document)
    report = Report()
    run(root, report, types or {}, mixed)
    after = layout.render(root, document) if root.changed else data
    shown = after.decode("utf-8", "surrogateescape") if isinstance(source, str) else after
    return Upgraded(shown, tuple(report.steps), tuple(report.notes))


def upgrade_weights(
    source: str, target: Optional[str] = None, *, types: Optional[Mapping[str, str]] = None, mixed: bool = False
) -> Upgraded:
    """Bring a binary net, such as a caffemodel, to the current form, as upgrade_net_proto_binary does.

    No blob is read: what stays is copied as ranges of bytes. Unknown fields stay where Caffe keeps them,
    in the net and in the messages inside its layers. `target` may be `source`; without one nothing is
    written. `types` and `mixed` are those of `upgrade`.
    Raises `WeightsError` for a file that is no whole binary net or more than 2 GB, and where the tool aborts.
    """
    from prototools import weights
    from prototools.upgrading import wire

    report = Report()
    with weights.BinaryNet(source) as model:
        try:
            root = wire.net(model)
            run(root, report, types or {}, mixed)
            pieces = wire.pieces(root) if root.changed else [(0, model.size)]
        except ValueError as error:
            ours = isinstance(error, PrototoolsError)
            sentence = str(error) if ours else f"must be a whole binary net, but is not: {error}"
            raise weights.WeightsError(f"{source}: {sentence}") from None
        if target is not None:
            weights.write(model, target, pieces)
    return Upgraded(None, tuple(report.steps), tuple(report.notes))


#: Bytes that text format has inside strings only, and that no binary net is without.
CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")

#: What may begin a binary net: the keys of NetParameter's fields; and HDF5's mark.
FIRST = b"\x0a\x12\x1a\x20\x22\x28\x32\x38\x42\xa2\x89"


def is_binary(start: bytes) -> bool:
    """Whether a file that begins so is a binary net rather than a prototxt; some thousand bytes suffice."""
    return bool(start) and start[0] in FIRST and CONTROL.search(start) is not None


def run(root: Message, report: Report, types: Mapping[str, str], mixed: bool) -> None:
    """Every step that the file needs."""
    if solver.needed(root):
        solver.upgrade(root, report)
        return
    if v0.needed(root):
        v0.upgrade(root, report)
    if data_transform.needed(root):
        data_transform.upgrade(root, report)
    if v1.needed(root):
        v1.upgrade(root, report, types, mixed)
    if inputs.needed(root):
        inputs.upgrade(root, report)
    if batch_norm.needed(root):
        batch_norm.upgrade(root, report)
