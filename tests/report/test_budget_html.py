"""The budget's page, as text: what stands in it, in which order, and what can not get into it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from budgets_made import budget_of, report_of
from image_models import ImageModel

from tinydeploy.budget.advice import Advice
from tinydeploy.budget.figures import Figure
from tinydeploy.budget.what_if import WhatIf
from tinydeploy.model.reader import parse_model
from tinydeploy.report.budget_html import budget_html

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Reader(HTMLParser):
    """Elements, text, and whether all that was opened is closed in its order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.texts, self._open = [], [], [], []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip() and not {"style", "script"}.intersection(self._open):
            self.texts.append(" ".join(data.split()))


def small_graph(name="tensor", file_name="model.tflite"):
    net = ImageModel(16, 16, 4, name=name)
    net.conv(32, 3)
    net.pool(3, stride=2)
    net.conv(8)
    return parse_model(net.finish(), name=file_name)


@pytest.fixture(scope="module")
def graph():
    return small_graph()


def test_what_broke_comes_before_everything_else(graph):
    texts = Reader(budget_html(report_of(graph, limit=4_096))).texts
    verdict = next(text for text in texts if text.endswith("not kept") and ":" not in text)
    broken = [text for text in texts if "at most 4,096 B allowed" in text]
    assert verdict == f"{len(broken) + 2} limits are not kept", "two have grown too much"
    assert texts.index(verdict) < texts.index(broken[0]) < texts.index("Boards")


def test_where_all_is_well_it_says_so(graph):
    page = budget_html(report_of(graph, boards=("qemu-cortex-m4",), changes=(), refusals=()))
    assert "fits on all of them" in Reader(page).texts
    assert "Nothing has changed." in Reader(page).texts
    assert "What is not as it has to be" not in page


def test_the_uses_of_a_memory_add_up_to_its_bar(graph):
    report = report_of(graph, boards=("nano33ble",), engine="aot")
    widths = [float(width) for width in re.findall(r'class="use [^"]*" style="width: ([\d.]+)%"', budget_html(report))]
    plan = report.boards[0].plan
    used = 100 * (plan.ram.used_bytes / plan.board.ram_bytes + plan.flash.used_bytes / plan.board.flash_bytes)
    assert sum(widths) == pytest.approx(used, abs=0.01)


def test_what_a_build_found_beyond_the_plan_is_a_use_of_its_own(graph):
    report = report_of(graph, boards=("nano33ble",), engine="aot")
    plan = report.boards[0].plan
    built = budget_of(plan, ram=Figure(value=plan.ram.used_bytes + 1_234, source="exact", origin="the ELF"))
    texts = Reader(budget_html(replace(report, boards=(built,)))).texts
    assert texts[texts.index("other") + 1] == "1,234"
    assert "exact: the ELF" in texts


def test_a_board_that_is_too_small_shows_where_its_memory_ends(graph):
    report = report_of(graph, boards=("microbit",), engine="aot")
    plan = report.boards[0].plan
    large = budget_of(plan, ram=Figure(value=2 * plan.board.ram_bytes, source="exact"))
    page = budget_html(replace(report, boards=(large,)))
    assert 'class="limit" style="left: 50.000%"' in page
    assert f"{plan.board.ram_bytes:,} B short" in page


def test_every_layer_has_a_row_and_the_peak_is_marked(graph):
    report = report_of(graph, boards=("qemu-cortex-m4",), engine="tflm")
    page = budget_html(report)
    assert re.findall(r'<tr data-layer="(\d+)"', page) == ["0", "1", "2"]
    peak = report.boards[0].plan.engine.peak.op
    assert re.findall(r'<tr data-layer="(\d+)" class="peak"', page) == [str(peak)]
    texts = Reader(page).texts
    assert {"instructions", "2,077", "1x16x16x32"} <= set(texts)


def test_advice_stands_below_the_picture(graph):
    told = Advice(
        ideas=(WhatIf(change="the moon were made of cheese", cost="a rocket", saved_bytes=4_321, ram_bytes=1),),
        next_peak="nothing is to be gained",
    )
    advised, plain = (report_of(graph, boards=("qemu-cortex-m4",), advise=advise) for advise in (lambda _: told, None))
    texts = Reader(budget_html(advised)).texts
    assert {"−4,321 B", "if the moon were made of cheese", "a rocket"} <= set(texts)  # noqa: RUF001 - a minus
    assert "What would make it smaller" not in Reader(budget_html(plain)).texts


def test_the_page_needs_nothing_but_itself(graph):
    page = budget_html(report_of(graph))
    read = Reader(page)
    assert not {"link", "img", "iframe", "object", "embed"}.intersection(read.tags)
    references = [value for name, value in read.attributes if name in ("src", "href", "xlink:href", "action")]
    assert not references
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace('http-equiv="Content-Security', "")
    assert "url(" not in page
    assert "@import" not in page


def test_nothing_out_of_a_model_becomes_markup():
    hostile = "\"'><script>alert(1)</script><b>&amp;{{ 7 * 7 }}"
    graph = small_graph(name=hostile, file_name=f"{hostile}.tflite")
    read = Reader(budget_html(report_of(graph, boards=("qemu-cortex-m4",))))
    plain = Reader(budget_html(report_of(small_graph(), boards=("qemu-cortex-m4",))))
    assert read.tags == plain.tags
    assert [name for name, _ in read.attributes] == [name for name, _ in plain.attributes]
    assert any("{{ 7 _ 7 }}" in text for text in read.texts), "only shown"


def test_equal_reports_give_equal_pages(graph):
    assert budget_html(report_of(graph)) == budget_html(report_of(graph))
