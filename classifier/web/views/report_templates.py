"""Templates of reports."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from classifier.models import ReportTemplate
from classifier.selectors.report import can_change_template, report_templates
from classifier.services.errors import ServiceError
from classifier.services.report_template import CHANGE_REFUSED, FIELDS, delete_template, save_template
from classifier.web.http import SignedInRequest
from classifier.web.kept_entry import given_back, take_entry
from classifier.web.report_forms import TemplateForm


@require_http_methods(["GET", "HEAD", "POST"])
def template_list(request: SignedInRequest) -> HttpResponse:
    """List the templates that the user can use, and add one."""
    form = TemplateForm(request.POST or None, user=request.user)
    if request.method != "POST" and (entered := take_entry(request)) is not None:
        form = given_back(TemplateForm(entered, user=request.user))
    elif form.is_valid():
        try:
            made = save_template(
                None, by=request.user, name=form.cleaned_data["name"], team=form.cleaned_data["team"], texts=form.texts
            )
        except ServiceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The template “{made.name}” is saved.")
            return redirect("web:report_templates")
    return _page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def template_edit(request: SignedInRequest, template_id: int) -> HttpResponse:
    """Change or delete a template."""
    try:
        template = report_templates(request.user).get(pk=template_id)
    except ReportTemplate.DoesNotExist as error:
        raise Http404("There is no such template.") from error
    if not can_change_template(request.user, template):
        raise PermissionDenied(CHANGE_REFUSED)
    if request.POST.get("action") == "delete":
        delete_template(template, by=request.user)
        messages.success(request, f"The template “{template.name}” was deleted.")
        return redirect("web:report_templates")
    form = TemplateForm(request.POST or None, user=request.user, template=template)
    if request.method != "POST" and (entered := take_entry(request)) is not None:
        form = given_back(TemplateForm(entered, user=request.user, template=template))
    elif form.is_valid():
        try:
            save_template(
                template, by=request.user, name=form.cleaned_data["name"], team=template.team, texts=form.texts
            )
        except ServiceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("web:report_templates")
    return _page(request, form, template)


def _page(request: SignedInRequest, form: TemplateForm, template: ReportTemplate | None) -> HttpResponse:
    rows = [(row, can_change_template(request.user, row)) for row in report_templates(request.user)]
    context = {"form": form, "template": template, "templates": rows, "fields": FIELDS.items()}
    refused = request.method == "POST" and form.errors
    return render(request, "reports/templates.html", context, status=400 if refused else 200)
