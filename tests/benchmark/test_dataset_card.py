import pandas as pd
import pytest
from huggingface_hub import DatasetCard

from benchmark.dataset_card import Contents, card
from benchmark.errors import UserError
from benchmark.store import Run
from tests.reports.made_up import config


def contents(title="A made-up run", license=None, held_back=0, note="toy", pictures=1, **changes):
    row = {
        "file_name": "images/a/0000.png",
        "method": "textboost",
        "preset": "toy",
        "backbone": "toy",
        "dataset": "toyworld",
        "subject": "dog_a",
        "run_image": "x",
        "fidelity/unseen/toy-clip": 0.5,
    }
    rows = pd.DataFrame([row | changes] * pictures)
    made = config(["dog_a"], ["textboost"], title=title, dataset=changes.get("dataset", "toyworld"))
    run = Run(".", made, {}, {"backbone_note": note}, ())
    return Contents(run, rows, {"done": 1, "failed": 2, "pending": 3}, held_back, license)


def test_the_front_matter_is_what_the_hub_reads():
    data = DatasetCard(card(contents())).data
    assert data.license == "apache-2.0"
    assert data.task_categories == ["text-to-image"]
    assert "textboost-bench" in data.tags
    assert "toyworld" in data.tags
    assert data.size_categories == ["n<1K"]
    assert data.pretty_name == "A made-up run"


@pytest.mark.parametrize(("pictures", "size"), [(999, "n<1K"), (1000, "1K<n<10K")])
def test_the_size_is_that_of_the_pictures(pictures, size):
    assert DatasetCard(card(contents(pictures=pictures))).data.size_categories == [size]


@pytest.mark.parametrize(
    "title", ["a: b", "---", "- x", "'\"", "# h", "<script>alert(1)</script>", "[x](http://y)|z"]
)
def test_a_title_stays_a_title(title):
    text = card(contents(title=title, note=title))
    read = DatasetCard(text)
    assert read.data.pretty_name == title
    assert read.data.license == "apache-2.0"
    assert "<script>" not in read.text.replace(r"\<script\>", "")
    assert "](http://y)" not in read.text.replace(r"\]", "")


def test_a_licence_is_stated_or_unknown_but_never_guessed():
    assert DatasetCard(card(contents(license="openrail"))).data.license == "openrail"
    unknown = card(contents(dataset="dreambench"))
    assert DatasetCard(unknown).data.license == "unknown"
    assert "Not stated by whoever made this export" in unknown
    for odd in ("CC BY", "", "a\nb", "x" * 60):
        with pytest.raises(UserError, match="--license"):
            card(contents(license=odd))


def test_dreambench_is_attributed():
    text = card(contents(dataset="dreambench", held_back=8))
    for part in ("Nataniel Ruiz", "Kfir Aberman", "CC BY 4.0", "arXiv 2208.12242"):
        assert part in text
    assert "https://github.com/google/dreambooth" in text
    assert "None of the photos is in this dataset" in text
    assert "The control copy's pictures, 8, are left out" in text
    assert "Nataniel Ruiz" not in card(contents())


def test_photos_of_the_users_own_are_told_and_not_tagged():
    text = card(contents(dataset="photos-rex-0123456789ab"))
    assert "photos of whoever made the run" in text
    assert not [tag for tag in DatasetCard(text).data.tags if "rex" in tag]


def test_what_is_missing_and_what_columns_mean_is_told():
    text = card(contents(method="base"))
    assert "Of 6 planned cells" in text
    assert "1 are done, 2 failed and 3 are pending" in text
    assert "`fidelity/unseen/toy-clip`" in text
    assert "| base (control) | toy | 1 | 1 |" in text
    assert "\n1 picture of 1 subject by 1 control for " in text
