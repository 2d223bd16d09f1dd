"""Tasks of an asgi worker that serve one request after the other: nobody can tell."""

import sys

import pytest
from fakeasgi import Shop

counts = hasattr(sys, "getrefcount")


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def shop(request):
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    with Shop("asgi_traces:app", quiet=False, asgi_loop=request.param) as s:
        yield s


@pytest.mark.skipif(not counts, reason="without reference counts a task is used once")
@pytest.mark.parametrize("kind", ["nothing", "waits", "sets_and_resets"])
def test_a_task_goes_on_with_the_next_request(shop, kind):
    assert len({shop.get(kind).body for _ in range(5)}) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "variable",
        "variable_after_waiting",
        "reference",
        "reference_after_waiting",
        "weak_key",
        pytest.param(
            "swallowed_cancellation",
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="leaves nothing there"),
        ),
        "pending_cancellation",
        "callback",
        "name",
    ],
)
def test_a_task_that_a_request_left_something_on_ends(shop, kind):
    """No later request may see the variables, sessions or cancellation of one before it."""
    for _ in range(3):
        before = shop.get(kind)
        assert before.status == 200
        after = shop.get("nothing")
        assert after.status == 200 and after.body != before.body
    if kind == "callback":
        assert shop.get("told").status == 200


def test_a_failed_request_takes_its_task_along(shop):
    before = shop.get("nothing").body
    assert shop.get("no_such").status == 500
    assert shop.get("nothing").body != before or not counts


def test_requests_at_the_same_time_have_tasks_of_their_own(shop):
    numbers = [shop.ask("waits") for _ in range(100)]
    names = {shop.answer(number).body for number in numbers}
    assert len(names) > 1  # how many wait at a time, nobody knows
    assert shop.get("nothing").status == 200


def test_resting_tasks_can_be_cancelled(shop):
    for number in [shop.ask("waits") for _ in range(20)]:
        shop.answer(number)
    assert shop.get("all_cancelled").status == 200
    assert shop.get("nothing").status == 200


def test_a_worker_leaves_with_tasks_that_rest():
    with Shop("asgi_traces:app") as shop:
        for number in [shop.ask("waits") for _ in range(20)]:
            shop.answer(number)
        assert shop.worker.retire() == 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="has no eager tasks")
def test_eager_tasks_do_not_go_on():
    """Who makes one has a reference to it while it begins, which hides one that is kept."""
    with Shop("asgi_traces:eager") as shop:
        for kind in ("nothing", "waits", "reference", "reference_after_waiting", "variable"):
            before = shop.get(kind)
            after = shop.get("nothing")
            assert before.status == after.status == 200 and after.body != before.body, kind
