"""The report: a folder with one self-contained page, and every table and figure as files."""

from analyses.report.folder import check_folder
from analyses.report.writing import write_report

__all__ = ["check_folder", "write_report"]
