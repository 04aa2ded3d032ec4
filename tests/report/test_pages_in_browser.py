"""The budget's page and picture in a real browser: nothing cut off, nothing from the network, light and dark."""

import numpy as np
import pytest
from browser import Browser, needs_chromium
from budgets_made import report_of
from image_models import ImageModel

from tinydeploy.budget.advice import adviser
from tinydeploy.model.reader import parse_model, read_model
from tinydeploy.planning import Targets
from tinydeploy.report.budget_html import budget_html
from tinydeploy.report.memory_map import memory_maps_svg

pytestmark = needs_chromium

WIDTHS = (360, 390, 768, 1440)

CUT_OFF = """
(() => {
  const found = [];
  const over = (inner, outer) =>
    Math.max(outer.left - inner.left, inner.right - outer.right, outer.top - inner.top, inner.bottom - outer.bottom);
  const screen = { left: 0, right: innerWidth, top: -Infinity, bottom: Infinity };
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  const words = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const parent = node.parentElement;
    if (!node.data.trim() || !box.width || parent.closest("title, style, script")) continue;
    let bounds = [[screen, "the screen"]];
    for (let e = parent; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (["auto", "scroll"].includes(style.overflowX)) {
        bounds = bounds.filter((bound) => bound[1] !== "the screen");
        break;
      }
      if (e.tagName === "svg" || style.overflowX === "hidden") bounds.push([e.getBoundingClientRect(), e.tagName]);
    }
    const block = parent.closest("g.block");
    if (block) bounds.push([block.querySelector("rect").getBoundingClientRect(), "its block"]);
    for (const [bound, name] of bounds) {
      const by = over(box, bound);
      if (by > 1) found.push(`${node.data.trim().slice(0, 40)}: ${by.toFixed(1)} px over ${name}`);
    }
    const svg = parent.closest("svg");
    if (svg) words.push([svg, box, node.data.trim(), block]);
  }
  const across = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = (a, b) => Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const meet = (a, b) => across(a, b) > 1 && down(a, b) > 2.5;  // lines of text have room above and below
  words.forEach(([svg, box, text, block], index) => {
    for (const [svg2, box2, text2] of words.slice(index + 1)) {
      if (svg === svg2 && meet(box, box2)) found.push(`${text} lies on ${text2}`);
    }
    for (const other of block ? [] : svg.querySelectorAll("g.block rect, g.empty rect")) {
      if (meet(box, other.getBoundingClientRect())) found.push(`${text} lies on a block or a lane`);
    }
  });
  return found;
})()
"""


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page_of(model_file, tmp_path_factory):
    """A page of a model by its name; every name is made once."""
    folder, made = tmp_path_factory.mktemp("pages"), {}

    def find(name):
        if name not in made:
            graph = tall() if name == "tall" else read_model(model_file(f"{name}_int8.tflite"))
            report = report_of(graph, limit=16_384, advise=None if name == "tall" else adviser(graph, Targets()))
            made[name] = folder / f"{name}.html"
            made[name].write_text(budget_html(report), encoding="utf-8")
            made[f"{name} picture"] = folder / f"{name}.svg"
            plans = [group.plan for group in report.groups]
            made[f"{name} picture"].write_text(memory_maps_svg(plans), encoding="utf-8")
        return made[name]

    return find


def tall():
    """70 layers, so that rows are as low as they get."""
    net = ImageModel(32, 32, 4)
    for layer in range(35):
        net.conv(4 + layer % 5)
        net.pool(3)
    return parse_model(net.finish(), name="a_model_with_a_rather_long_name_of_its_own_for_a_phone.tflite")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["hello_world", "kws", "vww", "tall"])
def test_nothing_is_cut_off_lies_on_something_else_or_makes_the_page_scroll_sideways(browser, page_of, name, width):
    page = browser.open(page_of(name), width=width, height=900)
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("innerWidth") == width
    assert page.run(CUT_OFF) == []
    assert page.run("getComputedStyle(document.querySelector('svg.wide')).display !== 'none'") is (width > 559)


@pytest.mark.parametrize("name", ["kws", "vww"])
def test_on_a_desk_the_tables_need_no_scrolling_either(browser, page_of, name):
    page = browser.open(page_of(name), width=1440)
    assert page.run("[...document.querySelectorAll('.scroll')].every((e) => e.scrollWidth <= e.clientWidth + 1)")


@pytest.mark.parametrize("width", [390, 1440])
def test_it_is_read_from_disk_alone(browser, page_of, width):
    page = browser.open(page_of("kws"), width=width)
    page.run("new Promise((done) => setTimeout(done, 200))")
    assert page.requests == [page_of("kws").as_uri()]


@pytest.mark.parametrize("width", [390, 1440])
def test_light_and_dark_are_two_pictures_and_neither_is_blank(browser, page_of, width):
    light, dark = (
        browser.open(page_of("kws"), width=width, dark=dark).picture(whole=False).astype(int) for dark in (False, True)
    )
    for picture in (light, dark):
        assert len(np.unique(picture[::4, ::4].reshape(-1, 3), axis=0)) > 20
    assert np.median(light) > 230
    assert np.median(dark) < 40


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_what_is_behind_them(browser, page_of, dark):
    """At least 4.5 to 1, as WCAG 2.2 wants it for text (1.4.3): words on the page, and on blocks of the picture."""
    page = browser.open(page_of("vww"), dark=dark)
    colours = page.run("""
      [...document.querySelectorAll("body, .quiet, .good, .bad, .engine, .source, thead th, tr.peak th, small")]
        .map((e) => [getComputedStyle(e).color, behind(e), e.className || e.tagName])
        .concat([...document.querySelectorAll("svg.wide g.block text")].map((e) =>
          [getComputedStyle(e).fill, getComputedStyle(e.parentElement.querySelector("rect")).fill, "block"]));
      function behind(e) {
        for (; e; e = e.parentElement) {
          const colour = getComputedStyle(e).backgroundColor;
          if (!colour.startsWith("rgba(0, 0, 0, 0")) return colour;
        }
      }
    """)
    assert len(colours) > 20
    for ink, paper, where in colours:
        assert contrast(ink, paper) >= 4.5, (where, ink, paper)


def contrast(one, other):
    """By WCAG 2.2, from colours as CSS writes them."""

    def luminance(colour):
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_row_and_its_blocks_light_up_together_and_a_block_says_what_it_is(browser, page_of):
    page = browser.open(page_of("kws"))
    page.run("document.querySelector('tr[data-layer=\"2\"]').dispatchEvent(new PointerEvent('pointerenter'))")
    lit = page.run("[...document.querySelectorAll('svg.wide g.lit')].map((g) => g.dataset.layers)")
    assert lit
    assert all("2" in layers.split() for layers in lit)
    page.run("document.querySelector('svg.wide g.tensor title').parentElement.dispatchEvent(new MouseEvent('click'))")
    assert "of the arena" in page.run("document.querySelector('.tip').textContent")


@pytest.mark.parametrize("name", ["kws", "tall"])
def test_the_picture_alone_is_whole_in_light_and_dark(browser, page_of, name):
    page_of(name)
    pictures = []
    for dark in (False, True):
        page = browser.open(page_of(f"{name} picture"), width=760, dark=dark)
        assert page.run(CUT_OFF) == []
        pictures.append(page.picture(whole=False).astype(int))
    assert np.median(pictures[0]) > 200
    assert np.median(pictures[1]) < 60
