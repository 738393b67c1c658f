"""One side works while the other waits, and either can end it."""

import threading

import pytest

from sculpt_plugin.handover import Handover, Stopped


def test_the_function_asks_and_goes_on_with_the_answers():
    handover = Handover(lambda ask: [ask("a"), ask("b")])
    heard = []
    while not handover.finished:
        heard.append(handover.question)
        handover.answer(len(heard))
    assert heard == ["a", "b"]
    assert handover.result == [1, 2]


def test_a_function_without_questions_has_ended_at_once():
    handover = Handover(lambda ask: 7)
    assert handover.finished
    assert handover.result == 7


def test_only_one_side_works_at_a_time():
    order = []

    def work(ask):
        for number in range(50):
            order.append(("theirs", number))
            ask(number)

    handover = Handover(work)
    for number in range(50):
        order.append(("ours", number))
        handover.answer(None)
    expected = [(side, n) for n in range(50) for side in ("theirs", "ours")]
    assert order == expected


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt("stop")])
def test_what_the_function_raises_is_raised_where_it_was_answered(error):
    def work(ask):
        ask("first")
        raise error

    handover = Handover(work)
    with pytest.raises(type(error), match=str(error)):
        handover.answer(None)
    assert handover.finished


def test_what_is_raised_before_any_question_is_raised_at_the_start():
    def work(ask):
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        Handover(work)


def test_closing_lets_the_function_tidy_up_and_ends_its_thread():
    tidied = []

    def work(ask):
        try:
            ask("never answered")
        finally:
            tidied.append(True)

    before = threading.active_count()
    handover = Handover(work)
    handover.close()
    assert tidied == [True]
    assert handover.finished
    assert threading.active_count() == before


def test_closing_cannot_be_taken_for_an_error_of_the_work():
    assert not issubclass(Stopped, Exception)


def test_closing_twice_or_after_the_end_does_nothing():
    handover = Handover(lambda ask: ask("a"))
    handover.answer(1)
    handover.close()
    handover.close()
    assert handover.result == 1
