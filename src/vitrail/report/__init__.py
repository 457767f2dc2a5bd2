"""Run folders in, one HTML file out that needs no network, no script and no server."""

from vitrail.report.page import build_report

__all__ = ["build_report"]
