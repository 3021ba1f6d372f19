import pytest

from classifier.training.manifest import ManifestError, read_extra, read_manifest, targets


def test_rows_are_read_with_their_meaning(data):
    rows = read_manifest(data)
    assert len(rows) == 81
    assert rows[0].box == (0.3, 0.3, 0.2, 0.2)
    assert rows[-1].mirrored
    assert not any(row.partial for row in rows)
    assert targets(rows[0]) == (1, 0, 0, 0)


def test_extra_tumors_allow_every_tumor_and_nothing_else(data):
    rows = read_extra(data)
    assert all(row.partial for row in rows)
    assert targets(rows[0]) == (1, 1, 0, 1)


def test_a_missing_manifest_says_what_to_do(tmp_path):
    with pytest.raises(ManifestError, match="Point --data at the folder"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("label", "stroke", "unknown label 'stroke'"),
        ("true_label", "tumour", "unknown label"),
        ("fold", "7", "Folds are 0 to 4"),
        ("fold", "x", "Folds are 0 to 4"),
    ],
)
def test_wrong_values_stop(records, write_manifest, data, column, value, sentence):
    records[3][column] = value
    write_manifest(records)
    with pytest.raises(ManifestError, match=sentence):
        read_manifest(data)


def test_missing_columns_stop(data):
    (data / "manifest.csv").write_text("image,label\na,glioma\n")
    with pytest.raises(ManifestError, match="lacks the columns split, true_label"):
        read_manifest(data)


@pytest.mark.parametrize("kind", ["group", "twin_group"])
def test_a_split_group_stops(records, write_manifest, data, kind):
    records[0][kind] = records[2][kind] = "same"
    write_manifest(records)
    with pytest.raises(ManifestError, match=f"leaks: {kind} same"):
        read_manifest(data)
