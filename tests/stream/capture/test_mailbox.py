"""A mailbox holds one picture: live the newest, from a file the next."""

from __future__ import annotations

import threading

from stream.capture.mailbox import Mailbox
from stream.message import Ended, Lost, Offer, Opened
from tests.stream.pictures import picture

OPENED = Opened("front", "live", "a source")


def mailbox() -> Mailbox:
    return Mailbox(threading.Condition())


def test_live_the_newest_picture_replaces_the_older_and_counts_it() -> None:
    box = mailbox()
    for number in range(4):
        box.put("front", picture(number), "live")
    offer = box.take(pictures=1)
    assert isinstance(offer, Offer)
    assert (offer.picture.pts_ns, offer.superseded) == (picture(3).pts_ns, 3)
    assert box.take(pictures=1) is None


def test_news_keeps_its_place_among_the_pictures() -> None:
    box = mailbox()
    box.tell(OPENED)
    box.put("front", picture(0), "live")
    box.tell(Lost("front", "gone"))
    box.tell(OPENED)
    box.put("front", picture(1), "live")
    assert [type(box.take(pictures=1)) for _ in range(5)] == [Opened, Offer, Lost, Opened, Offer]


def test_a_picture_waits_for_room_and_news_before_it_does_not() -> None:
    box = mailbox()
    box.tell(OPENED)
    box.put("front", picture(0), "live")
    assert isinstance(box.take(pictures=0), Opened)
    assert box.take(pictures=0) is None
    assert isinstance(box.take(pictures=1), Offer)


def test_a_file_waits_until_its_picture_was_taken() -> None:
    box, put = mailbox(), []

    def read() -> None:
        for number in range(3):
            put.append(box.put("front", picture(number), "file"))
        box.tell(Ended("front"))

    reader = threading.Thread(target=read)
    reader.start()
    taken = [box.take(pictures=1, timeout_s=10) for _ in range(4)]
    reader.join(10)
    assert [type(item) for item in taken] == [Offer, Offer, Offer, Ended]
    assert all(isinstance(item, Ended) or item.superseded == 0 for item in taken if isinstance(item, Offer))
    assert put == [True, True, True]


def test_a_reader_that_waits_is_freed_when_nothing_is_wanted_any_more() -> None:
    box, wanted = mailbox(), []
    box.put("front", picture(0), "file")
    reader = threading.Thread(target=lambda: wanted.append(box.put("front", picture(1), "file")))
    reader.start()
    box.close()
    reader.join(10)
    assert wanted == [False]
