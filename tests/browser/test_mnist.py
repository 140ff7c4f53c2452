"""The picture that is made of a drawing, against an exact average and against itself elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.browser.fake_server import FakeServer
from tests.browser.page import Page

pytestmark = pytest.mark.browser

CALL = """
    const done = arguments[arguments.length - 1];
    const [name, image, ...rest] = arguments;
    import("./static/mnist.js").then((mnist) => {
        const made = mnist[name]({ ...image, pixels: Float64Array.from(image.pixels) }, ...rest);
        done(made && { ...made, pixels: [...made.pixels] });
    });
"""


def call(page: Page, name: str, image: NDArray[Any], *rest: int) -> NDArray[Any] | None:
    height, width = image.shape
    given = {"width": width, "height": height, "pixels": image.ravel().tolist()}
    made = page.driver.execute_async_script(CALL, name, given, *rest)
    return made and np.reshape(made["pixels"], (made["height"], made["width"]))


def exact_average(image: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Every pixel of the new image cut out of a picture in which all edges of old and new pixels fall on a grid."""
    rows, columns = image.shape
    fine = np.kron(image, np.ones((height, width)))
    return fine.reshape(height, rows, width, columns).mean(axis=(1, 3))


@pytest.mark.parametrize(("width", "height"), [(20, 13), (7, 20), (20, 20)])
def test_every_new_pixel_is_the_mean_of_its_area(page: Page, fake: FakeServer, width: int, height: int) -> None:
    page.open(fake.url)
    image = np.random.default_rng(0).integers(0, 256, (90, 133)).astype(np.uint8)
    np.testing.assert_allclose(call(page, "resize", image, width, height), exact_average(image, width, height), atol=1e-6)


@pytest.mark.parametrize("place", [(10, 10), (150, 40), (205, 195)])
def test_a_drawing_becomes_the_same_digit_wherever_it_was(page: Page, fake: FakeServer, place: tuple[int, int]) -> None:
    page.open(fake.url)
    drawn = []
    for x, y in [(100, 100), place]:
        picture = Image.new("L", (280, 280))
        ImageDraw.Draw(picture).line([(x, y), (x + 60, y), (x + 30, y + 70)], fill=255, width=14)
        drawn.append(call(page, "likeMnist", np.asarray(picture)))
    assert np.shape(drawn[0]) == (28, 28)
    assert np.array_equal(*drawn)


def test_an_empty_drawing_is_no_picture(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    assert call(page, "likeMnist", np.zeros((28, 28))) is None
