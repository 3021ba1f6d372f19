"""Uploads in a real browser: several files, lost connections, ended sessions, batches."""

import re

import pytest
from playwright.sync_api import expect

from tests.system.browser.conftest import MENINGIOMA, PASSWORD, RESULT, SAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.real_weights]


def test_several_files_each_with_its_own_end(open_page, sign_up, letter, tmp_path):
    huge = tmp_path / "series.dcm"
    huge.write_bytes(b"\0" * (21 * 2**20))
    page = open_page()
    sign_up(page)
    page.set_input_files("#id_image", [MENINGIOMA, huge, letter, SAMPLES / "notumor-1.jpg"])
    rows = page.locator(".upload-row")
    expect(rows).to_have_count(4)
    expect(rows.nth(0).locator(".row-status")).to_have_text(RESULT)
    expect(rows.nth(1)).to_contain_text("The file is larger than 20 MB")
    expect(rows.nth(2)).to_contain_text("The file is a web page")
    expect(rows.nth(3).locator(".row-status")).to_have_text(RESULT)
    assert page.locator("[data-row]").count() == 0


def test_files_are_dropped(open_page, sign_up):
    page = open_page()
    sign_up(page)
    content = MENINGIOMA.read_bytes().hex()
    transfer = page.evaluate_handle(
        """hex => {
            const bytes = Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
            return transfer;
        }""",
        content,
    )
    page.dispatch_event("[data-dropzone]", "dragover", {"dataTransfer": transfer})
    expect(page.locator(".dropzone.is-over")).to_be_visible()
    page.dispatch_event("[data-dropzone]", "drop", {"dataTransfer": transfer})
    page.wait_for_url("**/scans/*-*/")
    expect(page.locator("h1")).to_have_text(RESULT)


def test_a_very_long_file_name_stops_no_file(open_page, sign_up):
    page = open_page()
    sign_up(page)
    name = "ü" * 3000 + ".jpg"
    transfer = page.evaluate_handle(
        """([hex, name]) => {
            const bytes = Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
            transfer.items.add(new File(["<html>"], name));
            return transfer;
        }""",
        [MENINGIOMA.read_bytes().hex(), name],
    )
    page.dispatch_event("[data-dropzone]", "drop", {"dataTransfer": transfer})
    rows = page.locator(".upload-row")
    expect(rows.nth(0).locator(".row-status")).to_have_text(RESULT)
    expect(rows.nth(1)).to_contain_text("The file is a web page")
    assert rows.locator("[data-name]").all_text_contents() == [name, name]


def test_an_upload_that_was_cut_off_is_tried_again_and_stored_once(open_page, sign_up):
    page = open_page()
    sign_up(page)
    cut: list[bool] = []

    def once(route):
        if cut:
            route.continue_()
        else:
            cut.append(True)
            route.abort("connectionreset")

    page.route("**/scans/upload/", once)
    page.set_input_files("#id_image", MENINGIOMA)
    expect(page.locator(".upload-row .refusal")).to_contain_text("The connection was lost")
    page.click("[data-retry]:visible")
    page.wait_for_url("**/scans/*-*/")
    page.goto("/scans/")
    expect(page.locator(".scans tbody tr")).to_have_count(1)


def test_files_wait_while_the_session_has_ended(open_page, sign_up):
    page = open_page()
    name = sign_up(page)
    page.context.clear_cookies(name="sessionid")
    page.set_input_files("#id_image", [MENINGIOMA, SAMPLES / "notumor-1.jpg"])
    dialog = page.locator("#sign-in")
    expect(dialog).to_be_visible()
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Sign in in another tab").click()
    other = opened.value
    other.fill("#id_login", name)
    other.fill("#id_password", PASSWORD)
    other.click("main button[type=submit]")
    other.wait_for_url("**/about/")
    other.close()
    # A headless window has no focus to regain.
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(dialog).to_be_hidden()
    expect(page.locator(".row-status")).to_have_text([RESULT, RESULT])


def test_signing_in_beside_the_waiting_files(open_page, sign_up):
    page = open_page()
    sign_up(page)
    page.context.clear_cookies(name="sessionid")
    page.set_input_files("#id_image", [MENINGIOMA, SAMPLES / "notumor-1.jpg"])
    dialog = page.locator("#sign-in")
    for password, message in (("wrong password", "Wrong user name"), (PASSWORD, "")):
        dialog.get_by_label("Password").fill(password)
        dialog.get_by_role("button", name="Sign in").click()
        if message:
            expect(dialog.locator("[data-sign-in-error]")).to_contain_text(message)
    expect(dialog).to_be_hidden()
    expect(page.locator(".row-status")).to_have_text([RESULT, RESULT])


def test_a_field_is_corrected_while_a_file_is_being_sent(open_page, sign_up):
    page = open_page()
    sign_up(page)
    slow = []

    def hold(route):
        # Only once: the second field is corrected before the server has refused the first request.
        if not slow:
            slow.append(True)
            page.fill("#id_patient_reference", "P-0042")
            page.dispatch_event("#id_patient_reference", "change")
        route.continue_()

    page.fill("#id_patient_reference", "P" * 65)
    page.route("**/scans/upload/", hold)
    page.set_input_files("#id_image", [MENINGIOMA, SAMPLES / "notumor-1.jpg"])
    expect(page.locator(".row-status")).to_have_text([RESULT, RESULT])
    expect(page.locator("[data-mistakes]")).to_be_hidden()


def test_a_reload_keeps_the_batch(open_page, sign_up, letter):
    page = open_page()
    sign_up(page)
    page.set_input_files("#id_image", [MENINGIOMA, letter, SAMPLES / "notumor-1.jpg"])
    expect(page.locator(".row-status")).to_have_text([RESULT, RESULT])
    expect(page.locator("[data-uploads-heading]")).to_have_text("2 of 3 files uploaded")
    page.reload()
    expect(page).to_have_url(re.compile("/batches/"))
    expect(page.locator("#batch-summary")).to_contain_text("3 files: 1 tumor")
    expect(page.locator("[data-unsent]")).to_be_hidden()
    page.locator(".upload-row a").first.click()
    expect(page.get_by_text("File 1 of 3")).to_be_visible()


def test_files_of_the_same_name_and_size_all_stay_in_the_batch(open_page, sign_up):
    page = open_page()
    sign_up(page)
    series = [MENINGIOMA.read_bytes(), (SAMPLES / "notumor-1.jpg").read_bytes()]
    length = max(map(len, series))
    for slice_ in series:
        # A decoder ignores what follows the end of a JPEG image.
        file = {"name": "IM0001.jpg", "mimeType": "image/jpeg", "buffer": slice_.ljust(length, b"\0")}
        page.set_input_files("#id_image", [file, {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"<html>"}])
    expect(page.locator("[data-uploads-heading]")).to_have_text("2 of 4 files uploaded")
    page.reload()
    expect(page.locator("#batch-summary")).to_contain_text("4 files: 1 tumor, 1 no tumor seen, 2 refused")


def test_a_sample_is_one_click_away(open_page, sign_up):
    page = open_page()
    sign_up(page)
    page.locator(".sample").nth(4).click()
    page.wait_for_url("**/scans/*-*/")
    expect(page.locator("h1")).to_have_text(RESULT)
