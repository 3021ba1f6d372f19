import pytest

from classifier.training.hospitals import read_data
from classifier.training.manifest import ManifestError, read_manifest
from classifier.training.protocols import halves, make_split


@pytest.fixture
def split(data):
    return lambda protocol, **options: make_split(read_data(data), protocol=protocol, **options)


def groups(rows):
    return {row.group for row in rows}


@pytest.mark.parametrize("fold", range(5))
def test_patient_keeps_patients_apart(split, fold):
    parts = split("patient", test_fold=fold)
    held = groups(parts.test) | groups(parts.extra_test)
    assert {row.fold for row in parts.test} == {row.fold for row in parts.extra_test} == {fold}
    assert not held & groups(parts.train)
    assert not held & groups(parts.validation)
    assert not groups(parts.train) & groups(parts.validation)
    assert parts.may_mirror


def test_validation_is_part_of_one_training_fold(split):
    parts = split("patient")
    assert parts.validation
    assert {row.fold for row in parts.validation} == {1}


def test_training_holds_one_image_of_each_picture(split):
    twins = [row.twin_group for row in split("patient").train]
    assert len(twins) == len(set(twins))


def test_purged_leaves_out_pictures_of_the_test(split):
    purged, official = split("purged"), split("official")
    tested = {row.twin_group for row in purged.test}
    assert not tested & {row.twin_group for row in (*purged.train, *purged.validation)}
    assert tested & {row.twin_group for row in (*official.train, *official.validation)}
    assert not official.may_mirror


def test_extra_tumors_of_the_test_fold_never_train(split):
    for protocol in ("official", "purged", "patient"):
        parts = split(protocol)
        assert parts.extra_test
        assert not {row.image for row in parts.extra_test} & {row.image for row in (*parts.train, *parts.validation)}


def test_an_unknown_protocol_is_an_error(split):
    with pytest.raises(ManifestError, match="Received: 'random'"):
        split("random")


def test_halves_share_no_group(data):
    first, second = halves(read_manifest(data))
    assert first
    assert second
    assert not groups(first) & groups(second)
