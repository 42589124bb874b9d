"""The page in a real browser: Debian's Chromium, without a screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

TOKEN = "correct-horse-battery-staple-0123456789"
PATIENCE_MS = 60_000
PATHS = {
    "overview": "/",
    "credentials": "/credentials",
    "credential": "/credentials/ghcr",
    "rollback": "/credentials/ecr-prod/rollback",
    "leak": "/credentials/ecr-prod/leak",
}
SIZES = {"phone": (360, 740), "desk": (1280, 900)}


@dataclass
class Seen:
    """What a page did that it should not have.

    Args:
        url: Where our server is.
        console: What it wrote to the console.
        foreign: Requests to other servers.
    """

    url: str
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note what ``page`` does from now on."""
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith(self.url):
            self.foreign.append(url)


@pytest.fixture(scope="module")
def browser(program: Any) -> Iterator[Browser]:
    """Return one browser for all tests."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"], timeout=PATIENCE_MS
        )
        yield started
        started.close()


@pytest.fixture
def seen(served: Any) -> Iterator[Seen]:
    """Return what pages did that they should not have; it must be nothing."""
    found = Seen(served.url)
    yield found
    assert found.console == []
    assert found.foreign == []


def open_page(browser: Browser, seen: Seen, **options: Any) -> Page:
    """Return a page of a browser that nobody used yet."""
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    seen.watch(page)
    return page


def log_in(page: Page, url: str, role: str = "admin") -> None:
    """Log in with the keyboard alone."""
    page.goto(f"{url}/")
    expect(page.get_by_label("Token")).to_be_focused(timeout=PATIENCE_MS)
    page.keyboard.insert_text(f"{TOKEN}-{role}")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")


@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_is_readable(browser: Browser, served: Any, seen: Seen, screenshots: Path, size: str) -> None:
    """On a telephone and on a desk, light and dark, nothing sticks out, and text stands out from what is behind it."""
    width, height = SIZES[size]
    page = open_page(browser, seen, viewport={"width": width, "height": height})
    log_in(page, served.url)
    for name, path in PATHS.items():
        page.goto(served.url + path)
        schemes: tuple[Any, ...] = ("light", "dark")
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png", full_page=True)
            assert page.evaluate(FAINT) == [], (path, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.context.close()


def test_what_needs_you_comes_first_and_is_said_aloud(browser: Browser, served: Any, seen: Seen) -> None:
    """A screen reader hears the count first, then headings in order, a table with names, and bars in words."""
    page = open_page(browser, seen)
    log_in(page, served.url)

    headings = page.get_by_role("heading").all_inner_texts()
    table = page.get_by_role("table", name="Credentials and targets")

    assert headings[0].endswith("6 things need you")
    assert [one.lower() for one in headings[1:]] == [
        "to keep an eye on",
        "expiries",
        "credentials and targets",
        "pull limits",
        "latest rotations",
    ]
    expect(table.get_by_role("columnheader", name="prod kubernetes")).to_be_visible()
    expect(table.get_by_role("row", name="gar").get_by_role("cell").nth(2)).to_contain_text("failing")
    expect(page.get_by_role("img", name="ecr-prod: issued 6h ago")).to_be_visible()
    expect(page.get_by_role("link", name="Skip to content")).to_be_attached()
    page.context.close()


def test_it_follows_without_a_reload(browser: Browser, served: Any, seen: Seen, page: Any) -> None:
    """What changes at the daemon is shown without a reload; focus, scroll and what is selected stay where they are."""
    tab = open_page(browser, seen, viewport={"width": 1280, "height": 500})
    log_in(tab, served.url)
    expect(tab.locator("#live")).to_have_text("Live", timeout=PATIENCE_MS)
    tab.evaluate("window.isTheSame = true")
    link = tab.get_by_role("table").get_by_role("link", name="quay")
    link.focus()
    scrolled = tab.evaluate("scrollY")

    def replace_them() -> None:
        statuses = served.daemon.statuses
        well = statuses["ecr-prod"]
        statuses["hub-ci"] = replace(well, name="hub-ci")
        for name in ("aaa", "zzz"):
            statuses[name] = replace(well, name=name)
        names = sorted({*statuses} - {"gar"})
        credentials = dict.fromkeys(names, served.daemon.config.credentials["ghcr"])
        served.daemon.config = served.daemon.config.model_copy(update={"credentials": credentials})
        served.daemon.tell("hub-ci")

    page.call(replace_them)

    expect(tab.get_by_role("heading", level=1)).to_contain_text("4 things need you", timeout=PATIENCE_MS)
    rows = tab.get_by_role("table").get_by_role("rowheader").locator("a").all_inner_texts()
    assert rows == ["aaa", "ecr-prod", "ecr-staging", "ghcr", "harbor", "hub-ci", "jfrog", "quay", "zzz"]
    assert tab.evaluate("window.isTheSame")
    assert tab.evaluate("document.activeElement.textContent") == "quay"
    assert abs(tab.evaluate("scrollY") - scrolled) < 200
    tab.context.close()


def test_it_says_when_it_is_cut_off(browser: Browser, served: Any, seen: Seen) -> None:
    """A page that is not live any more says so, and as of when it is."""
    tab = open_page(browser, seen)
    log_in(tab, served.url)
    expect(tab.locator("#live")).to_have_text("Live", timeout=PATIENCE_MS)

    tab.context.set_offline(True)
    tab.evaluate("events.close(); renew()")

    expect(tab.locator("#live")).to_contain_text("Not live: what is shown is as of", timeout=PATIENCE_MS)
    seen.console.clear()  # the browser itself tells of requests that failed
    tab.context.close()


def test_a_rotation_by_the_keyboard_alone(browser: Browser, served: Any, seen: Seen) -> None:
    """From the first page to a running rotation, with Tab, Enter and a reason; the daemon knows who asked and why."""
    tab = open_page(browser, seen)
    log_in(tab, served.url, "operator")

    press_until(tab, "ecr-prod")
    tab.wait_for_url("**/credentials/ecr-prod")
    press_until(tab, "Rotate now")
    tab.wait_for_url("**/credentials/ecr-prod/rotate")
    expect(tab.get_by_role("heading", name="What will happen")).to_be_visible()
    tab_to(tab, "reason")
    tab.keyboard.insert_text("the token was shown in a build log")
    press_until(tab, "Rotate now")
    tab.wait_for_url("**/credentials/ecr-prod?asked=*")

    expect(tab.get_by_text("You asked for this rotation")).to_be_visible()
    assert served.daemon.acts == [("rotate", "ecr-prod", "the token was shown in a build log", "token 2")]
    tab.context.close()


def test_it_works_without_script(browser: Browser, served: Any, seen: Seen) -> None:
    """Without JavaScript everything is there, and buttons do what they say."""
    tab = open_page(browser, seen, java_script_enabled=False)
    tab.goto(f"{served.url}/")
    tab.get_by_label("Token").fill(f"{TOKEN}-admin")
    tab.get_by_role("button", name="Log in").click()
    expect(tab.locator("#live")).to_have_text("Reload to see what is new.")
    tab.goto(f"{served.url}/credentials/ecr-prod/leak")
    tab.get_by_label("Why?").fill("pushed to a public repository")
    tab.get_by_role("button", name="Replace and end it everywhere").click()
    tab.wait_for_url("**/credentials/ecr-prod")

    assert served.daemon.acts == [("leak", "ecr-prod", "pushed to a public repository", "token 3")]
    tab.context.close()


def test_another_page_cannot_send_our_form(browser: Browser, served: Any, seen: Seen) -> None:
    """A form on another origin, sent by a browser that is logged in, is refused and does nothing."""
    tab = open_page(browser, seen)
    log_in(tab, served.url)
    other = served.url.replace("127.0.0.1", "localhost")
    path = f"{served.url}/credentials/ecr-prod/rotate"
    form = f'<form method="post" action="{path}"><input name="reason" value="x"><button>Win</button></form>'
    tab.route(f"{other}/trap", lambda route: route.fulfill(body=form, content_type="text/html"))
    tab.goto(f"{other}/trap")
    with tab.expect_response(path) as answer:
        tab.get_by_role("button", name="Win").click()

    assert answer.value.status == 403
    assert served.daemon.acts == []
    tab.context.close()
    seen.console.clear()  # the browser tells of the status
    seen.foreign.clear()  # the trap itself


def press_until(page: Page, text: str) -> None:
    """Go on with Tab until what says ``text`` has the focus, then press Enter."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == text:
            page.keyboard.press("Enter")
            return
    pytest.fail(f"nothing that can be reached by Tab says {text}")


def tab_to(page: Page, name: str) -> None:
    """Go on with Tab until the field of that name has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == name:
            return
    pytest.fail(f"no field that can be reached by Tab is named {name}")


FAINT = """() => {
  // Text whose contrast with what is behind it is below 4.5:1 (WCAG 2.2, 1.4.3).
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest("svg, script") || !node.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(walker.currentNode.data.trim());
  }
  return faint;
}"""
