"""URLs of the pages."""

from django.urls import path

from classifier.web import report_urls
from classifier.web.views import (
    about,
    attention,
    batches,
    files,
    history,
    models,
    profile,
    reviews,
    samples,
    scans,
    status,
    teams,
    tokens,
    upload,
)

app_name = "web"

urlpatterns = [
    path("", upload.upload, name="upload"),
    path("scans/", history.history, name="history"),
    path("scans/upload/", upload.scan_upload, name="scan_upload"),
    path("scans/status/", status.scan_statuses, name="scan_statuses"),
    path("scans/unread/", reviews.unread, name="unread"),
    path("scans/<uuid:scan_id>/", scans.scan, name="scan"),
    path("scans/<uuid:scan_id>/status/", status.scan_status, name="scan_status"),
    path("scans/<uuid:scan_id>/image.png", files.scan_image, name="scan_image"),
    path("scans/<uuid:scan_id>/thumbnail.png", files.scan_thumbnail, name="scan_thumbnail"),
    path("scans/<uuid:scan_id>/saliency.png", files.scan_saliency, name="scan_saliency"),
    path("scans/<uuid:scan_id>/analyse/", scans.scan_analyse, name="scan_analyse"),
    path("scans/<uuid:scan_id>/edit/", scans.scan_edit, name="scan_edit"),
    path("scans/<uuid:scan_id>/delete/", scans.scan_delete, name="scan_delete"),
    path("scans/<uuid:scan_id>/impressions/", reviews.impression_create, name="impression_create"),
    path("scans/<uuid:scan_id>/diagnoses/", reviews.diagnosis_create, name="diagnosis_create"),
    path("analyses/<uuid:analysis_id>/reviews/", reviews.review_create, name="review_create"),
    path("analyses/<uuid:analysis_id>/cancel/", scans.analysis_cancel, name="analysis_cancel"),
    path("samples/<slug:name>/", samples.sample_submit, name="sample_submit"),
    path("samples/<slug:name>.png", samples.sample_image, name="sample_image"),
    path("batches/", batches.batches, name="batches"),
    path("batches/<uuid:batch_id>/", batches.batch, name="batch"),
    path("batches/<uuid:batch_id>/retry/", batches.batch_retry, name="batch_retry"),
    path("attention/", attention.attention, name="attention"),
    *report_urls.urlpatterns,
    path("models/", models.models, name="models"),
    path("models/default/", models.model_default, name="model_default"),
    path("teams/", teams.teams, name="teams"),
    path("teams/<int:team_id>/", teams.team, name="team"),
    path("profile/", profile.profile, name="profile"),
    path("profile/file-names/", profile.file_names, name="file_names"),
    path("profile/sealed-reading/", profile.sealed_reading, name="sealed_reading"),
    path("profile/tokens/", tokens.tokens, name="tokens"),
    path("profile/tokens/<int:token_id>/delete/", tokens.token_delete, name="token_delete"),
    path("about/", about.about, name="about"),
]
