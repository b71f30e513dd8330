"""Charts of characters for a terminal."""

from l2sweep.cli.terminal_chart.drawing import Series, curve_text

__all__ = ["Series", "curve_text"]
