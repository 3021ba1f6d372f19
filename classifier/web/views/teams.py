"""Teams, whose members see each other's scans."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from classifier.models import Membership, Team, User
from classifier.selectors.model import default_model, model_choices
from classifier.selectors.team import teams_with_counts
from classifier.services import team as services
from classifier.services.errors import ServiceError
from classifier.web.confirm import ask, is_confirmed
from classifier.web.forms import MemberForm, TeamForm, TeamModelForm
from classifier.web.http import SignedInRequest, team_or_404


@require_http_methods(["GET", "HEAD", "POST"])
def teams(request: SignedInRequest) -> HttpResponse:
    """List the user's teams and create a new one."""
    form = TeamForm(request.POST or None)
    if form.is_valid():
        try:
            created = services.create_team(request.user, name=form.cleaned_data["name"])
        except ServiceError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"Team “{created.name}” was created. Add the colleagues who may see its scans.")
            return redirect(created)
    context = {"teams": teams_with_counts(request.user), "form": form}
    return render(request, "web/teams.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def team(request: SignedInRequest, team_id: int) -> HttpResponse:
    """Show a team, or apply the `action` of a POST request to it."""
    shown = team_or_404(request, team_id)
    if request.method != "POST":
        return _page(request, shown)
    action = ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        return HttpResponseBadRequest("Unknown action.")
    try:
        return action(request, shown)
    except ServiceError as error:
        messages.error(request, str(error))
        return redirect(shown)


def _page(request: SignedInRequest, shown: Team, *, rename: TeamForm | None = None) -> HttpResponse:
    choices = model_choices()
    context = {
        "team": shown,
        "memberships": shown.memberships.all(),
        "is_owner": services.is_owner(shown, request.user),
        "rename_form": rename or TeamForm(initial={"name": shown.name}),
        "member_form": MemberForm(),
        "model_form": TeamModelForm(initial={"model": shown.default_model}, models=choices),
        "models": choices,
        "model_missing": shown.default_model and shown.default_model not in dict(choices),
        "default_model": default_model(),
        "roles": Membership.Role,
    }
    return render(request, "web/team.html", context, status=400 if rename and rename.errors else 200)


def _rename(request: SignedInRequest, shown: Team) -> HttpResponse:
    form = TeamForm(request.POST)
    if not form.is_valid():
        return _page(request, shown, rename=form)
    services.rename_team(shown, by=request.user, name=form.cleaned_data["name"])
    messages.success(request, "Saved.")
    return redirect(shown)


def _add_member(request: SignedInRequest, shown: Team) -> HttpResponse:
    member = services.add_member(shown, by=request.user, identifier=request.POST.get("identifier", ""))
    messages.success(request, f"{member.user.display_name} is now a member of “{shown.name}”.")
    return redirect(shown)


def _remove_member(request: SignedInRequest, shown: Team) -> HttpResponse:
    member = _member(request, shown)
    if not is_confirmed(request) and services.is_owner(shown, request.user):
        return ask(
            request,
            heading=f"Remove {member.display_name} from “{shown.name}”?",
            text=f"{member.display_name} will no longer see the scans of this team. The scans that they shared with "
            "it stay visible to the team. An owner can add them again.",
            button="Remove from team",
            back=shown.get_absolute_url(),
            fields={"action": "remove", "user": str(member.pk)},
        )
    services.remove_member(shown, by=request.user, user=member)
    messages.success(request, f"{member.display_name} is no longer a member of “{shown.name}”.")
    return redirect(shown)


def _set_role(request: SignedInRequest, shown: Team) -> HttpResponse:
    member, role = _member(request, shown), request.POST.get("role", "")
    gives_up = member == request.user and role == Membership.Role.MEMBER and services.is_owner(shown, request.user)
    if gives_up and not is_confirmed(request):
        return ask(
            request,
            heading=f"Give up ownership of “{shown.name}”?",
            text="You stay a member and still see its scans, but you can no longer rename the team or change its "
            "members. Only another owner can make you an owner again.",
            button="Become a member",
            back=shown.get_absolute_url(),
            fields={"action": "role", "user": str(member.pk), "role": role},
        )
    services.set_role(shown, by=request.user, user=member, role=role)
    messages.success(request, "Saved.")
    return redirect(shown)


def _file_names(request: SignedInRequest, shown: Team) -> HttpResponse:
    on = request.POST.get("on") == "yes"
    services.set_keep_file_names(shown, by=request.user, on=on)
    messages.success(request, f"File names are {'stored' if on else 'not stored'} from now on.")
    return redirect(shown)


def _sealed_reading(request: SignedInRequest, shown: Team) -> HttpResponse:
    on = request.POST.get("on") == "yes"
    services.set_sealed_reading(shown, by=request.user, on=on)
    messages.success(request, f"Sealed first read is {'on' if on else 'off'} for “{shown.name}”.")
    return redirect(shown)


def _default_model(request: SignedInRequest, shown: Team) -> HttpResponse:
    services.set_default_model(shown, by=request.user, model=request.POST.get("model", ""))
    messages.success(request, "Saved. It applies to scans that are uploaded from now on.")
    return redirect(shown)


def _leave(request: SignedInRequest, shown: Team) -> HttpResponse:
    services.leave_team(shown, by=request.user)
    messages.success(request, f"You have left “{shown.name}”.")
    return redirect("web:teams")


def _delete(request: SignedInRequest, shown: Team) -> HttpResponse:
    services.delete_team(shown, by=request.user)
    messages.success(request, f"Team “{shown.name}” was deleted. Its scans are now visible only to their owners.")
    return redirect("web:teams")


def _member(request: SignedInRequest, shown: Team) -> User:
    wanted = request.POST.get("user", "")
    for membership in shown.memberships.all():
        if str(membership.user_id) == wanted:
            return membership.user
    raise ServiceError("This person is no longer a member of the team.")


ACTIONS: dict[str, Callable[[SignedInRequest, Team], HttpResponse]] = {
    "rename": _rename,
    "add": _add_member,
    "remove": _remove_member,
    "role": _set_role,
    "file_names": _file_names,
    "sealed_reading": _sealed_reading,
    "default_model": _default_model,
    "leave": _leave,
    "delete": _delete,
}
