"""docs/supported-ops.md."""

from pathlib import Path

from tinydeploy.engines.supported_ops import supported_ops_page

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "supported-ops.md"


def test_the_page_of_supported_ops_is_up_to_date():
    assert _PAGE.read_text() == supported_ops_page(), (
        "run: python -m tinydeploy.engines.supported_ops > docs/supported-ops.md"
    )
