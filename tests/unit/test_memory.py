"""The LRU cache is bounded, and its byte count is right under concurrency."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookapi.http.cache import CACHE, OVERHEAD, RevisionCache
from helpers.inventions import bounded

EACH = 1000 - OVERHEAD  # what an entry is said to have, for it to take 1,000 bytes
THREADS, TURNS = 8, 500


def filled(room, *keys):
    """A memory that was given entries of 1,000 bytes."""
    made = RevisionCache(room)
    for key in keys:
        made.put(key, 1, f"value of {key}", EACH)
    return made


def held(made, keys):
    """Those of the keys that are in a memory; asking makes them the newest, in this order."""
    return [key for key in keys if made.get(key) is not None]


def test_a_stored_value_is_returned_with_its_state(app):
    made = filled(10_000, "a", "b")
    assert made.get("a") == ("value of a", 1, 1000)
    assert (made.get("c"), len(made), made.used) == (None, 2, 2000)


def test_an_app_has_its_own_cache_of_the_configured_size(make_app):
    one, other = make_app(ANSWER_CACHE_BYTES=12345), make_app()
    one, other = one.extensions[CACHE], other.extensions[CACHE]
    assert one is not other and (one.max_bytes, other.max_bytes) == (12345, 16 * 1024 * 1024)


@pytest.mark.parametrize(
    "room, kept",
    [
        (0, ""),
        (511, ""),
        (999, ""),
        (1000, "e"),
        (1999, "e"),
        (2000, "de"),
        (4999, "bcde"),
        (5000, "abcde"),
    ],
)
def test_the_cache_never_exceeds_its_size(room, kept):
    made = filled(room, *"abcde")
    assert held(made, "abcde") == list(kept)
    assert made.used == 1000 * len(kept) <= room


def test_the_least_recently_used_value_is_evicted_first():
    made = filled(3000, *"abc")
    made.get("a")
    made.put("d", 1, "value of d", EACH)
    assert held(made, "abcd") == ["a", "c", "d"]
    made.put("a", 2, "newer", EACH)  # being replaced is being used, too
    made.put("e", 1, "value of e", EACH)
    assert held(made, "abcde") == ["a", "d", "e"]


def test_reading_a_missing_key_changes_nothing():
    made = filled(2000, *"ab")
    assert held(made, "xyz") == []
    made.put("c", 1, "value of c", EACH)
    assert (held(made, "abc"), len(made)) == (["b", "c"], 2)


@pytest.mark.parametrize(
    "size, used", [(EACH, 3000), (EACH + 500, 3500), (0, 2000 + OVERHEAD), (EACH + 2000, 5000)]
)
def test_a_replaced_value_is_not_counted_twice(size, used):
    made = filled(5000, *"abc")
    made.put("b", 7, "newer", size)
    assert (made.get("b"), made.used) == (("newer", 7, size + OVERHEAD), used)
    assert len(made) == 3


def test_a_larger_replacement_evicts_older_values():
    made = filled(3000, *"abc")
    made.put("b", 2, "grown", EACH + 1000)
    assert held(made, "abc") == ["b", "c"]
    made.put("c", 2, "all there is", EACH + 2000)
    assert (held(made, "abc"), made.used) == (["c"], 3000)


def test_a_value_larger_than_the_cache_evicts_nothing():
    made = filled(3000, *"abc")
    made.put("d", 1, "too large", EACH + 2001)
    assert (held(made, "abcd"), made.used) == (list("abc"), 3000)


def test_a_cache_of_size_zero_is_empty():
    made = RevisionCache(0)
    for size in (0, 1, 10**9):
        made.put("a", 1, b"", size)
    assert (made.get("a"), len(made), made.used) == (None, 0, 0)


_KEYS = st.integers(0, 5)
_STEPS = st.lists(st.tuples(_KEYS, st.none() | st.integers(0, 2500)), max_size=60)


@bounded
@given(steps=_STEPS, room=st.sampled_from([0, 600, 1500, 3000, 5000]))
def test_the_cache_behaves_like_a_list_of_the_newest_values(steps, room):
    made, plain = RevisionCache(room), []  # (key, size), the newest last
    for turn, (key, size) in enumerate(steps):
        known = [entry for entry in plain if entry[0] == key]
        if size is None:
            assert (made.get(key) is not None) == bool(known)
            plain = [entry for entry in plain if entry[0] != key] + known
        elif size + OVERHEAD <= room:
            plain = [entry for entry in plain if entry[0] != key] + [(key, size + OVERHEAD)]
            while sum(taken for _, taken in plain) > room:
                del plain[0]
        if size is not None:
            made.put(key, turn, turn, size)
        assert (made.used, len(made)) == (sum(taken for _, taken in plain), len(plain))


class Key(int):
    """A key at which a thread gives way to the others, right in the middle of what it does."""

    def __hash__(self):
        time.sleep(0)
        return super().__hash__()


@pytest.mark.slow
def test_concurrent_threads_keep_the_byte_count_right():
    room, keys, together = 4000, [Key(number) for number in range(6)], threading.Barrier(THREADS)
    made = RevisionCache(room)

    def work(thread):
        together.wait(10)
        for turn in range(TURNS):
            key, size = keys[turn // 3 % len(keys)], (turn * 7 + thread) % 1500
            if turn % 2:
                made.put(key, turn, (key, size + OVERHEAD), size)
            else:
                entry = made.get(key)
                assert entry is None or entry.value == (key, entry.size), "the value of another"

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    there = [made.get(key) for key in keys if made.get(key) is not None]
    assert (made.used, len(made)) == (sum(entry.size for entry in there), len(there))
    assert 0 < made.used <= room
