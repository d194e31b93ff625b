"""The dashboard in a real headless Chromium: it moves by itself, fits a phone, and no text becomes a script."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from tests.integration.page.conftest import NAME

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


def size(browser: Chrome, width: int, height: int) -> None:
    """The viewport's size, as a phone has it: a headless window would not get narrower than 500 pixels."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


async def test_pages_in_a_browser(shown: Callable[..., Any], browser: Chrome, tmp_path: Path) -> None:
    async with shown() as world:

        async def look(path: str) -> str:
            await asyncio.to_thread(browser.get, world.web + path)
            return browser.title

        for path in ("/", "/runs/r", "/runs/r/iterations/1", f"/runs/r/briefs/{NAME}", "/runs/r/rows/001"):
            for width, height in (DESK, PHONE):
                size(browser, width, height)
                assert await look(path) != "broken", "a model's text became a script"
                wide = browser.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, f"{path} is {wide} pixels wide on a screen of {width}"
                await asyncio.to_thread(
                    browser.save_screenshot,
                    str(tmp_path / f"{path.strip('/').replace('/', '-') or 'runs'}-{width}.png"),
                )

        await look("/runs/r")
        live = browser.find_element(By.ID, "live")
        assert "running" in live.text
        await asyncio.sleep(1)  # the stream is open by now
        await world.states.end("r", "failed", "the disk is full")
        async with asyncio.timeout(20):
            while "the disk is full" not in await asyncio.to_thread(lambda: browser.find_element(By.ID, "live").text):
                await asyncio.sleep(0.2)

        await asyncio.to_thread(browser.get, f"{world.web}/runs/r/rows/001")
        await asyncio.to_thread(browser.find_element(By.LINK_TEXT, NAME).click)
        assert browser.current_url.endswith(f"/briefs/{NAME}")
        assert "Where they disagree" in browser.find_element(By.TAG_NAME, "body").text
        severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert [entry["message"] for entry in severe if "favicon" not in entry["message"]] == []
