"""prototools rewrite."""

from __future__ import annotations

import sys
from typing import Any, List, Optional, Tuple

import click

from prototools import files
from prototools.cli.verdict import DONE, FOUND, each, many, say, shape_option
from prototools.rewriter import Result, rewrite


@click.command()
@click.argument("nets", nargs=-1, required=True, metavar="NET...")
@click.option("-o", "--output", metavar="OUT", help="Write the result to this file.")
@click.option("--in-place", is_flag=True, help="Write the result over NET.")
@click.option("--diff", is_flag=True, help="Print a diff and write nothing; 1 if there is one.")
@click.option("--check", is_flag=True, help="Write nothing; 1 if something would change.")
@click.option("--weights", metavar="IN", help="The caffemodel of NET; every new layer is entered in it, filled.")
@click.option("--weights-out", metavar="OUT", help="Write the patched caffemodel to this file.")
@click.option("--shape", "shapes", multiple=True, metavar="BLOB=N,C,H,W",
              help="Give or override the shape of a blob. Repeatable.")
@click.option("--dialect", "dialects", multiple=True, metavar="NAME",
              help="Read ambiguous layers as this fork does. Repeatable.")
@click.option("--lowering", metavar="NAME", help="Force one form of block.")
@click.option("--prefer", type=click.Choice(["deconvolution", "speed", "memory"]), default="deconvolution",
              show_default=True, help="What to choose blocks by; the fastest ones need --weights.")
@click.option("--filler-safe", is_flag=True,
              help="Avoid bilinear kernels that Caffe 1.0 and older fill wrongly.")
@click.option("--accept", multiple=True, type=click.Choice(["border"]),
              help="Take blocks that differ near the border.")
@click.option("--partial", is_flag=True,
              help="Write what could be done although some layer was refused.")
@click.option("--report", metavar="FILE.json", help="Write what was done to every layer.")
@click.option("-q", "--quiet", is_flag=True, help="Say one line for each file, not one for each layer.")
def command(nets: Tuple[str, ...], output: Optional[str], in_place: bool, diff: bool, check: bool,
            weights, weights_out, shapes, dialects, lowering, prefer, filler_safe, accept, partial, report,
            quiet) -> None:
    """Replace the custom resize layers of NET by stock Caffe layers that compute the same numbers.

    Without an output option the text goes to standard output; NET may be - for standard input.
    A refused layer means exit 1 and nothing written, unless --partial.
    """
    _one_way_out(nets, output, in_place, diff, check)
    _weights_both(nets, weights, weights_out, diff or check)
    given = shape_option(shapes)
    reports: List[dict] = []

    def job(path: str) -> int:
        data = files.read(path)
        result = _rewrite(data, shapes=given, dialect=dialects, lowering=lowering, prefer=prefer,
                          filler_safe=filler_safe, accept=accept, weights=bool(weights))
        reports.append(_report(path, result))
        _comment(path, result, quiet, bool(weights))
        if weights and (partial or not result.refusals):
            _patch(result, weights, weights_out)
        return _deliver(path, data, result, (output, in_place, diff, check, partial))

    try:
        each(nets, job)
    finally:
        if report:
            from prototools.report import as_json

            files.write(report, as_json(reports))


def _one_way_out(nets: Tuple[str, ...], output, in_place: bool, diff: bool, check: bool) -> None:
    """At most one of the options that say where the result goes."""
    chosen = [name for name, on in (("-o", output), ("--in-place", in_place), ("--diff", diff),
                                    ("--check", check)) if on]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} cannot be used together")
    if output and len(nets) > 1:
        raise click.UsageError("-o takes one NET; use --in-place, or call once for each file")
    if in_place and "-" in nets:
        raise click.UsageError("--in-place needs a file, not standard input")


def _weights_both(nets: Tuple[str, ...], weights, weights_out, nothing_written: bool) -> None:
    """Weights come in and go out, for one net, and only where that net is written too."""
    if bool(weights) != bool(weights_out):
        raise click.UsageError("--weights and --weights-out must be given together")
    if weights and len(nets) > 1:
        raise click.UsageError("--weights takes one NET; call once for each file")
    if weights and nothing_written:
        raise click.UsageError("--weights cannot be used with --diff or --check, which write nothing")


def _patch(result: Result, weights: str, weights_out: str) -> None:
    from prototools.patching import patch_weights

    patch_weights(result, weights, weights_out)


def _rewrite(data: bytes, **settings: Any) -> Result:
    from prototools.errors import PrototoolsError

    try:
        return rewrite(data, **settings)
    except PrototoolsError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _report(path: str, result: Result) -> dict:
    from prototools.report import describe

    return describe(path, result)


def _comment(path: str, result: Result, quiet: bool, weighed: bool) -> None:
    """A line for each layer on standard error, or one for the file; refusals always."""
    if quiet:
        say(f"{path}: {many(len(result.changes), 'layer')} rewritten, {len(result.refusals)} refused")
    for change in () if quiet else result.changes:
        say(f"{path}:{change.line}: {change.layer}: {change.type} ({change.dialect}: "
            f"{change.computes}) -> {change.lowering}, {many(len(change.new_layers), 'layer')}, "
            f"{change.certificate}")
    for change in () if quiet else result.changes:
        for note in change.notes:
            say(f"{path}:{change.line}: {change.layer}: {note}")
    for change in result.changes:
        if change.newer_filler and not quiet and not weighed:
            say(f"{path}:{change.line}: {change.layer}: its bilinear filler needs a Caffe newer than "
                "1.0; use --filler-safe for older ones")
    for refusal in result.refusals:
        say(f"{path}:{refusal}")


def _deliver(path: str, data: bytes, result: Result, options) -> int:
    """Put the result where the user wants it; the verdict of this file."""
    output, in_place, diff, check, partial = options
    changed = result.text != data
    verdict = FOUND if result.refusals else DONE
    if diff:
        _print(_diff(path, data, result.text))
        return FOUND if changed else verdict
    if check:
        return FOUND if changed else verdict
    if result.refusals and not partial:
        say(f"{path}: nothing written, because {len(result.refusals)} of "
            f"{len(result.refusals) + len(result.changes)} layers were refused (see --partial)")
        return FOUND
    if output or in_place:
        files.write(output or path, result.text)
    else:
        _print(result.text)
    return verdict


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _diff(path: str, before: bytes, after: bytes) -> bytes:
    import difflib

    lines = [text.decode("utf-8", "surrogateescape").splitlines(True) for text in (before, after)]
    diff = difflib.unified_diff(*lines, path, path)
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
                   for line in diff)
    return text.encode("utf-8", "surrogateescape")
