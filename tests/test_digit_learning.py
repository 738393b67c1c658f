"""How a task on digits is learned, and what its score says."""

import pytest
import torch

from sculpt_plugin.tasks.digit_learning import digit_learning, right_digits
from sculpt_plugin.tasks.digits import DigitTask, DigitTaskName, Samples
from sculpt_plugin.tasks.learning import right_bits


def samples(images: int, outputs: int) -> Samples:
    pixels = torch.randint(0, 256, (images, 1568), dtype=torch.uint8)
    return Samples(pixels, torch.randint(0, 2, (images, outputs)).float())


def task(name: DigitTaskName = "digits-hierarchical", outputs: int = 3) -> DigitTask:
    return DigitTask(name, samples(6, outputs), samples(4, outputs))


def logits(left: int, right: int) -> list[float]:
    """What a network says that takes the digits for these."""
    said = [-1.0] * 20
    said[left] = said[10 + right] = 2.0
    return said


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ([(3, 7), (0, 9)], 1.0),
        ([(3, 7), (0, 1)], 0.75),
        # The digits of the other side do not count.
        ([(7, 3), (9, 0)], 0.0),
        ([(3, 1), (1, 9)], 0.5),
    ],
)
def test_digits_that_are_told_right_are_counted_side_by_side(said, share):
    bits = torch.zeros(2, 20)
    bits[0, [3, 17]] = bits[1, [0, 19]] = 1
    found = right_digits(torch.tensor([logits(*pair) for pair in said]), bits)
    assert found.item() == share


def test_the_largest_output_is_what_is_said_whatever_its_sign():
    bits = torch.zeros(1, 20)
    bits[0, [4, 14]] = 1
    said = torch.full((1, 20), -5.0)
    said[0, [4, 14]] = -4.0
    assert right_digits(said, bits).item() == 1


def test_a_network_that_says_nothing_tells_a_tenth_of_all_digits():
    bits = torch.cat([torch.eye(10), torch.eye(10)], dim=1)
    assert right_digits(torch.zeros(10, 20), bits).item() == pytest.approx(0.1)


def test_pixels_are_from_0_to_1_and_the_task_is_left_alone():
    made = task()
    before = made.training.pixels.clone()
    recipe = digit_learning(made)
    torch.testing.assert_close(recipe.inputs, before / 255)
    torch.testing.assert_close(recipe.checked_on[0], made.validation.pixels / 255)
    assert recipe.checked_on[1] is made.validation.bits
    assert torch.equal(made.training.pixels, before)


def test_each_task_has_a_score_of_its_own():
    assert digit_learning(task()).score is right_bits
    assert digit_learning(task("digits-pair", 20)).score is right_digits


def test_what_is_asked_for_is_in_the_recipe():
    recipe = digit_learning(
        task(), early_accept=0.9, first_epochs=2, epochs=3, batch_size=5, seed=4
    )
    assert recipe.early_accept == 0.9
    assert (recipe.first_epochs, recipe.epochs) == (2, 3)
    assert (recipe.batch_size, recipe.seed) == (5, 4)


def test_the_rate_falls_to_a_fiftieth():
    recipe = digit_learning(task(), learning_rate=0.5)
    assert recipe.rate(600, 600) == pytest.approx(0.01)


def test_the_rate_rises_for_200_steps():
    recipe = digit_learning(task(), learning_rate=0.5)
    rates = [recipe.rate(step, 10**6) for step in (50, 100, 200, 400)]
    assert rates == pytest.approx([0.125, 0.25, 0.5, 0.5], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "outputs", "strength"),
    [("digits-hierarchical", 3, 3e-5), ("digits-pair", 20, 4.5e-6)],
)
def test_the_outputs_share_one_l1_penalty(name, outputs, strength):
    recipe = digit_learning(task(name, outputs))
    assert recipe.l1_decay == pytest.approx(strength)
    assert digit_learning(task(name, outputs), l1_decay=0.5).l1_decay == 0.5
