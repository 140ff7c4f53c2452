"""How often one may ask: a limit of requests per second for each caller, right over all workers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import requests

from app.factory import create_app
from app.rates import Rates, network
from app.settings import resolve
from models.store import Store
from tests.app.test_access import ANNA, NEW, OLD, line
from tests.live_server import running
from tests.small_models import Data


def test_tokens_come_back_at_the_rate_and_no_more_than_the_burst(tmp_path: Path) -> None:
    rates = Rates(tmp_path / "rates", 10, 5)

    assert [rates.take("a", 100.0) > 0 for _ in range(7)] == [False] * 5 + [True] * 2
    assert rates.take("a", 100.0) == pytest.approx(0.1, rel=0.01)
    assert rates.take("a", 100.0 + rates.take("a", 100.0) + 1e-9) == 0.0
    assert [rates.take("a", 1000.0) > 0 for _ in range(6)] == [False] * 5 + [True]
    assert rates.take("b", 1000.0) == 0.0


def test_over_any_time_no_more_than_rate_times_time_and_a_burst_come_through(tmp_path: Path) -> None:
    rates, random = Rates(tmp_path / "rates", 7, 3), np.random.default_rng(0)
    times = 50 + np.cumsum(random.exponential(0.05, 4000))
    granted = times[[rates.take("a", at) == 0.0 for at in times]]

    for i in range(0, len(granted), 50):
        after = np.arange(1, len(granted) - i + 1)
        assert (after <= (granted[i:] - granted[i]) * 7 + 3 + 1e-6).all()
    assert len(granted) > 0.95 * 7 * (times[-1] - times[0])


def test_a_bucket_from_before_the_machine_was_started_does_not_lock_anybody_out(tmp_path: Path) -> None:
    assert Rates(tmp_path / "rates", 1, 1).take("a", 1e6) == 0.0
    assert Rates(tmp_path / "rates", 1, 1).take("a", 5.0) == 0.0
    assert Rates(tmp_path / "rates", 1, 1).take("a", 5.0) == pytest.approx(1.0, rel=0.01)


def test_many_callers_keep_their_own_buckets_in_bounded_room(tmp_path: Path) -> None:
    rates = Rates(tmp_path / "rates", 0.001, 1)
    size = (tmp_path / "rates").stat().st_size
    for i in range(20_000):
        assert rates.take(f"caller {i}", 10.0) == 0.0

    again = sum(rates.take(f"caller {i}", 10.0) == 0 for i in range(20_000))
    assert again < 20, "those that found no place among so many are let in rather than locked out"
    assert (tmp_path / "rates").stat().st_size == size


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("192.0.2.7", "192.0.2.7"), ("", ""), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::/64"), ("no:address", "no:address"),
    ],
)  # fmt: skip
def test_what_stands_for_a_client(address: str, same: str) -> None:
    assert network(address) == same


def test_a_limit_is_right_over_two_workers_and_its_time_is_honest(store: Store, digits8: Data) -> None:
    image = np.ascontiguousarray(digits8.test_x[0]).tobytes()
    with running(store.root, "--workers", "2", "--rate-limit", "20", "--rate-burst", "10") as server:
        time.sleep(1)
        codes: Counter[int] = Counter()
        began, until = time.monotonic(), time.monotonic() + 3

        def ask_on() -> None:
            while time.monotonic() < until:  # a new connection each time, so that both workers are met
                codes[requests.post(server.url + "/predict/digits8", data=image, timeout=10).status_code] += 1

        threads = [threading.Thread(target=ask_on) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
        while (refused := requests.get(server.url + "/monitor", timeout=10)).status_code == 200:
            pass
        time.sleep(int(refused.headers["Retry-After-Ms"]) / 1000 + 0.005)
        assert requests.get(server.url + "/monitor", timeout=10).status_code == 200
        assert [requests.get(server.url + "/healthz", timeout=10).status_code for _ in range(30)] == [200] * 30
        time.sleep(1)
        found = server.metrics()

    assert set(codes) == {200, 429}
    assert codes[429] > codes[200]
    assert 20 * seconds * 0.85 <= codes[200] <= 20 * seconds + 10 + 2, (codes, seconds)
    assert found['veleta_rejected_requests_total{reason="rate_limit"}'] >= codes[429]
    assert found['veleta_rejected_requests_total{reason="queue_full"}'] == 0


def test_a_key_has_its_own_limit_and_guessing_has_one_too(store: Store) -> None:
    (store.root.parent / "keys").write_text(line("anna", ANNA) + line("berta", OLD) + line("berta", NEW))
    settings = resolve(
        {"store": str(store.root), "api_keys_file": str(store.root.parent / "keys"), "rate_limit": 0.01, "rate_burst": 2}, {}, {}
    )[0]
    app = create_app(settings)
    try:
        asked = lambda key: app.test_client().get("/samples/iris", headers={"X-API-Key": key}).status_code  # noqa: E731
        assert [asked(ANNA) for _ in range(3)] == [200, 200, 429]
        assert [asked(OLD), asked(NEW), asked(NEW)] == [200, 200, 429]
        assert [asked(f"guess {i}") for i in range(3)] == [401, 401, 429]
    finally:
        app.extensions["veleta"].close()
