"""Turn Markdown that a machine or a person wrote into safe HTML: no images, no links, and no HTML that they contain."""

from functools import cache

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

from classifier.assistant.statements import MARKS, NOT_CHECKED, NOT_FROM_PICTURE

TAGS = {"p", "br", "ul", "ol", "li", "strong", "em", "code", "pre", "h3", "h4", "blockquote"}


def to_html(text: str) -> SafeString:
    """Return Markdown as HTML of a few harmless tags without attributes. Images and links leave their words.

    The marks of statements about the picture become labels. `check` removes what imitates one.
    """
    html = nh3.clean(_parser().render(text), tags=TAGS, attributes={}, link_rel=None)
    for mark in (NOT_FROM_PICTURE, NOT_CHECKED):
        words = MARKS[mark]
        html = html.replace(f"<strong>({words})</strong>", f'<span class="look-mark look-{mark}">{words}</span>')
    return SafeString(html)


@cache
def _parser() -> MarkdownIt:
    # An image would tell its server who reads the page, and when.
    return MarkdownIt("commonmark", {"html": False}).disable(["image", "link", "autolink", "html_block", "html_inline"])
