"""Rendering of the files in templates/."""

from functools import cache
from typing import TYPE_CHECKING

from tinydeploy.files import data_dir

if TYPE_CHECKING:  # a plan needs no templates
    import jinja2


@cache
def _environment(*, autoescape: bool) -> "jinja2.Environment":
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_dir("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,  # noqa: S701 - C and INI are no markup
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> bytes:
    """The template of that path below templates/, filled in; a missing value is an error.

    For C and INI: nothing is escaped, what goes in is made safe where it is made.
    """
    return _environment(autoescape=False).get_template(template).render(**values).encode()


def render_markup(template: str, **values: object) -> str:
    """The same for HTML and SVG: whatever goes in is escaped."""
    return _environment(autoescape=True).get_template(template).render(**values)
