"""A page in a browser, and whatever it did that a page of ours does not do."""

from pathlib import Path
from typing import Any


class WatchedPage:
    """
    Opens a file.

    :param settings: of a browser's context, such as ``color_scheme`` and ``viewport``.
    """

    def __init__(self, browser: Any, file: Path, **settings: Any) -> None:
        self.requests: list[str] = []
        self.troubles: list[str] = []
        self._context = browser.new_context(**settings)
        self._context.set_default_timeout(120_000)
        self.page = self._context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.url = file.resolve().as_uri()
        self.page.goto(self.url)
        self.page.wait_for_load_state("networkidle")

    def _dialog(self, dialog: Any) -> None:
        self.troubles.append("dialog: " + dialog.message)
        dialog.dismiss()

    def boxes(self, selector: str) -> list[dict[str, float]]:
        """Where the elements are, in pixels."""
        return [element.bounding_box() for element in self.page.locator(selector).all()]

    def close(self) -> None:
        self._context.close()
