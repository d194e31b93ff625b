"""Rewordings share bands; other problems rarely do, and never pass the exact comparison."""

import random

from ucoder.core.near_duplicates import jaccard, minhash_bands, shingles

TEXT = " ".join(random.Random(1).choices([f"word{i}" for i in range(400)], k=80))


def test_equal_sets_share_every_band_and_order_does_not_matter() -> None:
    assert minhash_bands(shingles(TEXT)) == minhash_bands(sorted(shingles(TEXT.upper()), reverse=True))


def test_one_changed_word_in_eighty_is_found() -> None:
    changed = TEXT.split()
    changed[40] = "other"
    one, other = shingles(TEXT), shingles(" ".join(changed))
    assert jaccard(one, other) > 0.9
    assert set(minhash_bands(one)) & set(minhash_bands(other))


def test_the_share_of_pairs_found_follows_the_curve() -> None:
    """Sets of 100 with 82 in common (Jaccard 0.69): 1 - (1 - j^4)^8 is 0.87."""
    found = 0
    for seed in range(200):
        names = [f"{seed}/{i}" for i in range(118)]
        found += bool(set(minhash_bands(names[:100])) & set(minhash_bands(names[18:])))
    assert 0.80 < found / 200 < 0.94


def test_short_and_empty_texts() -> None:
    assert shingles("add k") == {"add k"}
    assert jaccard(shingles(""), shingles("")) == 1.0
    assert len(minhash_bands(shingles(""))) == 8
