"""Who may do what to a team."""

import pytest

from classifier.models import Membership, Team
from classifier.selectors.team import get_team, teams_of
from classifier.services import team as service
from classifier.services.errors import Conflict, Invalid, NotAllowed
from tests.factories import UserFactory, make_scan

pytestmark = pytest.mark.django_db


def test_the_creator_of_a_team_owns_it(owner):
    team = service.create_team(owner, name="  Neuro \n radiology ")
    assert team.name == "Neuro radiology"
    assert service.is_owner(team, owner)


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_team_needs_a_name_that_fits(owner, name):
    with pytest.raises(Invalid):
        service.create_team(owner, name=name)


@pytest.mark.parametrize("identifier", ["colleague", "COLLEAGUE", "colleague@hospital.example"])
def test_members_are_added_by_user_name_or_email(owner, team, identifier):
    colleague = UserFactory(username="colleague")
    service.add_member(team, by=owner, identifier=identifier)
    assert team.members.filter(pk=colleague.pk).exists()


def test_adding_nobody_says_what_to_do(owner, team):
    with pytest.raises(Invalid, match="Ask the person to sign up"):
        service.add_member(team, by=owner, identifier="nobody")


def test_signs_that_no_name_has_are_left_out(owner, team):
    with pytest.raises(Invalid, match="No account has this user name"):
        service.add_member(team, by=owner, identifier="a\x00b")
    assert service.create_team(owner, name="Ward\x00 7").name == "Ward 7"


def test_adding_twice_is_a_conflict(owner, team, teammate):
    with pytest.raises(Conflict, match="already a member"):
        service.add_member(team, by=owner, identifier=teammate.username)


def test_members_change_nothing(team, teammate, owner):
    for act in (
        lambda: service.rename_team(team, by=teammate, name="Mine"),
        lambda: service.add_member(team, by=teammate, identifier="x"),
        lambda: service.remove_member(team, by=teammate, user=owner),
        lambda: service.set_role(team, by=teammate, user=teammate, role="owner"),
        lambda: service.delete_team(team, by=teammate),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_a_member_leaves_and_their_scans_stay(team, teammate, owner):
    scan = make_scan(teammate, team=team)
    service.leave_team(team, by=teammate)
    scan.refresh_from_db()
    assert scan.team == team
    assert not teams_of(teammate).exists()


def test_the_last_owner_stays(team, owner, teammate):
    with pytest.raises(Conflict, match="needs an owner"):
        service.leave_team(team, by=owner)
    with pytest.raises(Conflict, match="needs an owner"):
        service.set_role(team, by=owner, user=owner, role=Membership.Role.MEMBER)
    service.set_role(team, by=owner, user=teammate, role=Membership.Role.OWNER)
    service.leave_team(team, by=owner)
    assert service.is_owner(team, teammate)


def test_deleting_a_team_gives_scans_back_to_their_owners(team, owner):
    scan = make_scan(owner, team=team)
    service.delete_team(team, by=owner)
    scan.refresh_from_db()
    assert scan.team is None


def test_another_persons_team_does_not_exist(team, outsider):
    with pytest.raises(Team.DoesNotExist):
        get_team(outsider, team.pk)
