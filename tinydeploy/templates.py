"""Rendering of the files in templates/."""

from functools import cache

import jinja2

from tinydeploy.files import data_dir


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_dir("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - C and INI, not HTML; what goes in is made safe where it is made
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> bytes:
    """The template of that path below templates/, filled in; a missing value is an error."""
    return _environment().get_template(template).render(**values).encode()
