"""A mailbox holds one picture: live the newest, from a file the next."""

from __future__ import annotations

import threading

from stream.capture.mailbox import Mailbox
from stream.message import NewPicture, SourceEnded, SourceLost, SourceOpened
from tests.stream.pictures import picture

OPENED = SourceOpened("front", "live", "a source")


def mailbox() -> Mailbox:
    return Mailbox(threading.Condition())


def test_live_the_newest_picture_replaces_the_older_and_counts_it() -> None:
    box = mailbox()
    for number in range(4):
        box.put("front", picture(number), "live")
    offer = box.take(credit=1)
    assert isinstance(offer, NewPicture)
    assert (offer.picture.pts_ns, offer.superseded) == (picture(3).pts_ns, 3)
    assert box.take(credit=1) is None


def test_events_keep_their_order_among_the_pictures() -> None:
    box = mailbox()
    box.put_event(OPENED)
    box.put("front", picture(0), "live")
    box.put_event(SourceLost("front", "gone"))
    box.put_event(OPENED)
    box.put("front", picture(1), "live")
    assert [type(box.take(credit=1)) for _ in range(5)] == [
        SourceOpened,
        NewPicture,
        SourceLost,
        SourceOpened,
        NewPicture,
    ]


def test_a_picture_waits_for_credit_and_events_do_not() -> None:
    box = mailbox()
    box.put_event(OPENED)
    box.put("front", picture(0), "live")
    assert isinstance(box.take(credit=0), SourceOpened)
    assert box.take(credit=0) is None
    assert isinstance(box.take(credit=1), NewPicture)


def test_a_file_waits_until_its_picture_was_taken() -> None:
    box, put = mailbox(), []

    def read() -> None:
        for number in range(3):
            put.append(box.put("front", picture(number), "file"))
        box.put_event(SourceEnded("front"))

    reader = threading.Thread(target=read)
    reader.start()
    taken = [box.take(credit=1, timeout_s=10) for _ in range(4)]
    reader.join(10)
    assert [type(item) for item in taken] == [NewPicture, NewPicture, NewPicture, SourceEnded]
    assert all(isinstance(item, SourceEnded) or item.superseded == 0 for item in taken if isinstance(item, NewPicture))
    assert put == [True, True, True]


def test_a_reader_that_waits_is_freed_when_nothing_is_wanted_any_more() -> None:
    box, wanted = mailbox(), []
    box.put("front", picture(0), "file")
    reader = threading.Thread(target=lambda: wanted.append(box.put("front", picture(1), "file")))
    reader.start()
    box.close()
    reader.join(10)
    assert wanted == [False]
