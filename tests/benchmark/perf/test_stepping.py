"""Training that waits after every step."""

import threading

import pytest

from benchmark.perf.stepping import Stepper


def test_it_goes_one_step_at_a_time_and_tidies_up_at_the_end():
    done = []

    def train(after_step):
        try:
            while True:
                done.append(len(done))
                after_step()
        finally:
            done.append("tidied")

    stepper = Stepper(train)
    assert done == []
    for steps in (1, 2, 3):
        stepper.step()
        assert len(done) == steps
    before = threading.active_count()
    stepper.close()
    assert done == [0, 1, 2, "tidied"]
    assert threading.active_count() == before - 1


def test_an_error_of_the_training_is_raised_by_the_step():
    def train(after_step):
        after_step()
        raise ArithmeticError("the loss is nan")

    stepper = Stepper(train)
    stepper.step()
    with pytest.raises(ArithmeticError, match="the loss is nan"):
        stepper.step()
    with pytest.raises(RuntimeError, match="has ended"):
        stepper.step()
    stepper.close()


def test_a_training_that_is_over_too_early_is_an_error():
    stepper = Stepper(lambda after_step: after_step())
    stepper.step()
    with pytest.raises(RuntimeError, match="must be given more steps"):
        stepper.step()


def test_closing_before_the_first_step_trains_nothing():
    done = []
    Stepper(lambda after_step: done.append(1)).close()
    assert done == []
