"""What `skysail.native` offers on its own."""

from __future__ import annotations

import skysail.native as native


def test_every_public_name_exists_and_says_what_it_is() -> None:
    assert sorted(native.__all__) == native.__all__
    for name in native.__all__:
        assert (getattr(native, name).__doc__ or "").strip(), name


def test_every_method_of_the_core_is_documented() -> None:
    undocumented = [
        f"{name}.{method}"
        for name in native.__all__
        for method, value in vars(getattr(native, name)).items()
        if not method.startswith("_") and callable(value) and "\n\n" not in (value.__doc__ or "")
    ]
    assert undocumented == []
