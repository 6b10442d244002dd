import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import UserError
from benchmark.order import prior_set
from benchmark.shards import Shard, parse_shard, split
from tests.benchmark.made_up_cells import made_up

METHODS = st.sampled_from([("base", 0), ("dreambooth", 24), ("custom-diffusion", 24)])
CELLS = st.lists(st.tuples(METHODS, st.sampled_from(["dog", "cat", "boot"])), max_size=40).map(
    lambda chosen: [
        made_up(method, noun, seed, images) for seed, ((method, images), noun) in enumerate(chosen)
    ]
)


@given(CELLS, st.integers(1, 12))
def test_shards_are_equal_whole_and_in_the_plans_order(cells, count):
    parts = split(cells, count)
    assert len(parts) == count
    assert sorted(c.train_seed for part in parts for c in part) == [c.train_seed for c in cells]
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for part in parts:
        assert [c.train_seed for c in part] == sorted(c.train_seed for c in part)
    assert parts == split(list(cells), count)
    assert [Shard(number, count).of(cells) for number in range(1, count + 1)] == parts


def test_cells_of_one_set_of_prior_images_stay_together():
    cells = [
        made_up(method, noun, seed, images)
        for seed in (0, 1)
        for noun in ("dog", "cat", "boot", "bear")
        for method, images in (("base", 0), ("textboost", 0), ("dreambooth", 24), ("custom", 24))
    ]
    for count in (2, 4):
        parts = split(cells, count)
        homes = {}
        for number, part in enumerate(parts):
            for cell in part:
                if name := prior_set(vars(cell)):
                    homes.setdefault(name, set()).add(number)
        assert len(homes) == 4
        assert all(len(numbers) == 1 for numbers in homes.values())
        # What is left is dealt out: no shard is all of one method.
        assert all({"base", "textboost"} & {cell.method for cell in part} for part in parts)


def test_a_set_larger_than_a_shard_is_divided():
    cells = [made_up("dreambooth", "dog", seed, 24) for seed in range(7)]
    assert [len(part) for part in split(cells, 3)] == [3, 2, 2]


def test_a_shard_is_read_as_i_of_n():
    assert parse_shard("2/8") == Shard(2, 8)
    assert str(parse_shard("8/8")) == "8/8"
    for text in ("0/8", "9/8", "8", "a/b", "1/0", "-1/2", "1/2/3", "", "1/9999999"):
        with pytest.raises(UserError, match="expected i/N with i from 1 to N"):
            parse_shard(text)
