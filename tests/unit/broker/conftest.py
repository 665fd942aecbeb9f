"""Hypothesis judges the code here, not the speed of a machine that does other work too."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
