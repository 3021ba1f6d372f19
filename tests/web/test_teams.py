"""Teams: who may do what, and what people are told."""

import pytest

from classifier.models import Membership, Team
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def roles(team: Team) -> dict[str, str]:
    return dict(team.memberships.values_list("user__username", "role"))


def act(client, team: Team, action: str, **fields) -> str:
    response = client.post(team.get_absolute_url(), {"action": action, **fields}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_somebody_without_a_team_is_told_what_to_do(browse, owner):
    page = browse(owner).get("/teams/").content.decode()
    assert "You are not in a team yet" in page
    assert "Your user name is owner" in page


def test_the_creator_of_a_team_owns_it(browse, owner):
    response = browse(owner).post("/teams/", {"name": "  Tumor   board "})
    team = Team.objects.get()
    assert response.url == team.get_absolute_url()
    assert team.name == "Tumor board"
    assert roles(team) == {"owner": "owner"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_team_needs_a_name(browse, owner, name):
    assert browse(owner).post("/teams/", {"name": name}).status_code == 400
    assert not Team.objects.exists()


@pytest.mark.parametrize("identifier", ["colleague", "COLLEAGUE@hospital.example", " colleague "])
def test_members_are_added_by_name_or_address(browse, owner, team, identifier):
    UserFactory(username="colleague")
    page = act(browse(owner), team, "add", identifier=identifier)
    assert "colleague is now a member" in page
    assert roles(team)["colleague"] == "member"


@pytest.mark.parametrize(
    ("identifier", "sentence"), [("nobody", "No account has this user name"), ("teammate", "already a member")]
)
def test_adding_says_why_not(browse, owner, team, identifier, sentence):
    assert sentence in act(browse(owner), team, "add", identifier=identifier)


def test_owners_rename_promote_and_remove(browse, owner, team):
    client, member = browse(owner), team.members.get(username="teammate")
    act(client, team, "rename", name="Neuro-oncology")
    act(client, team, "role", user=member.pk, role="owner")
    team.refresh_from_db()
    assert (team.name, roles(team)["teammate"]) == ("Neuro-oncology", "owner")
    assert "Remove teammate from" in act(client, team, "remove", user=member.pk)
    assert "teammate" in roles(team)
    act(client, team, "remove", user=member.pk, confirmed="yes")
    assert "teammate" not in roles(team)


def test_giving_up_ownership_asks(browse, owner, team, teammate):
    client = browse(owner)
    act(client, team, "role", user=teammate.pk, role="owner")
    assert "Give up ownership of" in act(client, team, "role", user=owner.pk, role="member")
    assert roles(team)["owner"] == "owner"
    act(client, team, "role", user=owner.pk, role="member", confirmed="yes")
    assert roles(team)["owner"] == "member"


def test_an_empty_name_keeps_the_old_one_and_says_why(browse, owner, team):
    response = browse(owner).post(team.get_absolute_url(), {"action": "rename", "name": ""})
    assert response.status_code == 400
    assert b"This field is required." in response.content


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("add", {"identifier": "outsider"}),
        ("rename", {"name": "Mine now"}),
        ("remove", {"user": "owner"}),
        ("role", {"user": "teammate", "role": "owner"}),
        ("delete", {}),
    ],
)
def test_members_change_nothing(browse, team, teammate, outsider, action, fields):
    before = (team.name, roles(team))
    if "user" in fields:
        fields = fields | {"user": team.members.get(username=fields["user"]).pk}
    assert "Only an owner of the team can do this." in act(browse(teammate), team, action, **fields)
    team.refresh_from_db()
    assert (team.name, roles(team)) == before


def test_members_are_offered_nothing_that_owners_do(browse, team, teammate):
    page = browse(teammate).get(team.get_absolute_url()).content.decode()
    for action in ("add", "rename", "remove", "role", "delete"):
        assert f'value="{action}"' not in page
    assert 'value="leave"' in page


def test_a_member_leaves(browse, team, teammate):
    assert "You have left" in act(browse(teammate), team, "leave")
    assert browse(teammate).get(team.get_absolute_url()).status_code == 404


def test_the_last_owner_stays(browse, owner, team):
    assert "A team needs an owner." in act(browse(owner), team, "leave")
    assert roles(team)["owner"] == "owner"


def test_deleting_a_team_keeps_its_scans_for_their_owners(browse, owner, team, team_scan, teammate):
    act(browse(owner), team, "delete")
    assert not Team.objects.filter(pk=team.pk).exists()
    assert browse(owner).get(team_scan.get_absolute_url()).status_code == 200
    assert browse(teammate).get(team_scan.get_absolute_url()).status_code == 404


@pytest.mark.parametrize(("action", "status"), [("destroy", 400), ("", 400)])
def test_there_are_no_other_actions(browse, owner, team, action, status):
    assert browse(owner).post(team.get_absolute_url(), {"action": action}).status_code == status


@pytest.mark.parametrize("user", ["", "x", "999999"])
def test_somebody_who_is_no_member_is_named_as_such(browse, owner, team, user):
    assert "no longer a member" in act(browse(owner), team, "remove", user=user)


def test_outsiders_change_nothing(browse, team, outsider):
    assert browse(outsider).post(team.get_absolute_url(), {"action": "delete"}).status_code == 404
    assert Membership.objects.filter(team=team).count() == 2
