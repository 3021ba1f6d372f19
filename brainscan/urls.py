"""All URLs. Every path is listed, with who may open it, in `tests/permission_rules.py`."""

from allauth.account import urls as account
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from classifier.ops import health
from classifier.ops.metrics import metrics

# The e-mail page is left out: it changes an address without asking for the password. The profile page asks.
account_urls = [pattern for pattern in account.urlpatterns if pattern.name != "account_email"]

handler400 = "classifier.web.views.errors.bad_request"
handler403 = "classifier.web.views.errors.permission_denied"
handler404 = "classifier.web.views.errors.page_not_found"
handler500 = "classifier.web.views.errors.server_error"

urlpatterns = [
    path("", include("classifier.web.urls")),
    path("api/", include("classifier.api.urls")),
    path("accounts/", include(account_urls)),
    path("admin/", admin.site.urls),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics, name="metrics"),
    # Browsers ask for it beside pages that name no icon, such as JSON.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("img/logo.svg")), name="favicon"),
]
