"""Tests the dashboard in a real Chromium: pages update by themselves and fit a phone, and no text becomes a script."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from tests.integration.dashboard.conftest import NAME

PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium here: deploy/install-browser.sh installs it")
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-background-networking", "--disable-gpu"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options, ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def set_screen(browser: Chrome, width: int, height: int) -> None:
    """Changes the size of the viewport as on a phone: a headless window cannot be narrower than 500 pixels."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


def visit_all_pages(browser: Chrome, web: str, folder: Path) -> None:
    """Opens every page on both screens and saves a screenshot of each in `folder`."""
    for path in ("/", "/runs/r", "/runs/r/iterations/1", f"/runs/r/briefs/{NAME}", "/runs/r/rows/001"):
        for width, height in (DESK, PHONE):
            set_screen(browser, width, height)
            browser.get(web + path)
            assert browser.title != "broken", "a model's text became a script"
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} pixels wide on a screen of {width}"
            browser.save_screenshot(str(folder / f"{path.strip('/').replace('/', '-') or 'runs'}-{width}.png"))


def open_running(browser: Chrome, web: str) -> None:
    browser.get(f"{web}/runs/r")
    assert "running" in browser.find_element(By.ID, "live").text


def await_words(browser: Chrome, words: str) -> None:
    """Waits until the open page shows these words, without a reload."""
    WebDriverWait(browser, 20).until(lambda seen: words in seen.find_element(By.ID, "live").text)


def follow_row(browser: Chrome, web: str) -> None:
    """Follows the link from a training row to its brief, and checks that no page has logged an error."""
    browser.get(f"{web}/runs/r/rows/001")
    browser.find_element(By.LINK_TEXT, NAME).click()
    WebDriverWait(browser, 20).until(lambda seen: seen.current_url.endswith(f"/briefs/{NAME}"))
    assert "Where they disagree" in browser.find_element(By.TAG_NAME, "body").text
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [entry["message"] for entry in severe if "favicon" not in entry["message"]] == []


async def test_pages_in_a_browser(shown: Callable[..., Any], browser: Chrome, tmp_path: Path) -> None:
    async with shown() as context:
        # Every call runs in a thread, because this event loop serves the pages that Chromium asks for.
        await asyncio.to_thread(visit_all_pages, browser, context.web, tmp_path)
        await asyncio.to_thread(open_running, browser, context.web)
        await asyncio.sleep(1)  # the stream is open by now
        await context.states.end("r", "failed", "the disk is full")
        await asyncio.to_thread(await_words, browser, "the disk is full")
        await asyncio.to_thread(follow_row, browser, context.web)
