"""Amounts of memory as people write them."""

import pytest

from skysail.control.errors import InvalidArgument
from skysail.control.sizes import parse_mib


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("0", 0),
        ("512MiB", 512),
        ("512Mi", 512),
        ("2GiB", 2048),
        ("1.5Gi", 1536),
        ("1TiB", 1 << 20),
        ("1GB", 954),
        ("1G", 954),
        ("1KiB", 1),
        ("2 GiB", 2048),
    ],
)
def test_units_of_1024_and_of_1000_are_told_apart(text: str, mib: int) -> None:
    assert parse_mib(text, option="--memory") == mib


@pytest.mark.parametrize("text", ["", "2", "GiB", "-1GiB", "2 gigs", "1e3MiB", "2GiBB", "0x10MiB"])
def test_what_is_no_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--memory: write a number and a unit, such as 512MiB"):
        parse_mib(text, option="--memory")
