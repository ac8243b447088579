"""prototools rewrite."""

from __future__ import annotations

from typing import Any, Iterable, List, Optional, Tuple

from prototools import files
from prototools.changes import Result
from prototools.cli.delivery import Delivery, deliver, delivery_options, one_way_out, weights_both, weights_options
from prototools.cli.parsing import Parser, parsed
from prototools.cli.rewriting import rewriting_options, usage
from prototools.cli.values import placeholder_option, shapes_of, texts_of
from prototools.cli.verdict import DONE, FOUND, attempt, many, say, worst
from prototools.errors import named
from prototools.rewriter import rewrite


def options(parser: Parser) -> None:
    """The options of `rewrite`."""
    parser.argument("nets", "NET", nargs="+")
    delivery_options(parser)
    weights_options(parser, "The caffemodel of NET; every new layer is entered in it, filled.",
                    "Write the patched caffemodel to this file.")
    placeholder_option(parser)
    rewriting_options(parser)
    parser.option("--report", metavar="FILE.json", help="Write what was done to every layer.")
    parser.flag("-q", "--quiet", help="Say one line for each file, not one for each layer.")


@parsed(options)
def command(nets: Tuple[str, ...], output: Optional[str], in_place: bool, diff: bool, check: bool,
            weights, weights_out, shapes, values, partial, report, quiet, **settings: Any) -> int:
    """Replace the custom resize layers of NET by stock Caffe layers that compute the same numbers.

    Without an output option the text goes to standard output; NET may be - for standard input.
    A refused layer means exit 1 and nothing written, unless --partial.
    """
    way = one_way_out(nets, output, in_place, diff, check)
    weights_both(nets, weights, weights_out, way)
    given, values = shapes_of(shapes), texts_of(values)
    reports: List[dict] = []

    def job(path: str) -> int:
        data = files.read(path)
        result = _rewrite(data, shapes=given, values=values, weights=bool(weights), **settings)
        if report:
            reports.append(_report(path, result))
        _comment(path, result, quiet, bool(weights))
        _tell_unused(path, result, settings["dialect"])
        if result.foreign and not quiet:
            say(f"{path}: stock Caffe lacks {', '.join(result.foreign)}; these layers stay as they are")
        if weights and (partial or not result.refusals):
            _patch(path, result, weights, weights_out)
        return _deliver(path, data, result, way, partial)

    code = worst(nets, job)
    return max(code, attempt(lambda target: _write_report(target, reports), report)) if report else code


def _write_report(target: str, reports: List[dict]) -> int:
    from prototools.report import as_json

    files.write(target, as_json(reports))
    return DONE


def _patch(path: str, result: Result, weights: str, weights_out: str) -> None:
    from prototools.patching import belongs_to, patch_weights

    patch_weights(result, weights, weights_out)
    if not belongs_to(result, weights):
        say(f"{weights}: none of its layers with weights is in {path}; are they another net's?")


def _rewrite(data: bytes, **settings: Any) -> Result:
    with usage():
        return rewrite(data, **settings)


def _report(path: str, result: Result) -> dict:
    from prototools.report import describe

    return describe(path, result)


def _comment(path: str, result: Result, quiet: bool, weighed: bool) -> None:
    """A line for each layer on standard error, or one for the file; refusals always."""
    if quiet:
        say(f"{path}: {many(len(result.changes), 'layer')} rewritten, {len(result.refusals)} refused")
    for change in () if quiet else result.changes:
        say(f"{path}:{change.line}: {named(change.layer)}: {change.type} ({change.dialect}: "
            f"{change.computes}) -> {change.lowering}, {many(len(change.new_layers), 'layer')}, "
            f"{change.certificate}")
    for change in () if quiet else result.changes:
        for note in change.notes:
            say(f"{path}:{change.line}: {named(change.layer)}: {note}")
    for change in result.changes:
        if change.newer_filler and not quiet and not weighed:
            say(f"{path}:{change.line}: {named(change.layer)}: its bilinear filler needs a Caffe newer than "
                "1.0; use --filler-safe for older ones")
    for refusal in result.refusals:
        say(f"{path}:{refusal}")


def _tell_unused(path: str, result: Result, wanted: Iterable[str]) -> None:
    """The dialects that were asked for and read nothing; of a refused layer nobody knows which was meant."""
    used = {change.dialect for change in result.changes}
    for name in () if result.refusals else wanted:
        if name not in used:
            say(f"{path}: --dialect {name} was not needed: it reads no layer of this net")


def _deliver(path: str, data: bytes, result: Result, way: Delivery, partial: bool) -> int:
    """Put the result where the user wants it; the verdict of this file."""
    if result.refusals and not partial and not way.writes_nothing:
        say(f"{path}: nothing written, because {len(result.refusals)} of "
            f"{len(result.refusals) + len(result.changes)} layers were refused (see --partial)")
        return FOUND
    return max(FOUND if result.refusals else DONE, deliver(path, data, result.text, way))
