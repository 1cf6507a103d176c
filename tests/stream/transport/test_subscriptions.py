"""What subscribers ask for is remembered by camera, and within bounds whatever they ask for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.transport import protocol
from stream.transport.protocol import Topic
from stream.transport.subscriptions import MAX_EARLY, MAX_TOPICS, Subscriptions

PARTS = Topic("front", ("parts",), "raw")


def test_topics_of_known_cameras_are_found_by_camera() -> None:
    asked = Subscriptions("raw", ["front", "side"])
    assert asked.add(b"front/parts/raw")
    assert asked.add(b"front/parts")
    assert asked.of("front") == [PARTS]
    assert asked.of("side") == []
    assert asked.wanted == {"front"}
    asked.remove(b"front/parts")
    assert asked.of("front") == [PARTS]
    asked.remove(b"front/parts/raw")
    assert asked.of("front") == []
    assert asked.wanted == frozenset()


def test_a_camera_may_be_asked_for_before_there_is_one() -> None:
    asked = Subscriptions("raw")
    asked.add(b"front/parts/raw")
    assert asked.of("front") == []
    assert asked.wanted == {"front"}
    asked.know("front")
    asked.know("front")
    assert asked.of("front") == [PARTS]
    asked.forget("front")
    assert asked.wanted == frozenset()


def test_of_cameras_that_are_not_known_only_the_newest_wait() -> None:
    asked = Subscriptions("raw", ["side"])
    asked.add(b"side/parts/raw")
    for number in range(MAX_EARLY + 5):
        asked.add(f"invented-{number}/parts/raw".encode())
    assert len(asked.wanted) == 1 + MAX_EARLY
    asked.know("invented-0")
    assert asked.of("invented-0") == []
    asked.know(f"invented-{MAX_EARLY}")
    assert len(asked.of(f"invented-{MAX_EARLY}")) == 1


def test_a_camera_has_so_many_topics_and_no_more() -> None:
    asked = Subscriptions("raw", ["front"])
    topics = [f"front/{kind}/{encoding}" for kind in protocol.KINDS for encoding in protocol.ENCODINGS]
    topics += [f"front/cutout+{kind}/{encoding}" for kind in protocol.KINDS[1:] for encoding in protocol.ENCODINGS]
    taken = [asked.add(topic.encode()) for topic in topics]
    assert taken == [True] * MAX_TOPICS + [False] * (len(topics) - MAX_TOPICS)
    asked.remove(topics[0].encode())
    assert asked.add(topics[-1].encode())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "know", "forget"]),
            st.sampled_from(["front", "side", "", "\xff", "a" * 300]),
            st.sampled_from(["/parts", "/parts/raw", "/alpha/png", "/stats", "/", ""]) | st.text(max_size=3),
        )
    )
)
def test_in_any_order_what_is_wanted_is_what_was_asked_for(words: list[tuple[str, str, str]]) -> None:
    asked = Subscriptions("raw", ["front"])
    for what, camera, rest in words:
        if what == "add":
            asked.add((camera + rest).encode())
        elif what == "remove":
            asked.remove((camera + rest).encode())
        elif what == "know":
            asked.know(camera)
        else:
            asked.forget(camera)
        for name in ("front", "side"):
            topics = asked.of(name)
            assert len(topics) <= MAX_TOPICS
            assert not topics or name in asked.wanted
