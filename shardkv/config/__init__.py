"""Options: what they are, how files and command lines give them, how CONFIG shows and changes them."""

from __future__ import annotations

from .options import Config
from .schema import ConfigFault, Line, Option, fault_line

__all__ = ["Config", "ConfigFault", "Line", "Option", "fault_line"]
