"""Hooks of mkdocs: pages that live in the root of the repository, links that leave docs/.

README, LAB, CONTRIBUTING, CHANGELOG and SECURITY are read where they are. A link to a file of the
repository that is no page (source, tests, studies, examples) becomes its text and its path.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PAGES = {
    name: name.lower() for name in ("LAB.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
}
"""A page in the root -> its name on the site."""
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages of the root, and an index of the decisions."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_from_root(text)))
    files.append(File.generated(config, "decisions/index.md", content=decisions()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Rewrites links that leave docs/."""
    folder = (ROOT / "docs" / page.file.src_uri).parent
    depth = "../" * page.file.src_uri.count("/")

    def rewrite(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        path = (folder / target).resolve()
        if re.match(r"[a-z]+:", target) or not path.is_relative_to(ROOT):
            return match[0]
        where = path.relative_to(ROOT).as_posix()
        if where in PAGES:
            return f"[{text}]({depth}{PAGES[where]}{anchor})"
        if where == "README.md":
            return f"[{text}]({depth}index.md)"
        if where == "docs/decisions":
            return f"[{text}]({depth}decisions/index.md)"
        if where.startswith("docs/"):
            return match[0]
        shown = text.strip("`")
        return f"`{where}`" if shown in where else f"{text} (`{where}`)"

    return LINK.sub(rewrite, markdown)


def _from_root(text: str) -> str:
    """A page of the root as if it stood in docs/: its relative links start one folder higher."""

    def rewrite(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:", target):
            return match[0]
        inside = target.removeprefix("docs/")
        return f"[{text}]({inside if inside != target else '../' + target}{anchor})"

    return LINK.sub(rewrite, text)


def decisions() -> str:
    """The list of decision records, by number."""
    lines = ["# Decisions", "", "Why things are as they are, one page for each decision.", ""]
    for path in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        lines.append(f"* [{title}]({path.name})")
    return "\n".join(lines) + "\n"
