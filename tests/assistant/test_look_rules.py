"""How statements about the picture are found, judged, and marked."""

import io

import pytest
from PIL import Image

from classifier.assistant.look import blank, exchange_sides, judge, mirrored
from classifier.assistant.markup import to_html
from classifier.assistant.statements import markdown_of, parts_of
from tests.assistant.eyes import picture

NOT_FROM = "**(not from the picture)**"
UNCHECKED = "**(not checked against the picture)**"


class TestRules:
    @pytest.mark.parametrize(
        ("text", "blank_", "mirror", "exchanged", "mark", "reason"),
        [
            ("A mass.", "yes", "yes", "", "not_from_picture", "on_blank"),
            ("A mass.", "yes", "", "", "not_from_picture", "on_blank"),
            ("A mass.", "no", "yes", "", "from_picture", ""),
            ("A mass.", "cannot_tell", "yes", "", "from_picture", ""),
            ("A mass.", "no", "no", "", "not_from_picture", "unconfirmed"),
            ("A mass.", "cannot_tell", "cannot_tell", "", "not_from_picture", "unconfirmed"),
            ("A mass.", "", "yes", "", "not_checked", ""),
            ("A mass.", "no", "", "", "not_checked", ""),
            ("It is on the left.", "no", "no", "yes", "from_picture", ""),
            ("It is on the left.", "no", "cannot_tell", "yes", "from_picture", ""),
            ("It is on the left.", "no", "yes", "no", "not_from_picture", "side_kept"),
            ("It is on the left.", "no", "yes", "yes", "not_from_picture", "side_kept"),
            ("It is on the left.", "no", "no", "no", "not_from_picture", "side_kept"),
            ("It is on the left.", "no", "no", "", "not_checked", ""),
            ("It is on the left.", "yes", "no", "yes", "not_from_picture", "on_blank"),
        ],
    )
    def test_a_statement_is_judged(self, text, blank_, mirror, exchanged, mark, reason):
        found = judge(text, on_blank=blank_, on_mirrored=mirror, exchanged=exchanged)
        assert (found.mark, found.reason) == (mark, reason)

    @pytest.mark.parametrize(
        ("text", "other"),
        [
            ("On the left side.", "On the right side."),
            ("Right-sided mass.", "Left-sided mass."),
            ("Larger on the LEFT than on the right.", "Larger on the RIGHT than on the left."),
            ("Discuss it right away.", "Discuss it right away."),
            ("A bright rim.", "A bright rim."),
        ],
    )
    def test_sides_are_exchanged_in_their_case(self, text, other):
        assert exchange_sides(text) == other

    def test_the_blank_picture_has_the_size_and_gray_level_but_no_content(self):
        png = picture()
        with Image.open(io.BytesIO(blank(png))) as image, Image.open(io.BytesIO(png)) as original:
            assert image.size == original.size
            low, high = image.getextrema()
            values = list(original.getdata())
            assert low == high == round(sum(values) / len(values))

    def test_the_mirrored_picture_exchanges_left_and_right(self):
        with Image.open(io.BytesIO(mirrored(picture(bright="left")))) as image:
            assert (image.getpixel((90, 60)), image.getpixel((35, 60))) == (230, 20)


class TestStatements:
    def test_items_of_the_picture_and_descriptions_elsewhere_are_statements(self):
        kept = {
            "summary": ["The network reports glioma. The slice shows a ring-like area."],
            "picture": ["There is a mass. It is large."],
            "against": ["A single slice can mislead.", "The margin is ill-defined."],
            "limits": ["It cannot see whether the lesion enhances."],
        }
        _, statements = parts_of(kept, has_image=True)
        assert statements == [
            "The slice shows a ring-like area.", "There is a mass. It is large.", "The margin is ill-defined.",
        ]  # fmt: skip

    def test_without_the_image_there_are_none(self):
        assert parts_of({"summary": ["The slice shows a mass."]}, has_image=False)[1] == []

    def test_a_mark_stands_behind_its_statement(self):
        parts, _ = parts_of(
            {"summary": ["The slice shows a ring. The network reports glioma."], "picture": ["A mass.", "A rim."]},
            has_image=True,
        )
        text = markdown_of(parts, marks=["not_from_picture", "from_picture"])
        assert f"The slice shows a ring. {NOT_FROM} The network reports glioma." in text
        assert "- A mass.\n" in text
        assert f"- A rim. {UNCHECKED}" in text
        assert '<span class="look-mark look-not_from_picture">not from the picture</span>' in to_html(text)
