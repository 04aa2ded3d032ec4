"""What `harmless` takes for harm, and what not: a check that finds nothing proves nothing."""

import harmless
import pytest
from hostile_names import MARK


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (harmless.assert_text, "a \x1b[2J"),
        (harmless.assert_text, "a \u202e b"),
        (harmless.assert_json, '{"a": NaN}'),
        (harmless.assert_json, '{"a": "\n"}'),
        (harmless.assert_html, f"<p><{MARK}></p>"),
        (harmless.assert_html, f"<p title='a' {MARK}=''></p>"),
        (harmless.assert_html, "<p onload='x'></p>"),
        (harmless.assert_html, f"<script>let a = '{MARK}'</script>"),
        (harmless.assert_html, "<script></script><p></p><script>"),
        (harmless.assert_html, f"<a href='{MARK}'>"),
        (harmless.assert_html, f"<!-- {MARK} -->"),
        (harmless.assert_svg, f"<svg><{MARK}/></svg>"),
        (harmless.assert_svg, "<svg onload='x'/>"),
        (harmless.assert_svg, "<svg><g></svg>"),
        (harmless.assert_svg, "<svg><script/></svg>"),
        (harmless.assert_markdown, "### <b>bold</b>"),
        (harmless.assert_markdown, "[a](javascript:b)"),
        (harmless.assert_markdown, "@you"),
        (harmless.assert_markdown, "| a | b |\n| -- | -- |\n| a | b | c |\n"),
        (harmless.assert_c, f"/* a */ int {MARK};"),
        (harmless.assert_c, f"/* a */ {MARK} */"),
        (harmless.assert_c, f'const char *a = "a"; {MARK}";'),
        (harmless.assert_c, f'const char *a = "{MARK}\\"";'),
        (harmless.assert_c, "/* a ??/ */"),
        (harmless.assert_c, "/* \u00e9 */"),
        (harmless.assert_plain, "{{ 7 * 7 }}"),
    ],
)
def test_harm_is_found(check, text):
    with pytest.raises((AssertionError, ValueError, SyntaxError)):
        check(text)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (harmless.assert_json, f'{{"a": "{MARK}\\n\\u001b \\"<"}}'),
        (harmless.assert_html, f"<p title='&lt;{MARK}&gt;'>&lt;{MARK} onload=1&gt;</p><script>1</script>"),
        (harmless.assert_svg, f"<svg><title>&lt;{MARK}&gt;</title><text a='{MARK}'/></svg>"),
        (harmless.assert_markdown, f"### {MARK}&#96;\n\n| a | b |\n| :-- | --: |\n| {MARK} | &#124; |\n"),
        (harmless.assert_c, f'/* {MARK} */\nconst char *a = "{MARK}"; // {MARK}\n'),
    ],
)
def test_what_is_escaped_is_not_taken_for_harm(check, text):
    check(text)
