from datetime import timedelta

from classifier.models import Analysis
from classifier.selectors.review import statements_of, timeline
from classifier.selectors.scan import visible_scans


def test_the_upload_comes_first_even_if_the_analysis_was_requested_in_the_same_moment(scan, owner):
    Analysis.objects.filter(scan=scan).update(queued_at=scan.created_at - timedelta(milliseconds=1))
    loaded = visible_scans(owner).get(pk=scan.pk)
    entries = timeline(owner, loaded, statements=statements_of(owner, loaded))
    assert [entry.text for entry in entries][:2] == [
        "Uploaded",
        f"Analysis by {loaded.current_analysis.model_name} requested",
    ]
