"""The main job in a real browser: sign up, upload, read the result, find it again."""

import re

import pytest
from playwright.sync_api import expect

from tests.system.browser.conftest import MENINGIOMA, PHONE, RESULT

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.real_weights]

# Controls that must be large enough for touch.
TARGETS = "main button:visible, main .btn:visible, .site-nav a:visible, select:visible, main input[type=text]:visible"


def test_from_sign_up_to_the_result_and_back_again(open_page, sign_up):
    page = open_page()
    sign_up(page)
    page.fill("#id_patient_reference", "P-0042")
    page.set_input_files("#id_image", MENINGIOMA)
    page.wait_for_url("**/scans/*-*/")
    expect(page.locator("h1")).to_have_text(RESULT)
    expect(page).to_have_title(RESULT)
    expect(page.locator("[data-announce]")).to_have_text(RESULT)
    expect(page.locator(".bars tbody tr")).to_have_count(4)
    expect(page.locator("canvas")).to_be_visible()
    sentence = page.locator("h1").inner_text()
    page.reload()
    expect(page.locator("h1")).to_have_text(sentence)
    page.click("text=History >> nth=0")
    row = page.locator(".scans tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("P-0042")
    row.locator("a").click()
    expect(page.locator("h1")).to_have_text(sentence)


def test_the_overlay_is_changed_with_the_keyboard(open_page, sign_up):
    page = open_page()
    sign_up(page)
    page.set_input_files("#id_image", MENINGIOMA)
    slider = page.locator("[data-strength]")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("[data-overlay]")).to_have_css("opacity", "0")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-strength-output]")).to_have_text("5%")
    expect(page.locator("[data-overlay]")).to_have_css("opacity", "0.05")
    # Both at the same moment: the page may still scroll.
    image, overlay = page.locator(".frame-overlay img").evaluate_all(
        "images => images.map(image => JSON.stringify(image.getBoundingClientRect()))"
    )
    assert overlay == image


def test_scans_open_without_the_overlay_if_one_asked_for_it(open_page, sign_up):
    page = open_page()
    sign_up(page)
    page.set_input_files("#id_image", MENINGIOMA)
    overlay = page.locator(".frame-overlay")
    expect(overlay).to_be_visible()
    page.get_by_label("Open scans without the overlay").check()
    expect(overlay).to_be_hidden()
    page.reload()
    expect(page.locator(".frame-plain")).to_be_visible()
    expect(overlay).to_be_hidden()
    page.keyboard.press("o")
    expect(overlay).to_be_visible()
    page.get_by_label("Open scans without the overlay").uncheck()
    page.reload()
    expect(overlay).to_be_visible()


def test_without_javascript(open_page, sign_up, letter):
    page = open_page(java_script_enabled=False)
    sign_up(page)
    page.set_input_files("#id_image", [MENINGIOMA, letter])
    page.click("form.upload-form button[type=submit]")
    expect(page.locator("#batch-summary")).to_contain_text("1 refused")
    expect(page.locator(".refusal")).to_contain_text("The file is a web page")
    # The page reloads itself until there is a result.
    expect(page.locator(".row-status")).to_have_text(RESULT)
    expect(page.locator(".refusal")).to_contain_text("The file is a web page")
    page.click(".upload-row a >> nth=0")
    expect(page.locator("h1")).to_have_text(RESULT)
    expect(page.locator(".bars")).to_be_visible()
    page.click("summary[aria-label^=Account]")
    page.click("text=Sign out")
    expect(page.locator("h1")).to_have_text("Sign in")


def test_on_a_phone(open_page, sign_up):
    page = open_page(**PHONE)
    sign_up(page)
    page.set_input_files("#id_image", MENINGIOMA)
    page.wait_for_url("**/scans/*-*/")
    expect(page.locator("h1")).to_have_text(RESULT)
    result = page.url
    # One picture where there is room for one: the plain image first.
    plain, overlay = page.locator(".frame-plain"), page.locator(".frame-overlay")
    expect(overlay).to_be_hidden()
    page.click("text=Show overlay")
    expect(overlay).to_be_visible()
    expect(plain).to_be_hidden()
    page.click("text=Hide overlay")
    expect(plain).to_be_visible()
    for path in ("/", result, "/scans/", "/teams/", "/profile/", "/about/", f"{result}edit/", f"{result}delete/"):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, path
        for target in page.locator(TARGETS).all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 43.5, (path, target.inner_html())


def test_a_very_long_reference_breaks_nothing(open_page, sign_up):
    page = open_page(**PHONE)
    sign_up(page)
    page.fill("#id_patient_reference", "X" * 64)
    page.set_input_files("#id_image", MENINGIOMA)
    page.wait_for_url("**/scans/*-*/")
    for path in (page.url, "/scans/", "/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_the_theme_follows_the_system_until_one_chooses(open_page):
    page = open_page(color_scheme="dark")
    page.goto("/accounts/login/")
    form = page.locator(".account")
    dark = form.evaluate("element => getComputedStyle(element).backgroundColor")
    page.emulate_media(color_scheme="light")
    light = form.evaluate("element => getComputedStyle(element).backgroundColor")
    assert dark != light
    page.click("[data-theme-switch]")
    page.click("[data-theme-switch]")
    expect(form).to_have_css("background-color", dark)
    page.reload()
    expect(form).to_have_css("background-color", dark)


def test_filters_change_the_list_and_the_url(open_page, sign_up):
    page = open_page()
    sign_up(page)
    page.set_input_files("#id_image", MENINGIOMA)
    page.wait_for_url("**/scans/*-*/")
    expect(page.locator("h1")).to_have_text(RESULT)
    page.goto("/scans/")
    page.select_option("#id_result", "failed")
    expect(page.locator("#results")).to_contain_text("No scan matches these filters")
    expect(page).to_have_url(re.compile("result=failed"))
    page.click("text=Show all scans")
    expect(page.locator(".scans tbody tr")).to_have_count(1)
