"""A picture of rectangles, lines and words, as SVG. What it looks like is said by classes: see templates/report/."""

from dataclasses import dataclass

from tinydeploy.templates import render_markup

CHARACTER = 0.58
"""Width of a character of a common sans serif font, on average, in its size."""

CAPITAL = 0.71
"""The same of capitals and underscores in a wide font, DejaVu Sans."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """Text at a point, in pixels; ``y`` is its base line. ``style`` is of classes, ``anchor`` start, middle or end."""

    x: float
    y: float
    text: str
    style: str
    anchor: str = "start"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle in pixels. ``title`` is shown on hover; ``layers`` are the ops that it has to do with."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str = ""
    layers: tuple[int, ...] = ()
    words: Words | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line in pixels."""

    x1: float
    y1: float
    x2: float
    y2: float
    style: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """From below: the ground, lines, boxes, words; a later box covers an earlier one.

    ``description`` is for screen readers.
    """

    width: float
    height: float
    description: str
    ground: tuple[Box, ...]
    lines: tuple[Line, ...]
    boxes: tuple[Box, ...]
    words: tuple[Words, ...]


def text_width(text: str, size: float) -> float:
    """As many pixels as the text takes at most, at a font size in pixels."""
    capitals = sum(character.isupper() or character == "_" for character in text)
    return (capitals * CAPITAL + (len(text) - capitals) * CHARACTER) * size


def inline_svg(picture: Picture, *, style: str = "") -> str:
    """An <svg> element without styles, for a page that has them."""
    return render_markup("report/picture.svg.j2", picture=picture, style=style, is_alone=False)


def standalone_svg(picture: Picture) -> str:
    """An SVG file: light or dark as the viewer is set, without references to anything."""
    return render_markup("report/picture.svg.j2", picture=picture, style="", is_alone=True)
