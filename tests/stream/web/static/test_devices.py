"""Cameras that cannot be had, the keyboard alone, a screen reader, a phone held upright, dark rooms."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.stream.web.static.canvas import choose
from tests.stream.web.static.conftest import Fitting, launch

pytestmark = pytest.mark.timeout(200)

CONTRAST = """() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (under, colour) => {
    context.fillStyle = `rgb(${under.join(" ")})`; context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => element === null ? [255, 255, 255]
    : over(ground(element.parentElement), getComputedStyle(element).backgroundColor);
  const poor = [];
  for (const element of document.querySelectorAll("header *, main *, dialog *")) {
    const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!said || !element.checkVisibility() || element.closest(":disabled, .unseen, .stage")) continue;
    const back = ground(element);
    const [a, b] = [light(over(back, getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
"""Texts whose contrast with what is behind them is less than 4.5 (WCAG 2.2, 1.4.3)."""


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny"), "has not allowed the camera"),
        (("--use-fake-ui-for-media-stream",), "No camera was found"),
    ],
)
def test_a_camera_that_cannot_be_had_is_explained(
    fitting: Fitting, playwright: Playwright, flags: tuple[str, ...], said: str
) -> None:
    browser = launch(playwright, *flags)
    page = fitting.open(browser)
    page.click("#join")
    expect(page.locator("#alert")).to_contain_text(said)
    expect(page.locator("#join")).to_be_visible()
    browser.close()


def tab_to(page: Page, chosen: str) -> None:
    """Press Tab until what is wanted has the focus."""
    for _ in range(60):
        if page.evaluate(f"document.activeElement.matches({chosen!r})"):
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{chosen} is not reached with the keyboard")


def test_keyboard_alone_is_enough(fitting: Fitting, browser: Browser) -> None:
    page = fitting.open(browser)
    tab_to(page, "#join")
    page.keyboard.press("Enter")
    page.wait_for_selector("#leave:not([disabled])")
    tab_to(page, "input[name=layout]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("input[name=layout][value=beside]")).to_be_checked()
    tab_to(page, "#snapshot")
    page.keyboard.press("Enter")
    page.wait_for_selector("#photo[open]")
    page.keyboard.press("Escape")
    expect(page.locator("#photo")).to_be_hidden()
    expect(page.locator("#snapshot")).to_be_focused()
    tab_to(page, "#garments button")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#announcement")).to_have_text("Dotted dress put on")
    tab_to(page, "input[name=way-top]")
    page.keyboard.press("ArrowRight")
    tab_to(page, "#choice-top .swatch")
    page.keyboard.press("Enter")
    expect(page.locator("#announcement")).to_have_text("Top: Terracotta")
    tab_to(page, "input[name=background]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#announcement")).to_have_text("Background blurred")


SPOKEN = """
- banner:
  - heading "Live fitting" [level=1]
  - text: Camera
  - combobox "Camera":
    - option "My camera" [selected]
    - option "front"
    - option "back"
  - paragraph: Live
- status: The picture is live
"""


def test_controls_have_accessible_names(fitting: Fitting, browser: Browser) -> None:
    page = fitting.join(browser)
    expect(page.locator("body")).to_match_aria_snapshot(SPOKEN)
    for role, name in (("region", "Live picture"), ("img", "Live picture"), ("group", "What is shown"),
                       ("radio", "Side by side"), ("region", "Try on"), ("button", "Hoodie"), ("region", "Live"),
                       ("complementary", "Settings"), ("group", "Top"), ("group", "Background"),
                       ("checkbox", "bottom"), ("button", "Snapshot"), ("link", "Skip to the clothes")):  # fmt: skip
        expect(page.get_by_role(role, name=name, exact=True)).to_have_count(1)  # type: ignore[arg-type]


def test_everything_that_can_be_operated_has_a_name(fitting: Fitting, browser: Browser) -> None:
    page = fitting.open(browser)
    open_all(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, canvas, dialog")].filter((element) =>
        !(element.ariaLabel || element.textContent.trim() || element.closest("label")?.textContent.trim()
          || element.getAttribute("aria-labelledby"))).map((element) => element.outerHTML)"""
    )
    assert nameless == []


def open_all(page: Page) -> None:
    """Show every choice there is."""
    for name, way in (("top", "garment"), ("bottom", "pattern"), ("dress", "colour")):
        choose(page, f"way-{name}", way)
    choose(page, "background", "image")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phone_held_upright_shows_it_all_without_scrolling_sideways(
    fitting: Fitting, browser: Browser, width: int
) -> None:
    page = fitting.open(browser, viewport={"width": width, "height": 844})
    assert page.locator("#join").bounding_box()["y"] < 844  # type: ignore[index]
    open_all(page)
    page.evaluate("document.querySelector('#state span').textContent = 'Watching ' + 'long_name_'.repeat(6)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for height in (480, 960):  # one picture, and two of them one above the other
        page.evaluate(f"document.querySelector('#view').height = {height}")
        view, stage = (page.locator(name).bounding_box() for name in ("#view", "#stage"))
        assert view == stage, "part of the picture is cut off"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(fitting: Fitting, browser: Browser, scheme: str) -> None:
    page = fitting.open(browser, color_scheme=scheme)
    open_all(page)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(ground) < 60) == (scheme == "dark")
    assert page.evaluate(CONTRAST) == []
