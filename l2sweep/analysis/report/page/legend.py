"""The symbols of a legend as SVG."""

from __future__ import annotations

SHAPE_PATHS = {
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "square": "M-4 -4h8v8h-8z",
    "triangle-up": "M0 -4.5l5 9h-10z",
    "triangle-down": "M0 4.5l5 -9h-10z",
    "triangle-right": "M4.5 0l-9 5v-10z",
    "triangle-left": "M-4.5 0l9 5v-10z",
    "diamond": "M0 -5.5l4.5 5.5l-4.5 5.5l-4.5 -5.5z",
    "cross": "M-1.6 -5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z",
}
"""The shapes of Vega's symbols, about the origin."""
