"""Plans of the statements of lists: they read an index in its order, whatever the statistics of the tables say."""

import uuid
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from classifier.models import Review
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.ranges import Range, walked
from classifier.selectors.lists.sample import looked_up
from classifier.selectors.lists.scope import Cell, facets_of, scope_of
from classifier.selectors.lists.sql import Values
from classifier.selectors.lists.text import TrigramSearch, searches_of
from classifier.selectors.lists.ways import Way
from tests.factories import make_scan

pytestmark = pytest.mark.django_db
postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="A property of PostgreSQL's plans.")


@pytest.fixture
def indexes_alone() -> Iterator[None]:
    """PostgreSQL reads a table of a few rows as a whole, unless it is told not to."""
    with transaction.atomic(), connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        yield
        for way in ("seqscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{way} = on")


def plan(sql: str, values: Values) -> str:
    prefix = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{prefix} {sql}", values.found)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@postgresql
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.usefixtures("indexes_alone")
def test_the_next_texts_are_those_of_the_owner_or_team_in_their_order(owner, team, ascending, deep):
    scans = [make_scan(owner, team=team, notes="cystic") for _ in range(3)]
    place = Place(scans[1].created_at, uuid.uuid4(), newer=ascending) if deep else None
    way = Way(indexed=("cystic",))
    searches = searches_of(scope_of(owner), Criteria(), way, place=place, ascending=ascending)
    for search, index in zip(searches, ("scan_text_of_owner", "scan_text_of_team"), strict=True):
        assert isinstance(search, TrigramSearch)
        values = Values()
        texts = search.nearest(values)
        found = plan(
            f"SELECT t.id FROM {texts.table} WHERE {' AND '.join(texts.where)} ORDER BY {texts.order} LIMIT 5", values
        )
        assert index in found
        assert "Sort" not in found
        assert "classifier_scantext_pkey" not in found


@postgresql
@pytest.mark.usefixtures("indexes_alone")
def test_counts_are_read_from_their_index_alone(owner, team):
    make_scan(owner, team=team)
    values = Values()
    scope = scope_of(owner)
    assert {cell.team for cell, found in facets_of(scope.cells()).items() if found} == {team.pk}
    part = f"team_number = {values.add(team.pk)} AND owner_number = {values.add(0)}"
    columns = "owner_number, team_number, facet"
    found = plan(
        f"SELECT {columns}, sum(number) FROM classifier_scancount WHERE {part} GROUP BY {columns} "
        "HAVING sum(number) > 0",
        values,
    )
    assert "Index Only Scan using scan_count_by_team" in found


@postgresql
def test_statements_about_a_sample_are_looked_up_one_by_one(owner):
    assert Review.objects.count() == 0
    values = Values()
    table = looked_up("classifier_review", "r", "scan_id", [str(uuid.uuid4()) for _ in range(900)], values)
    assert "Hash" not in plan(f"SELECT r.id FROM {table}", values)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="A property of SQLite's plans.")
def test_ranges_are_walked_without_sorting_them(owner, team):
    ranges = [Range(Cell(team=team.pk), f"xception|{result}|") for result in ("glioma", "meningioma", "pituitary")]

    def residual(values: Values) -> list[str]:
        return [f"s.notes LIKE {values.add('%cystic%')}"]

    ((sql, values),) = walked(ranges, Criteria(), None, residual=residual, limit=10, ascending=False)
    found = plan(sql, values)
    assert found.count("scan_team_facet") == len(ranges)
    assert "MERGE" in found
    assert "TEMP B-TREE" not in found
