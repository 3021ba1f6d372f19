"""The order in which people's analyses are taken."""

import pytest

from classifier.models import Analysis
from classifier.queue.claim import claim_analyses
from classifier.queue.order import assign_fair_turn, positions_of, queue_position
from classifier.services import analysis as service
from tests.factories import UserFactory, make_scan

pytestmark = pytest.mark.django_db


def ask(user, *, count: int = 1) -> list[Analysis]:
    return [service.request_analysis(make_scan(user), by=user) for _ in range(count)]


def claim_order() -> list[str]:
    """Claim one after the other; return the user names in that order."""
    taken = []
    while claims := claim_analyses(limit=1):
        taken.append(claims[0].analysis.requested_by.username)
    return taken


def test_one_persons_many_do_not_block_anothers_one(owner, outsider):
    ask(owner, count=30)
    claim_analyses(limit=4)
    ask(outsider)
    assert "outsider" in claim_order()[:2]


def test_people_with_many_take_turns(owner, outsider):
    ask(owner, count=6)
    ask(outsider, count=6)
    assert claim_order() == ["owner", "outsider"] * 6


def test_no_person_starves_behind_a_stream_of_others(owner):
    """A new user gets the current turn, not an earlier one."""
    mine = ask(owner, count=12)
    rounds = 0
    while Analysis.objects.filter(pk__in=[row.pk for row in mine], state="queued").exists():
        ask(UserFactory())
        claim_analyses(limit=2)
        rounds += 1
        assert rounds < 30


def test_a_single_upload_does_not_wait_for_the_same_persons_archive(owner):
    ask(owner, count=40)
    while Analysis.objects.filter(state="queued", bulk=False).exists():
        claim_analyses(limit=4)
    Analysis.objects.filter(state="running").delete()
    assert Analysis.objects.filter(state="queued", bulk=True).count() > 20
    single = ask(owner)[0]
    assert not single.bulk
    assert queue_position(single) <= 2


def test_positions_are_those_in_which_rows_are_taken(owner, outsider):
    rows = ask(owner, count=12) + ask(outsider, count=3)
    expected = sorted(rows, key=queue_position)
    assert [queue_position(row) for row in expected] == list(range(1, 16))
    taken = []
    while claims := claim_analyses(limit=1):
        taken.append(claims[0].analysis)
    assert taken == expected


def test_the_positions_of_a_list_are_those_of_its_rows(owner, outsider, django_assert_num_queries):
    rows = [*ask(owner, count=12), *ask(outsider, count=3)]
    claim_analyses(limit=2)
    rows = list(Analysis.objects.filter(pk__in=[row.pk for row in rows]))
    with django_assert_num_queries(1):
        found = positions_of(rows[::2])
    assert found == {row.pk: position for row in rows[::2] if (position := queue_position(row))}
    with django_assert_num_queries(0):
        assert positions_of([row for row in rows if row.state == "running"]) == {}


def test_a_fair_turn_costs_few_queries(owner, django_assert_max_num_queries):
    ask(owner, count=20)
    with django_assert_max_num_queries(3):
        assign_fair_turn(owner)


def test_the_first_turn_of_an_empty_queue_costs_fewer(owner, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert assign_fair_turn(owner) == (0, False)
