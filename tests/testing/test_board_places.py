"""Who has to make room for whom."""

from contextlib import ExitStack

from tinydeploy.testing.places import Room


class Guest:
    """Somebody in a room."""

    def __init__(self, room):
        self.room = room
        self.stay = ExitStack()
        self.is_in = False

    def enter(self):
        self.stay.enter_context(self.room.admitted(self))
        self.is_in = True

    def suspend(self):
        self.is_in = False
        self.stay.close()


def test_the_first_one_makes_room():
    room = Room(2)
    guests = [Guest(room) for _ in range(3)]
    for guest in guests:
        guest.enter()
    assert [guest.is_in for guest in guests] == [False, True, True]
    guests[0].enter()
    assert [guest.is_in for guest in guests] == [True, False, True]


def test_a_room_is_cleared_of_all():
    room = Room(3)
    guests = [Guest(room) for _ in range(3)]
    for guest in guests:
        guest.enter()
    room.clear()
    assert not any(guest.is_in for guest in guests)
    guests[0].enter()
    assert guests[0].is_in
