"""Reading a page as a browser does, and text that must not act on it."""

from html.parser import HTMLParser

HOSTILE = " ".join(
    (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "[a](javascript:alert(1))",
        "\x1b[31mred\x1b[0m",
        "{{7*7}}{% raw %}",
        "</title></style></svg><b>",
        "\ud800\u202e",
    )
)
VOID = {"meta", "br", "img", "link", "input", "hr", "use"}


class Reader(HTMLParser):
    """Tags, attributes, visible text, and whether every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        is_script = bool(self.open) and self.open[-1] == "script"
        (self.scripts if is_script else self.texts).append(data)
