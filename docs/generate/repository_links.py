"""Hooks of the page builder: links into the repository, and nothing from anybody's server.

On a page that is read in the repository a link out of docs/ works as it stands. A built page may
lie anywhere, so there the path is shown instead of linked. What a built page loads lies beside it.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePosixPath
from typing import Any

log = logging.getLogger("mkdocs.hooks.repository_links")

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)\s#]+)(#[^)\s]*)?\)")

LOADED = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?P<url>https?://[^\"'>]+)"
)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace the page's links to files beyond docs/; a missing file fails the strict build."""
    folder = PurePosixPath("docs", page.file.src_uri).parent

    def shown(link: re.Match[str]) -> str:
        path = _joined(folder, link["target"])
        if path.parts[:1] == ("docs",):
            return link[0]
        if not (ROOT / path).exists():
            log.warning("%s: %s is not in the repository", page.file.src_uri, path)
        text = link["text"].strip("`")
        return f"`{path}`" if PurePosixPath(text).name == path.name else f"{text} (`{path}`)"

    return LINK.sub(shown, markdown)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Fail the strict build for a page that would ask a server for something."""
    for found in LOADED.finditer(output):
        log.warning(
            "%s: loads %s; a page is read without a network", page.file.src_uri, found["url"]
        )
    return output


def _joined(folder: PurePosixPath, target: str) -> PurePosixPath:
    parts = list(folder.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)
