"""The explanation in a report: choice, edits, marks, signature, and where it is shown."""

import hashlib
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from classifier.assistant.edits import edit_problem
from classifier.assistant.facts import facts_of
from classifier.assistant.report_section import choices, choose, choose_builtin, edit
from classifier.models import AssistantProvider, Explanation, PictureCheck, Report, SignedReport
from classifier.reports.html import document, draft_view, signed_view
from classifier.selectors.report import draft_of
from classifier.selectors.report_facts import facts_hash, scan_facts
from classifier.selectors.scan import get_scan
from classifier.services.errors import Conflict, Invalid, NotAllowed, Sealed
from classifier.services.report import save_draft, sign_report
from classifier.services.report_explanation import remove_explanation
from classifier.text_changes import changes
from tests.factories import make_analysis

pytestmark = pytest.mark.django_db
WRITTEN = (
    "### Summary\n\nThe network reports meningioma with a probability of 91%. The tumor threshold is 50%.\n\n"
    "### What the picture shows\n\n- There is a bright round area. **(not from the picture)**\n"
    "- Its margin is smooth.\n\n### What speaks against the result\n\n- A single slice can mislead.\n\n"
    "### Limits\n\n- A T2 sequence is missing. The grade is unknown."
)


@pytest.fixture
def written(scan, owner) -> Explanation:
    """An explanation by a language model, checked against the picture."""
    row = Explanation.objects.create(
        scan=scan, analysis=scan.current_analysis, requested_by=owner, provider="local", model="gpt-test",
        text=WRITTEN, with_image=True, attempts=1,
    )  # fmt: skip
    statements = [
        {"text": "There is a bright round area.", "mark": "not_from_picture", "reason": "on_blank"},
        {"text": "Its margin is smooth.", "mark": "from_picture", "reason": ""},
    ]
    PictureCheck.objects.create(explanation=row, statements=statements, state="succeeded")
    return row


def loaded(scan, user):
    return get_scan(user, scan.pk)


def signed(scan, owner) -> SignedReport:
    draft = draft_of(owner, scan)
    draft = save_draft(loaded(scan, owner), by=owner, texts=draft.texts | {"impression": "Meningioma."})
    facts = facts_hash(scan_facts(owner, loaded(scan, owner)))
    return sign_report(draft, by=owner, seen=draft.version, seen_facts=facts)


class TestEdits:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("A single slice can mislead.", "One slice alone can mislead the reader."),
            (" The tumor threshold is 50%.", ""),
            ("with a probability of 91%", "at a probability of 91%"),
            ("- There is a bright round area. **(not from the picture)**\n", ""),
            ("- There is a bright round area. **", "- There is a bright, round area. **"),
            ("The network reports meningioma with a probability of 91%.", "The network reports meningioma."),
            ("A T2 sequence is missing.", "A T2 sequence and a T1 sequence are missing."),
            (
                "The network reports meningioma with a probability of 91%. The tumor threshold is 50%.",
                "The tumor threshold is 50%. The network reports meningioma with a probability of 91%.",
            ),
        ],
    )
    def test_wording_can_change(self, scan, before, after):
        assert before in WRITTEN
        assert edit_problem(WRITTEN, WRITTEN.replace(before, after), facts=facts_of(scan.current_analysis)) == ""

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("91%", "99%", "Figures of the result cannot be changed"),
            ("91%", "50%", "Figures of the result cannot be changed"),
            ("with a probability of 91%", "with a probability of 91% to 95%", "Figures of the result"),
            ("The grade is unknown.", "The grade is 2.", "Figures of the result"),
            ("The grade is unknown.", "It measures 12 mm.", "Figures of the result"),
            ("a probability of 91%", "ninety percent certainty", "a number that is not from"),
            ("reports meningioma with", "reports glioma with", "a finding that the analysis does not support"),
            ("Its margin is smooth.", "The image shows a glioblastoma.", "a finding that the analysis"),
            ("Its margin is smooth.", "It lies in the patient's left hemisphere.", "a side of the image"),
            ("A single slice can mislead.", "The patient must undergo surgery.", "diagnosed or prescribed"),
            ("A single slice can mislead.", "See https://evil.example/x.", "a link, an address, or code"),
            (" **(not from the picture)**", "", "The mark stays with its statement"),
            ("bright round area. **(not from the picture)**", "bright, round area.", "The mark stays"),
            ("Its margin is smooth.", "Its margin is smooth (checked against the picture).", "imitated a mark"),
            ("Its margin is smooth.", "Glioma has 91%.", "a finding that the analysis does not support"),
        ],
    )
    def test_figures_findings_and_marks_stay(self, scan, before, after, said):
        assert before in WRITTEN
        assert said in edit_problem(WRITTEN, WRITTEN.replace(before, after), facts=facts_of(scan.current_analysis))

    def test_every_figure_of_the_built_in_explanation_is_protected(self, scan, owner):
        report = choose_builtin(loaded(scan, owner), by=owner)
        original = report.explanation.original
        assert "91%" in original
        assert edit_problem(original, original.replace("91%", "19%"), facts=facts_of(scan.current_analysis))
        shorter = original.split("### How reliable")[0]
        assert edit_problem(original, shorter, facts=facts_of(scan.current_analysis)) == ""

    def test_changes_are_told_word_by_word(self):
        found = [(each.kind, each.text) for each in changes("A smooth margin.", "A very smooth edge.")]
        assert found == [
            ("same", "A"),
            ("added", " very"),
            ("same", " smooth "),
            ("removed", "margin."),
            ("added", "edge."),
        ]


class TestChoice:
    def test_a_choice_makes_a_draft_with_a_copy(self, scan, owner, written):
        assert choices(owner, loaded(scan, owner)) == [written]
        report = choose(loaded(scan, owner), by=owner, explanation=written)
        assert (report.state, report.explanation.text, report.explanation.model) == ("draft", WRITTEN, "gpt-test")
        Explanation.objects.all().delete()
        report.explanation.refresh_from_db()
        assert report.explanation.original == WRITTEN

    def test_another_choice_replaces_the_first_and_counts_a_version(self, scan, owner, written):
        first = choose(loaded(scan, owner), by=owner, explanation=written)
        edit(loaded(scan, owner), first, by=owner, text=WRITTEN.replace("smooth", "sharp"))
        second = choose_builtin(loaded(scan, owner), by=owner)
        assert second.version == first.version + 2
        assert (second.explanation.provider, second.explanation.is_edited) == ("built-in", False)

    def test_what_is_still_being_checked_waits(self, scan, owner, written):
        PictureCheck.objects.update(state="queued")
        with pytest.raises(Conflict, match="still being checked"):
            choose(loaded(scan, owner), by=owner, explanation=Explanation.objects.get())
        assert choices(owner, loaded(scan, owner)) == []

    @pytest.mark.parametrize("state", ["failed", "queued"])
    def test_what_has_no_text_cannot_be_chosen(self, scan, owner, written, state):
        written.state = state
        with pytest.raises(Conflict, match="no text"):
            choose(loaded(scan, owner), by=owner, explanation=written)

    def test_an_explanation_of_an_earlier_analysis_is_refused_and_not_signed(self, scan, owner, written):
        choose(loaded(scan, owner), by=owner, explanation=written)
        make_analysis(scan, state="succeeded")
        with pytest.raises(Conflict, match="earlier analysis"):
            choose(loaded(scan, owner), by=owner, explanation=written)
        with pytest.raises(Conflict, match="about an earlier analysis"):
            signed(scan, owner)

    def test_only_the_author_changes_it(self, team_scan, owner, teammate):
        report = choose_builtin(loaded(team_scan, owner), by=owner)
        for change in (
            lambda: edit(loaded(team_scan, teammate), report, by=teammate, text=report.explanation.text),
            lambda: remove_explanation(report, by=teammate),
        ):
            with pytest.raises(NotAllowed):
                change()

    def test_a_sealed_result_is_not_explained_in_a_report(self, scan, owner):
        owner.sealed_reading_since = timezone.now() - timedelta(days=1)
        owner.save()
        with pytest.raises(Sealed):
            choose_builtin(loaded(scan, owner), by=owner)

    def test_hidden_characters_are_removed(self, scan, owner, written):
        report = choose(loaded(scan, owner), by=owner, explanation=written)
        edit(loaded(scan, owner), report, by=owner, text=WRITTEN.replace("smooth", "smo\u200both\u202e"))
        report.explanation.refresh_from_db()
        assert report.explanation.text == WRITTEN


class TestSigned:
    def test_original_and_edit_are_under_the_hash(self, scan, owner, written):
        report = choose(loaded(scan, owner), by=owner, explanation=written)
        edit(loaded(scan, owner), report, by=owner, text=WRITTEN.replace("smooth", "sharp"))
        row = signed(scan, owner)
        section = row.snapshot["explanation"]
        assert row.sha256 == hashlib.sha256(row.content.encode()).hexdigest()
        assert section["original"] == WRITTEN
        assert "Its margin is sharp." in section["text"]
        assert (section["edited_by"], section["provider"], section["ai_generated"]) == ("owner", "local", True)
        assert row.snapshot["format"] == 2

    def test_it_is_printed_with_its_origin_and_marks(self, scan, owner, written):
        choose(loaded(scan, owner), by=owner, explanation=written)
        page = document(signed_view(signed(scan, owner), loaded(scan, owner)))
        assert "AI-generated" in page
        assert "Written by a language model: local, gpt-test," in page
        assert '<span class="look-mark look-not_from_picture">not from the picture</span>' in page
        assert "1 of 2 statements about the picture did not change with it." in page
        assert "edited by" not in page
        assert "Probably meningioma (91%)" in page

    def test_the_reader_of_a_draft_sees_the_changes(self, scan, owner, written):
        report = choose(loaded(scan, owner), by=owner, explanation=written)
        edit(loaded(scan, owner), report, by=owner, text=WRITTEN.replace("smooth.", "sharp."))
        page = document(draft_view(Report.objects.get(), loaded(scan, owner), user=owner))
        assert "<del>smooth.</del><ins>sharp.</ins>" in page
        assert "AI-generated, edited by owner" in page

    def test_a_report_without_an_explanation_has_no_section(self, scan, owner):
        save_draft(loaded(scan, owner), by=owner, texts={})
        row = signed(scan, owner)
        assert row.snapshot["explanation"] is None
        assert "report-explanation" not in document(signed_view(row, loaded(scan, owner))).split("</style>")[1]

    def test_a_signed_report_keeps_its_explanation(self, scan, owner, written):
        report = choose(loaded(scan, owner), by=owner, explanation=written)
        signed(scan, owner)
        with pytest.raises(Conflict, match="signed"):
            edit(loaded(scan, owner), report, by=owner, text=WRITTEN)
        with pytest.raises(Conflict, match="signed"):
            remove_explanation(report, by=owner)


class TestEdges:
    def test_the_page_chooses_edits_and_removes(self, scan, owner, written, browse):
        client = browse(owner)
        url = reverse("web:report_explanation", args=[scan.pk])
        compose = reverse("web:report_compose", args=[scan.pk])
        assert "local, gpt-test" in client.get(compose).content.decode()
        page = client.post(url, {"explanation": str(written.pk)}, follow=True).content.decode()
        assert "The explanation is in the report." in page

        refused = client.post(url, {"action": "edit", "text": WRITTEN.replace("91%", "99%")})
        assert refused.status_code == 400
        assert "Figures of the result cannot be changed" in refused.content.decode()
        assert "probability of 99%" in refused.content.decode()

        page = client.post(url, {"action": "edit", "text": WRITTEN.replace("smooth.", "sharp.")}, follow=True)
        assert "<del>smooth.</del><ins>sharp.</ins>" in page.content.decode()
        page = client.post(url, {"action": "remove"}, follow=True).content.decode()
        assert "no longer in the report" in page
        assert draft_of(owner, scan) is not None

    def test_a_foreign_explanation_cannot_be_chosen(self, scan, owner, outsider, browse):
        from tests.factories import make_scan

        other = make_scan(outsider)
        analysis = make_analysis(other, state="succeeded")
        foreign = Explanation.objects.create(scan=other, analysis=analysis, provider="local", model="m", text="X")
        client = browse(owner)
        page = client.post(
            reverse("web:report_explanation", args=[scan.pk]), {"explanation": str(foreign.pk)}, follow=True
        )
        assert "Choose one of the explanations" in page.content.decode()
        assert not Report.objects.exists()

    def test_the_api_chooses_edits_and_removes(self, scan, owner, written, api):
        client = api(owner)
        body = {"findings": "", "impression": "", "recommendation": ""}
        report = client.post(f"/api/v1/scans/{scan.pk}/reports/", body, format="json").json()
        assert report["explanation"] is None
        url = f"/api/v1/reports/{report['id']}/explanation/"
        chosen = client.put(url, {"explanation": str(written.pk)}, format="json")
        assert chosen.status_code == 200
        assert chosen.json()["explanation"]["ai_generated"] is True
        edited = client.patch(url, {"text": WRITTEN.replace("smooth.", "sharp.")}, format="json").json()
        assert (edited["explanation"]["edited_by"], edited["explanation"]["original"]) == ("owner", WRITTEN)
        refused = client.patch(url, {"text": WRITTEN.replace("91%", "99%")}, format="json")
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "contradicts")
        assert client.delete(url).status_code == 204
        assert client.patch(url, {"text": "X"}, format="json").status_code == 409
        unknown = client.put(url, {"explanation": report["id"]}, format="json")
        assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "unknown_explanation")

    def test_the_api_keeps_a_signed_report(self, scan, owner, written, api):
        choose(loaded(scan, owner), by=owner, explanation=written)
        row = signed(scan, owner)
        client = api(owner)
        assert client.get(f"/api/v1/reports/{row.pk}/").json()["explanation"]["text"] == WRITTEN
        url = f"/api/v1/reports/{row.pk}/explanation/"
        assert client.put(url, {"explanation": str(written.pk)}, format="json").status_code == 409
        assert client.delete(url).status_code == 409


def test_no_provider_is_needed(scan, owner):
    assert not AssistantProvider.objects.exists()
    assert choose_builtin(loaded(scan, owner), by=owner).explanation.model == ""


def test_an_empty_edit_is_refused(scan, owner, written):
    report = choose(loaded(scan, owner), by=owner, explanation=written)
    with pytest.raises(Invalid):
        edit(loaded(scan, owner), report, by=owner, text="  ")
