"""One report as PDF: how long a request waits for it.

`python -m bench.reports [--quick]` renders the report of one scan many times, as a web process does: from the facts to
the file, in a child process that has imported its library before, and once in one that has not. The scan is a row in a
database of its own, with class maps that point to a place. Nothing else runs meanwhile.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from bench.figures import spread
from bench.machine import RESULTS, write_result

if TYPE_CHECKING:
    from classifier.models import User

PACKAGES = ("django", "weasyprint", "pillow", "numpy")
ROUNDS, QUICK_ROUNDS = 20, 3
# Longer than a child needs to import its library on a busy machine.
WARM_SECONDS = 5.0
LIMIT_SECONDS = 60.0


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        os.environ |= {"DATA_DIR": data, "DJANGO_SETTINGS_MODULE": "brainscan.settings"}
        content = measured(rounds=QUICK_ROUNDS if options.quick else ROUNDS)
    folder = RESULTS / "quick" if options.quick else RESULTS
    write_result(folder / "reports.json", content=content, packages=PACKAGES)
    print(content)


def measured(*, rounds: int) -> dict[str, object]:
    """Return the figures, of a new database."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from classifier.reports.html import document, scan_report
    from classifier.reports.pdf import WEB_SECONDS, Renderer
    from classifier.selectors.scan import get_scan

    user, scan_id = analyzed_scan()
    renderer = Renderer()
    begin = time.perf_counter()
    data = renderer.render("<html lang=en><title>A</title><p>A</html>", seconds=LIMIT_SECONDS)
    cold = time.perf_counter() - begin
    facts, files = [], []
    for _ in range(rounds):
        time.sleep(WARM_SECONDS)
        begin = time.perf_counter()
        page = document(scan_report(user, get_scan(user, scan_id)))
        half = time.perf_counter()
        data = renderer.render(page, seconds=LIMIT_SECONDS)
        facts.append(half - begin)
        files.append(time.perf_counter() - begin)
    renderer.stop()
    return {
        "rounds": rounds,
        "median_seconds": spread(files, digits=3)["p50"],
        "seconds": spread(files, digits=3),
        "seconds_of_html": spread(facts, digits=3),
        "seconds_of_smallest_file_in_new_process": round(cold, 3),
        "limit_seconds": WEB_SECONDS,
        "over_limit": sum(value > WEB_SECONDS for value in files),
        "bytes": len(data),
    }


def analyzed_scan(user: "User | None" = None) -> tuple["User", UUID]:
    """Return a person and the identifier of a scan of theirs with a result that points to a place.

    Args:
        user: The person; None creates one.
    """
    import numpy as np

    from classifier.findings import Outcome
    from classifier.inference.decision import Decision
    from classifier.models import User
    from classifier.queue.claim import Result, claim_analyses, finish_analyses
    from classifier.selectors.model import model_card
    from classifier.services.scan import submit_scan

    user = user or User.objects.create_user("reader", "reader@hospital.example", None)
    sample = Path(__file__).parent.parent / "samples" / "meningioma-2.jpg"
    scan = submit_scan(owner=user, file=sample.read_bytes(), patient_reference="P-0042").scan
    maps = np.zeros((10, 10, 4), np.float16)
    maps[2:5, 6:9, 1] = 30
    decision = Decision(
        outcome=Outcome.CLASSIFIED,
        finding="meningioma",
        confidence=0.91,
        probabilities=(0.03, 0.91, 0.03, 0.03),
        possible=("meningioma", "glioma"),
        ood_score=0.1,
    )
    card = model_card("xception")
    version = card.version if card else ""
    finish_analyses([Result(claim, decision, maps, version, 200.0) for claim in claim_analyses(limit=1)])
    return user, scan.pk


if __name__ == "__main__":
    main()
