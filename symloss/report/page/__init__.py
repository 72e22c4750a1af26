"""The report of a run as one HTML file or a LaTeX document."""

from __future__ import annotations

from symloss.report.page.write import FORMATS, document_of, write_report

__all__ = ["FORMATS", "document_of", "write_report"]
