from typing import Any

import pytest

from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import NAMES, ExtractPage, Html, Markdown, RenderInput, rendering
from tests.unit.render.documents import PNG, one_of_everything


def test_every_rendering_has_its_defaults_and_says_only_what_differs() -> None:
    assert set(NAMES) == {"extract-page", "markdown", "html"}
    assert all(rendering(name, {}).options() == {} for name in NAMES)
    assert rendering("extract-page", {"extract_text": False, "extract_images": True}) == ExtractPage(extract_text=False)
    assert ExtractPage(extract_text=False).options() == {"extract_text": False}
    assert rendering("html", {"title": "A seal"}).options() == {"title": "A seal"}


@pytest.mark.parametrize(
    ("name", "options"),
    [("pdf", {}), ("markdown", {"odd": True}), ("markdown", {"extract_text": 1}), ("html", {"title": None})],
)
def test_an_unknown_rendering_or_option_is_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no "):
        rendering(name, options)


@pytest.mark.parametrize("kind", [ExtractPage, Markdown, Html])
def test_a_rendering_shows_the_contents_that_were_asked_for(kind: type[ExtractPage | Markdown | Html]) -> None:
    read = RenderInput(one_of_everything(), ImagesInMemory([PNG]), "fast 1")
    all_of_it, no_text, no_images = (kind(*parts).render(read) for parts in ((), (False, True), (True, False)))
    assert b"read by machine" in all_of_it
    assert b"read by machine" not in no_text
    assert b"read by machine" in no_images
    if kind is not Markdown:
        shows = [b"image_b64" in page or b"<img" in page for page in (all_of_it, no_text, no_images)]
        assert shows == [True, True, False]
