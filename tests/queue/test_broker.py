"""The cost of a broker that does not answer."""

import socket
import time
from threading import Barrier, Thread

import pytest
from celery import Celery
from kombu import pools

from classifier.queue import broker


@pytest.fixture
def silent(monkeypatch):
    """Messages go to a server that accepts connections and does not respond."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = Celery(broker=f"redis://127.0.0.1:{server.getsockname()[1]}", set_as_current=False)
        monkeypatch.setattr(broker, "current_app", silent)
        monkeypatch.setattr(broker, "_paused_until", 0.0)
        broker._producers.cache_clear()
        yield
    broker._producers.cache_clear()


def test_an_unresponsive_broker_is_tried_once_and_then_paused(silent, monkeypatch):
    naps = []
    monkeypatch.setattr("kombu.utils.functional.sleep", naps.append)
    said = []
    assert not broker.try_publish(lambda producer: said.append(producer.channel))
    assert naps == []
    assert time.monotonic() < broker._paused_until
    assert not broker.try_publish(said.append)
    assert said == []


def test_threads_that_wait_for_a_producer_do_not_try_an_unresponsive_broker_again(silent):
    together, asked = Barrier(24), []

    def ask():
        together.wait(20)
        assert not broker.try_publish(lambda producer: asked.append(producer) or producer.channel)

    threads = [Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(asked) <= pools.get_limit()


def test_a_message_that_cannot_be_sent_raises_nothing(silent):
    def fail(_producer):
        raise RuntimeError("Acquire on closed pool")

    assert not broker.try_publish(fail)
