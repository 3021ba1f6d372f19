"""The web process dies between the commit of an upload and the message about it."""

from tests.system.chaos.load import scans


def test_an_upload_whose_process_died_before_the_message_is_analyzed_once(target, scenario, form):
    for _ in range(max(form.kills // 4, 1)):
        with target.fault("die-before-notify", times="once"):
            [upload] = scenario.load.send(scans(1))
        scenario.kills += 1
        # The row was there: the client, who got no answer and asked again, is told of the same scan.
        assert upload.status == 200
        assert upload.refusals[0].status == 0
    scenario.conclude(most_attempts=1)
