import pytest

from benchmark.executors import Job
from benchmark.order import PriorOrder, leaders_first, prior_set
from tests.benchmark.made_up_cells import made_up


def named(cell):
    return prior_set(cell.to_json())


def test_cells_of_one_class_backbone_and_sampling_share_prior_images():
    cell = made_up("dreambooth", prior_images=24)
    assert named(cell) == named(made_up("dreambooth-lora", seed=3, prior_images=200))
    assert named(made_up("textboost")) is None
    off = {"prior_images": 24, "prior_preservation": False}
    assert named(made_up("dreambooth", settings=off)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"class_noun": "cat"},
        {"backbone_revision": "other"},
        {"resolution": 64},
        {"prior": {"steps": 20, "guidance_scale": 7.5, "sampler": "default"}},
        {"compute": {"precision": "fp16"}},
    ],
)
def test_other_prior_images_are_another_set(change):
    assert named(made_up(prior_images=24)) != named(made_up(prior_images=24, **change))


def test_the_first_of_every_set_comes_first_and_the_rest_stays_in_order():
    cells = [
        made_up("base"),
        made_up("dreambooth", prior_images=24),
        made_up("custom-diffusion", prior_images=24),
        made_up("base", "cat"),
        made_up("dreambooth", "cat", prior_images=24),
    ]
    order = [cells.index(cell) for cell in leaders_first(cells)]
    assert order == [1, 4, 0, 2, 3]


class Heard:
    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *about: self.calls.append((name, *about))


def job(cell):
    return Job(cell.key, cell.label, "run", cell.to_json(), 1, 1, 1)


def test_followers_are_put_off_until_the_first_one_trains():
    first, second = (job(made_up("dreambooth", seed=s, prior_images=24)) for s in (0, 1))
    cat, base = job(made_up("dreambooth", "cat", prior_images=24)), job(made_up("base"))
    order = PriorOrder(Heard())
    assert not order.put_off(first)
    order.started(first)
    for stage in ("load", "prepare"):
        order.progressed(first, stage, 0, 0)
        assert [order.put_off(other) for other in (second, cat, base)] == [True, False, False]
    order.progressed(first, "train", 0, 10)
    assert not order.put_off(second)
    order.started(second)
    third = job(made_up("dreambooth", seed=2, prior_images=24))
    assert not order.put_off(third)  # what the method needs is there


def test_another_method_of_the_set_may_word_its_prompt_differently():
    order = PriorOrder(Heard())
    first = job(made_up("dreambooth", prior_images=24))
    order.started(first)
    order.progressed(first, "train", 0, 10)
    custom = [job(made_up("custom-diffusion", seed=s, prior_images=24)) for s in (0, 1)]
    order.started(custom[0])
    assert order.put_off(custom[1])


def test_when_the_first_one_fails_the_next_makes_the_images():
    order = PriorOrder(Heard())
    jobs = [job(made_up("dreambooth", seed=s, prior_images=24)) for s in (0, 1, 2)]
    order.started(jobs[0])
    order.ended(jobs[0], -9)
    assert not order.put_off(jobs[1])
    order.started(jobs[1])
    assert order.put_off(jobs[2])


def test_the_watcher_behind_hears_everything():
    heard = Heard()
    order = PriorOrder(heard)
    mine = job(made_up("dreambooth", prior_images=24))
    order.started(mine)
    order.progressed(mine, "prepare", 1, 3)
    order.ended(mine, 0)
    order.waiting(2)
    assert heard.calls == [
        ("started", mine),
        ("progressed", mine, "prepare", 1, 3),
        ("ended", mine, 0),
        ("waiting", 2),
    ]
