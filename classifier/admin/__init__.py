"""Admin pages: manage users and teams, look up scans and analyses. They show no images."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin

from classifier.admin import people, scans, workers  # noqa: F401 - registers the pages

admin.site.site_header = admin.site.site_title = "BrainScan administration"
admin.site.index_title = "People, teams and the state of their scans"
# Staff sign in through the common sign-in page, which limits failed attempts.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
