"""PyMuPDF's layout models, loaded once and with one thread, so that a process that forks may hold them.

ONNX Runtime reports its use to its makers, from a thread it starts when it is imported. Nothing here reports
anything to anybody: it is told so before.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from octavo.documents import Box
from octavo.engines.mupdf import PdfPage
from octavo.engines.pages.page_view import PageView
from octavo.engines.pages.roles.labels import LabelledRegion, is_label

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
onnxruntime: Any = importlib.import_module("onnxruntime")

Session = Any
Options = Any
"""ONNX Runtime's objects, which come without types."""


@dataclass(frozen=True, slots=True)
class ModelBounds:
    """How large a page may be that the model is asked about.

    Its time and memory grow faster than the lines do, and it draws the page at a pixel a point. Measured: a page of
    10,000 lines took it more than four minutes, one of 3,000 by 3,000 points 23 s; bench.bombs.
    """

    max_lines: int = 1_500
    """Lines of text."""
    max_area: int = 2_500_000
    """Square points: a sheet of A2 has 2,000,000."""


@cache
def load() -> None:
    """Load the models: 0.3 s and 90 MB, measured. Whatever is forked later shares them."""
    make_session = onnxruntime.InferenceSession
    # The loader takes no options, and a session starts a thread per core: they would not survive a fork.
    onnxruntime.InferenceSession = _with_one_thread(make_session)
    try:
        importlib.import_module("pymupdf.layout")
    finally:
        onnxruntime.InferenceSession = make_session


@dataclass(frozen=True, slots=True)
class LayoutModel:
    """PyMuPDF's layout model as a detector of regions."""

    bounds: ModelBounds = field(default_factory=ModelBounds)

    @classmethod
    def loaded(cls) -> "LayoutModel":
        """Return the model, loaded."""
        load()
        return cls()

    def detect(self, view: PageView) -> list[LabelledRegion]:
        """Return what the model takes the parts of an upright page for, in its reading order.

        Nothing for a page beyond its bounds.
        """
        if len(view.lines) > self.bounds.max_lines or view.frame.area > self.bounds.max_area:
            return []
        groups = _analyse(view.page) or []
        return [
            LabelledRegion(group["class_name"], Box(*map(float, group["group_bbox"])), tuple(_boxes(group)))
            for group in groups
            if is_label(group["class_name"])
        ]


def _analyse(page: PdfPage) -> list[dict[str, Any]]:
    page.get_layout(return_raw=True)
    groups: list[dict[str, Any]] = page.layout_information
    # Whoever looks for tables later must not find it.
    page.layout_information = None
    return groups


def _boxes(group: dict[str, Any]) -> list[Box]:
    return [Box(*(float(part) for part in box)) for box in group["bboxes"]]


def _with_one_thread(make_session: Callable[..., Session]) -> Callable[..., Session]:
    def made(*arguments: object, sess_options: Options | None = None, **named: object) -> Session:
        options = sess_options or onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return make_session(*arguments, sess_options=options, **named)

    return made
