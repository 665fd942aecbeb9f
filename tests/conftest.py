"""Puts the tests' own helpers (sandbox_process, stack_process, fakes) on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
