"""What every test may use: the shared reference data, and real Caffe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from prototools.errors import EngineError
from prototools.realcaffe import Installation, find, setup

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"

_WITHOUT_CAFFE = "without real Caffe: "


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the project; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the reference data of {SHARED} is not here")
    return SHARED


@pytest.fixture(scope="session")
def caffe() -> Installation:
    """Real Caffe, made on the first use (a few seconds).

    Where it cannot be had the test is skipped, in CI (`CI=true`) it fails.
    """
    try:
        return find() or setup()
    except EngineError as error:
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"CI must have real Caffe, but: {error}", pytrace=False)
        pytest.skip(_WITHOUT_CAFFE + str(error))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in words how many tests went without real Caffe, and why."""
    reasons = [
        report.longrepr[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and _WITHOUT_CAFFE in report.longrepr[2]
    ]
    if reasons:
        reason = reasons[0].partition(_WITHOUT_CAFFE)[2]
        terminalreporter.section("real Caffe")
        terminalreporter.write_line(
            f"Real Caffe could not be had, so {len(reasons)} tests that need it were skipped, "
            f"and nothing was proven on Caffe itself. Reason: {reason}"
        )
