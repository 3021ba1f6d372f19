"""Changes to teams and their members."""

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import Membership, Team, User, lengths
from classifier.selectors.commissioning import open_commissionings
from classifier.services.errors import Conflict, Invalid, NotAllowed
from classifier.services.model import checked_model_name


@transaction.atomic
def create_team(owner: User, *, name: str) -> Team:
    """Create a team with `owner` as its first owner. Raise `Invalid` if the name is empty or too long."""
    team = Team.objects.create(name=_checked_name(name))
    Membership.objects.create(team=team, user=owner, role=Membership.Role.OWNER)
    return team


def rename_team(team: Team, *, by: User, name: str) -> Team:
    """Rename the team. Owners only."""
    require_owner(team, by=by)
    team.name = _checked_name(name)
    team.save(update_fields=["name"])
    return team


def add_member(team: Team, *, by: User, identifier: str) -> Membership:
    """Add the user with this user name or e-mail address. Owners only.

    Raises:
        Invalid: If there is no such active account.
        Conflict: If that user is already a member.
    """
    require_owner(team, by=by)
    identifier = identifier.replace("\x00", "").strip()
    user = User.objects.filter(Q(username__iexact=identifier) | Q(email__iexact=identifier), is_active=True).first()
    if user is None:
        raise Invalid("No account has this user name or e-mail address. Ask the person to sign up first.")
    try:
        with transaction.atomic():
            return Membership.objects.create(team=team, user=user)
    except IntegrityError as error:
        raise Conflict(f"{user.display_name} is already a member of this team.") from error


@transaction.atomic
def remove_member(team: Team, *, by: User, user: User) -> None:
    """Remove `user` from the team. An owner may remove anyone; members may remove themselves.

    The scans that `user` added stay with the team. The last owner cannot leave while other members remain.
    """
    if user != by:
        require_owner(team, by=by)
    members = {m.user_id: m for m in team.memberships.select_for_update()}
    membership = members.get(user.pk)
    if membership is None:
        raise Conflict("This person is no longer a member of the team.")
    owners = [m for m in members.values() if m.role == Membership.Role.OWNER]
    if owners == [membership]:
        raise Conflict("A team needs an owner. Make another member owner first, or delete the team.")
    membership.delete()


def leave_team(team: Team, *, by: User) -> None:
    """Leave the team."""
    remove_member(team, by=by, user=by)


@transaction.atomic
def set_role(team: Team, *, by: User, user: User, role: str) -> Membership:
    """Change a member's role. Owners only; at least one owner must remain."""
    require_owner(team, by=by)
    if role not in Membership.Role.values:
        raise Invalid("A member is either an owner or a member.")
    members = {m.user_id: m for m in team.memberships.select_for_update()}
    membership = members.get(user.pk)
    if membership is None:
        raise Conflict("This person is no longer a member of the team.")
    others = [m for m in members.values() if m.role == Membership.Role.OWNER and m != membership]
    if role != Membership.Role.OWNER and not others:
        raise Conflict("A team needs an owner. Make another member owner first.")
    membership.role = role
    membership.save(update_fields=["role"])
    return membership


def set_keep_file_names(team: Team, *, by: User, on: bool) -> None:
    """Store the names of files that are uploaded for the team from now on, or stop storing them. Owners only."""
    require_owner(team, by=by)
    team.keep_file_names = on
    team.save(update_fields=["keep_file_names"])


def set_default_model(team: Team, *, by: User, model: str) -> None:
    """Choose the model for scans that are uploaded for the team from now on. Owners only.

    Args:
        team: The team.
        by: The person who asks.
        model: The name of an installed model; "" follows the default of the installation.

    Raises:
        Invalid: If the model does not exist.
    """
    require_owner(team, by=by)
    team.default_model = checked_model_name(model) if model else ""
    team.save(update_fields=["default_model"])


def set_sealed_reading(team: Team, *, by: User, on: bool) -> None:
    """Turn the sealed first read of the team's scans on or off, for every member. Owners only.

    It applies to scans uploaded from now on. What was recorded stays.
    """
    require_owner(team, by=by)
    if on == (team.sealed_reading_since is not None):
        return
    team.sealed_reading_since = timezone.now() if on else None
    team.save(update_fields=["sealed_reading_since"])


def delete_team(team: Team, *, by: User) -> None:
    """Delete the team. Its scans become visible to their owners only. Owners only.

    Raises:
        Conflict: If a commissioning of the team is open.
    """
    require_owner(team, by=by)
    if open_commissionings(team).exists():
        raise Conflict("A commissioning of this team is open. Close it first.", code="commissioning_open")
    team.delete()


def is_owner(team: Team, user: User) -> bool:
    """Return True if `user` may change the team."""
    return team.memberships.filter(user=user, role=Membership.Role.OWNER).exists()


def require_owner(team: Team, *, by: User) -> None:
    """Raise `NotAllowed` unless `by` is an owner of the team."""
    if not is_owner(team, by):
        raise NotAllowed("Only an owner of the team can do this.")


def _checked_name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise Invalid("Give the team a name.")
    if len(name) > lengths.GIVEN_NAME:
        raise Invalid(f"A team's name has at most {lengths.GIVEN_NAME} characters.")
    return name
