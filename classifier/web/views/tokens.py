"""The API tokens of the signed-in user."""

from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from classifier.models import ApiToken
from classifier.selectors.token import get_token, tokens_of
from classifier.services.errors import ServiceError
from classifier.services.token import create_token, delete_token
from classifier.web.confirm import ask, is_confirmed
from classifier.web.http import SignedInRequest
from classifier.web.profile_forms import TokenForm


@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: SignedInRequest) -> HttpResponse:
    """List the tokens and create one, whose text is in this response and nowhere else."""
    form = TokenForm(request.POST or None)
    text = ""
    if form.is_valid():
        days = form.cleaned_data["days"]
        try:
            _, text = create_token(
                request.user, name=form.cleaned_data["name"], lifetime=timedelta(days=int(days)) if days else None
            )
        except ServiceError as error:
            form.add_error("name", str(error))
    context = {
        "heading": "API tokens",
        "form": TokenForm() if text else form,
        "rows": tokens_of(request.user),
        "text": text,
        "upload_url": request.build_absolute_uri(reverse("api:scan-list")),
    }
    return render(request, "web/tokens.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def token_delete(request: SignedInRequest, token_id: int) -> HttpResponse:
    """Ask, then delete a token."""
    try:
        token = get_token(request.user, token_id)
    except ApiToken.DoesNotExist as error:
        raise Http404("There is no such token.") from error
    if not is_confirmed(request):
        return ask(
            request,
            heading=f"Delete the token “{token.name}”?",
            text="Programs that use it can no longer sign in. This cannot be undone.",
            button="Delete token",
            back=reverse("web:tokens"),
        )
    delete_token(token, by=request.user)
    messages.success(request, f"The token “{token.name}” was deleted.")
    return redirect("web:tokens")
