"""Thresholds of figures: which images of a page are worth keeping, and how finely they are drawn."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FigureThresholds:
    """Images and drawings. No bench has truth for figures; tests/integration/engines/test_models.py and
    tests/integration/extraction/test_samples.py have some."""

    min_pixels: int = 16
    """Pixels of the shorter side: a smaller image is an ornament. By eye, not tuned."""
    min_points: float = 8.0
    """Points of the shorter side: a smaller image is an ornament. By eye, not tuned."""
    background_cover: float = 0.9
    """Of the page: a larger image is its background. By eye, not tuned."""
    render_dpi: int = 200
    """Dots per inch: images are rendered no finer. By eye, not tuned."""
    min_drawing: float = 40.0
    """Points of the shorter side: a smaller drawing is an ornament. By eye, not tuned."""
    max_drawings: int = 20
    """Drawings of one page. A bound on time; bench.bombs."""
    drawing_dpi: int = 144
    """Dots per inch of drawings: two pixels a point, as screens show them. By eye, not tuned."""
    same_picture: float = 0.3
    """Of the smaller area: a drawing that shares more with an image is that image. By eye, not tuned."""
    upright_tolerance: float = 0.01
    """Of the scale: with more shear an image is turned, and is rendered instead of taken as it is. By eye, not
    tuned."""
