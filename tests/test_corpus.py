"""Every real file there is, through the rewriter: no traceback, no half measures, and it still loads."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from prototools.corpus import Outcome, outcomes, tables
from prototools.dialects import TYPES, UNREAD_TYPES
from prototools.dialects.shapes import infer_custom
from prototools.errors import PrototoolsError
from prototools.layer_types import STOCK_TYPES
from prototools.net import Net
from prototools.prototext import parse
from prototools.realcaffe import NetCase, NetResult, run_nets
from prototools.rewriter import rewrite


@pytest.fixture(scope="module")
def found(shared: Path) -> List[Outcome]:
    """What became of every file; any error but ours fails here."""
    return list(outcomes(str(shared / "corpus")))


def test_counts(found: List[Outcome]) -> None:
    """The figures of the corpus report."""
    custom = [one for one in found if one.result.changes or one.result.refusals]
    assert len(found) == 343
    assert sum(bool(one.error) for one in found) == 9
    assert len(custom) == 141
    assert sum(not one.result.refusals for one in custom) == 93
    assert sum(len(one.result.changes) for one in custom) == 547
    # 37 of them stand in files with placeholders, whose sizes are not known before -D gives them.
    assert sum(len(one.result.refusals) for one in custom) == 106


def test_every_custom_layer_has_an_answer(found: List[Outcome], shared: Path) -> None:
    """A layer of a type we know of is rewritten or refused, never passed over."""
    for one in found:
        if not one.error:
            net = Net(parse((shared / "corpus" / one.path).read_bytes(), placeholders=True))
            kinds = [layer.name for layer in net.layers if layer.kind in TYPES or layer.type in UNREAD_TYPES]
            answered = [change.layer for change in one.result.changes] + [r.layer for r in one.result.refusals]
            assert sorted(kinds) == sorted(answered), one.path


def test_every_refusal_has_a_reason(found: List[Outcome]) -> None:
    """A sentence, and where a shape is missing the option that gives it."""
    for one in found:
        for refusal in one.result.refusals:
            assert len(refusal.reason.split()) > 3
            assert "must be known" not in refusal.reason or "--shape" in refusal.reason


def test_every_error_has_a_place(found: List[Outcome]) -> None:
    """Files that are no text format: line and column."""
    for one in found:
        if one.error:
            line, column, sentence = one.error.split(":", 2)
            assert int(line) > 0 and int(column) > 0 and sentence


def test_a_second_run_changes_nothing(found: List[Outcome]) -> None:
    """Rewritten is rewritten."""
    again = [(one.path, rewrite(one.result.text)) for one in found if one.result.changes]
    assert len(again) > 80
    assert [path for path, result in again if result.changes] == []


def test_only_custom_layers_change(found: List[Outcome], shared: Path) -> None:
    """Every line that is not a replaced layer's is in the new text, in its place."""
    for one in found:
        if one.result.changes:
            before = (shared / "corpus" / one.path).read_bytes()
            net = Net(parse(before, placeholders=True))
            spans = [layer.message for layer in net.layers if layer.kind in TYPES]
            position, rest = 0, one.result.text
            for message in spans:
                kept = before[position : message.start]
                assert kept in rest, one.path
                rest = rest[rest.index(kept) + len(kept) :]
                position = message.stop
            assert rest.endswith(before[position:]), one.path


def loadable(found: List[Outcome], shared: Path) -> Iterator[Tuple[str, Net, bytes]]:
    """The rewritten files that stock Caffe might load: no other custom layer, every input known."""
    for one in found:
        if one.result.changes and not one.result.refusals:
            net = Net(parse((shared / "corpus" / one.path).read_bytes(), placeholders=True))
            after = Net(parse(one.result.text, placeholders=True)).filtered()
            if all(layer.type in STOCK_TYPES for layer in after.layers):
                if not infer_custom(net.filtered(), {}).errors:
                    yield one.path, net, one.result.text


def test_stock_caffe_loads_them(found: List[Outcome], shared: Path, caffe) -> None:
    """Real Caffe loads the rewritten files, with the blob shapes that the custom layers gave."""
    candidates = list(loadable(found, shared))
    cases = [NetCase(text, shapes_only=True, timeout=120) for _, _, text in candidates]
    results = run_nets(cases, installation=caffe, processes=2)
    agreed = 0
    for (path, net, _), result in zip(candidates, results):
        if not isinstance(result, NetResult):
            # A field of the fork in a stock layer, which is not ours to take away.
            assert "has no field named" in str(result) or "No module named" in str(result), (path, str(result))
            continue
        wanted = infer_custom(net.filtered(), {}).blobs
        assert {name: result.shapes[name] for name in wanted} == wanted, path
        agreed += 1
    assert agreed >= 15


def test_the_report(found: List[Outcome]) -> None:
    """Its tables have every layer and every file once."""
    rewritten, refused, files, errors = (rows for _, _, rows in tables(found))
    assert sum(row[3] for row in rewritten) == 547 and sum(row[2] for row in refused) == 106
    assert (len(files), len(errors)) == (141, 9)


def test_broken_files(shared: Path) -> None:
    """A file cut anywhere is parsed or refused with a place, and never more than that."""
    data = (shared / "corpus" / "files").rglob("*deploy*.prototxt")
    for path in sorted(data)[:12]:
        text = path.read_bytes()[:6000]
        for stop in range(0, len(text), 97):
            try:
                rewrite(text[:stop])
            except PrototoolsError as error:
                assert str(error)
