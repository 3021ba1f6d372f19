"""Images of other hospitals: read, used for what they may be used for, and never trained on when they only check."""

from dataclasses import replace

import pytest
from PIL import Image

from classifier.training.hospitals import CHECK, check_outlines, read_data, read_hospitals
from classifier.training.images import load_images, read_outline
from classifier.training.manifest import MANIFEST_NAME, ManifestError
from classifier.training.protocols import PROTOCOLS, check_split, make_split


@pytest.fixture
def everything(data, hospitals_folder):
    return read_data([data, hospitals_folder])


def test_rows_are_sorted_by_their_use(everything):
    assert {row.use for row in everything.train} == {"train"}
    assert {row.use for row in everything.check} == {"check"}
    assert len(everything.rows) == len(read_data(everything.rows[0].folder).rows)


def test_another_disease_trains_as_no_tumor_and_keeps_its_name(everything):
    row = next(row for row in everything.train if row.label == "other_disease")
    assert row.true_label == "notumor"


def test_outlines_belong_to_their_images(everything):
    outlined = [row for row in everything.train if row.outline]
    assert [row.true_label for row in outlined] == ["glioma"] * 4
    mask = read_outline(outlined[0], size=64)
    assert mask.shape == (64, 64)
    assert set(mask.ravel()) == {0, 255}
    check_outlines(outlined)


def test_known_images_take_the_outlines_that_another_folder_holds(data, hospitals_folder):
    (hospitals_folder / "masks").mkdir()
    Image.new("L", (30, 20), 255).save(hospitals_folder / "masks" / "images__glioma1.png")
    rows = {row.file: row for row in read_data([data, hospitals_folder]).rows}
    assert rows["images/glioma1.png"].outline is not None
    assert rows["images/glioma2.png"].outline is None
    check_outlines(rows.values())


def test_a_box_stands_in_for_an_outline(everything):
    row = next(row for row in everything.rows if row.box)
    mask = read_outline(row, size=100)
    assert mask[int(100 * row.box[1]), int(100 * row.box[0])] == 255
    assert 0 < (mask > 0).mean() < row.box[2] * row.box[3]
    assert read_outline(replace(row, box=None), size=100) is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_check_image_is_ever_trained_on(everything, protocol):
    split = make_split(everything, protocol=protocol)
    learned = {row.path for row in (*split.train, *split.validation)}
    assert not learned & {row.path for row in split.check}
    assert {row.use for row in split.train} <= {"", "train"}
    assert not {row.group for row in (*split.train, *split.validation)} & {row.group for row in split.check}
    assert {row.path for row in everything.train} <= learned


def test_a_split_that_would_train_on_a_check_image_is_refused(everything):
    split = make_split(everything, protocol="patient")
    wrong = replace(split, train=(*split.train, split.check[0]))
    with pytest.raises(ManifestError, match=r"gliomas/p3_0\.png may only check"):
        check_split(wrong)


def test_whole_patients_validate(everything):
    split = make_split(everything, protocol="patient")
    assert not {row.group for row in split.train} & {row.group for row in split.validation}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("use", "maybe", "gliomas/p1_0.png has the unknown use 'maybe'"),
        ("label", "cyst", "gliomas/p1_0.png has the unknown label 'cyst'"),
        ("set", "elsewhere", "gliomas/p1_0.png has the unknown set 'elsewhere'"),
        ("use", CHECK, "patient gliomas:p1 is used for both training and checking"),
    ],
)
def test_a_wrong_row_is_named(write_hospitals, hospital_records, column, value, message):
    hospital_records[0][column] = value
    folder = write_hospitals(hospital_records)
    with pytest.raises(ManifestError) as error:
        read_hospitals(folder)
    assert message in str(error.value)


def test_an_image_on_both_sides_is_named(write_hospitals, hospital_records):
    twice = hospital_records[0] | {"use": CHECK, "patient": "another"}
    folder = write_hospitals([*hospital_records, twice])
    with pytest.raises(ManifestError, match=r"p1_0\.png: its image .* is used for both"):
        read_hospitals(folder)


def test_a_folder_without_a_manifest_is_named(data, tmp_path):
    with pytest.raises(ManifestError, match=MANIFEST_NAME):
        read_data([data, tmp_path])


def test_exactly_one_folder_has_folds(hospitals_folder):
    with pytest.raises(ManifestError, match="Exactly one data folder"):
        read_data([hospitals_folder])


@pytest.mark.parametrize(("size", "content"), [((40, 40), None), (None, b"no image")])
def test_an_outline_of_another_size_or_unreadable_is_named(everything, tmp_path, size, content):
    path = tmp_path / "outline.png"
    if size:
        Image.new("L", size).save(path)
    else:
        path.write_bytes(content)
    row = replace(next(row for row in everything.train if row.outline), outline=path)
    with pytest.raises(ManifestError, match=f"The outline of {row.file}"):
        check_outlines([row])


def test_images_are_loaded_with_their_outlines(everything):
    images = load_images(everything.train, size=48, outlines=True)
    assert {images.rows[index].true_label for index in images.outlines} == {"glioma"}
    assert all(mask.shape == (48, 48) for mask in images.outlines.values())
