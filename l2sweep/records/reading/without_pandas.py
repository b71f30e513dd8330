"""Let commands that print rows use pyarrow without pandas, whose import takes half a second."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import pyarrow as pa


def keep_pandas_out() -> None:
    """Keep pyarrow from importing pandas until something is converted to pandas.

    pyarrow imports pandas with the first value that it converts, to recognise a Series. It does without if
    there is none. Converting to pandas, as in ``load_rounds``, still imports it.

    Call this before pyarrow is used in a process that needs no pandas: a command, and not a library.
    """
    if "pandas" not in sys.modules:
        with _hidden("pandas"):
            pa.scalar(0)


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    class Hidden:
        @staticmethod
        def find_spec(module: str, path: object = None, target: object = None) -> None:
            if module == name:
                raise ModuleNotFoundError(f"{name} is not imported here", name=name)

    finder = Hidden()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
