"""The layout model: what the `layout` and `auto` engines gain by it, with one thread, and never in `fast`."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.engines.layout.policy import LAYOUT
from octavo.engines.pages.engine import PagesEngine
from tests.integration.engines.drawn import Drawing, texts

THREADS = Path("/proc/self/task")
LOADED = """
import os, sys
sys.path.insert(0, {root!r})
from octavo.engines.registry import EngineRegistry
EngineRegistry.installed().resolve({engine!r}).preload()
print(len(os.listdir("/proc/self/task")), "pymupdf.layout" in sys.modules)
"""


def report() -> Drawing:
    drawing = Drawing()
    drawing.text(72, 60, "3 Of the press", font="hebo", size=11)
    drawing.prose(72, 90, 440, 14)
    drawing.text(72, 290, "3.1 Of the ink", font="hebo", size=10)
    drawing.prose(72, 310, 440, 14)
    drawing.text(72, 812, "A history of the octavo", size=8)
    return drawing


@pytest.mark.parametrize("engine", ["layout", "auto"])
def test_headings_are_found(engine: str) -> None:
    assert texts(report().read(engine), ("title", "heading")) == ["3 Of the press", "3.1 Of the ink"]


@pytest.mark.skipif(not THREADS.exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize(("engine", "loads"), [("fast", False), ("layout", True), ("auto", True)])
def test_the_models_are_loaded_where_they_are_needed_and_start_no_thread(engine: str, loads: bool) -> None:
    root = str(Path(__file__).parents[3])
    told = subprocess.run(
        [sys.executable, "-c", LOADED.format(root=root, engine=engine)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    threads, loaded = told.stdout.split()
    assert loaded == str(loads)
    assert int(threads) == 1


def test_the_model_is_not_asked_about_a_page_with_too_many_lines() -> None:
    from octavo.engines.layout.model import LayoutModel, ModelBounds

    strict = PagesEngine(replace(LAYOUT, make_detector=lambda _: LayoutModel(ModelBounds(max_lines=10))))
    assert report().read(strict) == report().read("fast")
    assert report().read("layout") != report().read("fast")


def test_auto_does_not_ask_the_model_about_plain_prose(monkeypatch: pytest.MonkeyPatch) -> None:
    from octavo.engines.layout import model

    def asked(*_: object) -> None:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(model, "_analyse", asked)
    drawing = Drawing()
    drawing.prose(72, 80, 440, 40)
    assert texts(drawing.read("auto"))


def test_what_is_drawn_and_no_image_is_a_figure_of_its_own() -> None:
    from octavo.documents import Box
    from octavo.engines.contract import Limits
    from octavo.engines.image_budget import ImageBudget
    from octavo.engines.pages.figures.page_figures import drawn_figures
    from octavo.engines.pages.files.pdf import page_frame
    from octavo.engines.pages.page_view import PageView
    from octavo.engines.pages.roles.labels import LabelledRegion
    from octavo.engines.pages.thresholds.figures import FigureThresholds

    drawing = Drawing()
    drawing.page.draw_circle((200, 300), 80, color=(0, 0, 0), fill=(0.5, 0.6, 0.9))
    picture = LabelledRegion("picture", Box(120, 220, 280, 380))
    small = LabelledRegion("picture", Box(300, 220, 310, 230))
    view = PageView(drawing.page, page_frame(drawing.page), [], 1, 0.0)
    budget = ImageBudget(Limits())
    (figure,) = drawn_figures(
        view, [picture, small, LabelledRegion("text", picture.box)], [], budget, FigureThresholds()
    )
    assert figure.data.startswith(b"\x89PNG")
    assert (figure.width, figure.height) == (320, 320)
    assert not drawn_figures(view, [picture], [figure], budget, FigureThresholds())
