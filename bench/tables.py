"""The tables of `docs/performance.md`, each made from one results file."""

from collections.abc import Callable
from typing import Any

from bench.history_table import history
from bench.markdown import pair, table, value
from bench.peer_table import peer_accuracy
from classifier.wording import percent

Result = dict[str, Any]
STEPS = {
    "queued_seconds": "waiting for a claim",
    "decode_seconds": "read and preprocess",
    "forward_seconds": "network",
    "write_seconds": "decide and store",
}
KINDS = {"embedded": "SQLite, embedded broker", "servers": "PostgreSQL, Redis"}


def provenance(result: Result) -> str:
    """When and where, in a sentence, with what else the machine did."""
    machine = result["machine"]
    text = f"Measured {result['date'][:16].replace('T', ' ')} UTC on {machine['cores']} cores ({machine['processor']})"
    if "busy_before" in result:
        text += f"; before it {percent(result['busy_before'])} of the processors' time was in use"
    return f"*{text}.*"


def engines(result: Result) -> str:
    """Milliseconds an image by engine and batch, and parity."""
    rows = []
    for name, row in result["engines"].items():
        cells = [f"{cell['mean']:.0f} ({cell['ratio']:.2f})" for cell in row["network"].values()]
        parity = row.get("agreement")
        rows.append(
            [
                name,
                *cells,
                f"{row['analysis']['mean']:.0f} ({row['analysis']['ratio']:.2f})",
                percent(parity["labels_agree"], digits=2) if parity else "",
                f"{parity['logits_largest']:.1g}" if parity else "",
                f"{row['memory_after']['resident']:.0f}" if "memory_after" in row else "",
            ]
        )
    batches = [f"batch {batch}" for batch in next(iter(result["engines"].values()))["network"]]
    head = ("engine", *batches, "whole analysis", "labels agree", "largest logit difference", "memory, MiB")
    return table(head, rows) + f"\n\nParity on {result['images_compared']}. {result['threads']} threads each."


PARTS = {
    "chosen_on": "test images, used to choose the margins",
    "others": "others, mirrored",
    "changed": "further images, randomly augmented",
}


def bfloat16(result: Result) -> str:
    """Return what bfloat16 changes, and what of it is caught."""
    rows = [
        [
            f"{part['images']} {PARTS[name]}",
            f"{part['largest_change_of_a_lead']:.2f}",
            f"{part['largest_change_of_a_refusal_score']:.3f}",
            percent(part["would_say_the_same_without_a_second_look"], digits=2),
            percent(part["says_the_same"], digits=2),
            percent(part["run_twice"], digits=1),
            f"{part['largest_difference_of_a_percentage']:.0f}",
            f"{part['float32_milliseconds']:.0f} / {part['mean_milliseconds']:.0f}",
        ]
        for name, part in result["parts"].items()
    ]
    head = (
        *(
            "images",
            "largest change of a margin",
            "of an out-of-distribution score",
            "same decision with bfloat16 alone",
        ),
        *("with the second pass", "evaluated twice", "largest difference in percentage points"),
        "ms per image, float32 / mean of bfloat16",
    )
    return table(head, rows)


def throughput(result: Result) -> str:
    """Return the table of rounds and the shares of the worker's time."""
    rows = [
        [str(number), f"{entry['bare']:.2f}", f"{entry['pipeline']:.2f}", percent(entry["share"], digits=1)]
        for number, entry in enumerate(result["rounds"], 1)
    ]
    head = ("round", "bare engine, images/s", "stored results/s", "share")
    mean = result["worker_steps_seconds"]
    steps = [f"{STEPS[name]} {mean[name]['mean'] * 1000:.0f} ms" for name in STEPS if name != "queued_seconds"]
    return (
        f"**{KINDS[result['kind']]}**: {percent(result['share'], digits=1)} (median of rounds), "
        f"{result['analyses_a_round']} analyses per round, {result['failed']} failed.\n\n{table(head, rows)}\n\n"
        f"Mean time of a batch ({mean['batch_size']['mean']:.1f} images) in each step; the steps overlap: "
        f"{', '.join(steps)}."
    )


def latency(result: Result) -> str:
    """Return a row for each load, and what the load above capacity did."""
    rows = [
        [
            percent(load["share"]),
            f"{load['rate']:.2f}",
            str(load["uploads"]),
            f"{pair(load['answer_milliseconds'])} / {value(load['answer_milliseconds'], 'max')}",
            pair(load["stored_milliseconds"]),
            pair(load["seen_milliseconds"]),
            value(load["model_milliseconds"], "p50"),
            value(load["added_until_stored_milliseconds"], "p50"),
            value(load["added_until_seen_milliseconds"], "p50"),
        ]
        for load in result["loads"]
    ]
    head = (
        *("load", "uploads/s", "uploads", "answer (202), p50 / p95 / max", "result stored, p50 / p95"),
        *("result seen, p50 / p95", "model's own time", "added until stored", "added until seen"),
    )
    return (
        f"**{KINDS[result['kind']]}**: capacity {result['capacity_uploads_a_second']:.2f} uploads per second, "
        f"by {result['clients_at_capacity']} waiting clients. Times in milliseconds; added times are medians.\n\n"
        f"{table(head, rows)}\n\n{_above_capacity(result)}"
    )


def memory(result: Result) -> str:
    """Memory of each program, and the starts."""
    rows = [
        [
            name,
            *(f"{figures[key]:.0f}" for key in ("at_start", "resident_settled", "resident_at_end", "most")),
            percent(figures["resident_growth"], digits=1),
            f"{figures['private_settled']:.0f} → {figures['private_at_end']:.0f}",
            percent(figures["private_growth"], digits=1),
        ]
        for name, figures in result["programs_mebibytes"].items()
    ]
    settled, last = result["growth_counts_from"], result["analyses"]
    head = (
        *("program", "at start", f"at the {settled}th", f"at the {last}th", "most", "growth"),
        *("private memory alone", "growth"),
    )
    starts = ", ".join(f"{seconds:.1f}" for seconds in result["worker_ready_seconds"])
    return (
        f"Resident memory in MiB, over {result['succeeded']} analyses ({result['failed']} failed), "
        f"{result['uploaded_over_http']} of them uploaded over HTTP meanwhile:\n\n{table(head, rows)}\n\n"
        f"Seconds from the start of a worker's process until it works on the queue: {starts}."
    )


def peers(result: Result) -> str:
    """Servers beside each other."""
    shares = [load["share"] for load in result["servers"][0]["loads"]]
    rows = [
        [
            f"{server['server']} {result['machine']['versions'].get(server['server'].lower(), '')}".strip(),
            f"{server['capacity']:.2f}",
            *(pair(load["result_milliseconds"]) for load in server["loads"]),
            str(sum(load["without_result"] for load in server["loads"])),
            str(server["memory_mebibytes"]),
        ]
        for server in result["servers"]
    ]
    rates = [f"at {load['rate']:.1f}/s, p50 / p95" for load in result["servers"][0]["loads"]]
    head = ("server", "capacity, images/s", *rates, "without a result", "memory, MiB")
    named = ", ".join(percent(share) for share in shares)
    return (
        f"{table(head, rows)}\n\nMilliseconds from upload to result as the client sees it, at {named} of BrainScan's "
        f"capacity; batches of at most {result['batch_size']}, {result['clients_at_capacity']} clients for the "
        "capacity. Memory: pages shared between processes are counted by their share."
    )


def intake(result: Result) -> str:
    """Return the corpus and the mutated files in sentences."""
    summary, mutated = result["summary"], result["mutated"]
    return (
        f"{summary['as_expected']} of {summary['files']} files of the corpus were handled as expected. The slowest "
        f"refusal took {summary['slowest_refusal_milliseconds']:.0f} ms and at most "
        f"{summary['highest_peak_of_a_refusal_mebibytes']:.0f} MiB; the process grew by "
        f"{summary['growth_over_all_mebibytes']:.1f} MiB over {result['rounds']} rounds. "
        f"Of {mutated['files']:,} mutated files, the slowest took {mutated['slowest_milliseconds']:.0f} ms; the "
        f"process grew by at most {mutated['most_growth_mebibytes']:.0f} MiB."
    )


def scaling(result: Result) -> str:
    """Return several workers beside each other."""
    rows = [
        [
            str(row["workers"]),
            f"{row['analyses_a_second']:.1f}",
            f"{row['ideal']:.0f}",
            percent(row["share"]),
            f"{row['claim_milliseconds_p50']:.0f} / {row['claim_milliseconds_p95']:.0f}",
            f"{row['statements_an_analysis']:.1f}",
        ]
        for row in result["workers"]
    ]
    head = (
        "workers",
        "analyses/s",
        "ideal",
        "share",
        "claim latency, ms, p50 / p95",
        "statements per analysis",
    )
    wait = 1000 * result["wait_seconds"]
    return f"{table(head, rows)}\n\nThe network is replaced by a wait of {wait:.0f} ms per image."


def _above_capacity(result: Result) -> str:
    load = result["loads"][-1]
    people = load["of_one_person"]
    return (
        f"At {percent(load['share'])}: {load['taken']} of {load['uploads']} uploads answered 202, "
        f"{load['answers_over_limit']} of them after more than {result['answer_limit_milliseconds']:.0f} ms; "
        f"{load['waiting_at_the_end']} results were outstanding when the uploads ended, and all had been stored "
        f"{load['drained_after']:.0f} s later: {load['succeeded']} succeeded. The user with "
        f"{percent(result['interactive_share'])} of the uploads waited {pair(people['interactive'])} ms for a result, "
        f"the user with the others {pair(people['bulk'])} ms (p50 / p95)."
    )


def chats(result: Result) -> str:
    """Return how long pages took beside open conversations, and the outcomes of their polls."""
    rows = [
        [f"`{page}`", *(f"{pair(result[when][page])} / {value(result[when][page], 'max')}" for when in MOMENTS)]
        for page in result["alone"]
    ]
    polls = result["polls"]
    return (
        f"{table(('page', *MOMENTS.values()), rows)}\n\n"
        f"Milliseconds, p50 / p95 / max. {result['people']} people had a conversation open, and their pages polled "
        f"{polls['milliseconds']['count']} times within {polls['seconds']:.0f} s: {polls['pieces']} requests "
        f"brought text, {polls['waited']} ended without new text, {polls['at_once']} were answered at once to poll "
        f"again later, and {polls['errors']} failed."
    )


MOMENTS = {"alone": "no conversation open", "beside_chats": "conversations open"}


TABLES: dict[str, tuple[tuple[str, ...], Callable[[Result], str]]] = {
    "engines": (("engines",), engines),
    "bfloat": (("bfloat16",), bfloat16),
    "throughput": (("throughput", "throughput-servers"), throughput),
    "latency": (("latency", "latency-servers"), latency),
    "history": (("history", "history-servers"), history),
    "memory": (("memory",), memory),
    "peers": (("peers",), peers),
    "accuracy": (("peer_accuracy",), peer_accuracy),
    "intake": (("intake_corpus",), intake),
    "scaling": (("scaling",), scaling),
    "chats": (("chats", "chats-servers"), chats),
}
"""The document's blocks: the results files of each, and what makes a table of one of them."""
