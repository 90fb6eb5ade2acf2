"""The tables of errors are complete."""

import grpc

from skysail.control import errors
from skysail.control.errors import GRPC_CODES, HTTP_STATUSES, Kind, SkysailError


def test_every_kind_has_a_grpc_code_and_an_http_status() -> None:
    assert set(GRPC_CODES) == set(HTTP_STATUSES) == set(Kind)


def test_the_codes_are_those_of_grpc() -> None:
    for kind, code in GRPC_CODES.items():
        status = next(status for status in grpc.StatusCode if status.value[0] == code)
        assert status.name == kind.name
    assert len(GRPC_CODES) == len(grpc.StatusCode)


def test_only_success_is_an_http_success() -> None:
    assert [kind for kind, status in HTTP_STATUSES.items() if status < 400] == [Kind.OK]


def test_every_error_of_the_tree_has_a_kind_and_is_public() -> None:
    def below(root: type[SkysailError]) -> set[type[SkysailError]]:
        return {root}.union(*(below(child) for child in root.__subclasses__()))

    tree = {error.__name__ for error in below(SkysailError) if error.__module__ == errors.__name__}
    assert tree <= set(errors.__all__)
    assert all(name in (errors.__doc__ or "") for name in tree)


def test_a_kind_that_a_newer_peer_made_up_is_unknown() -> None:
    assert Kind.of("Teapot") is Kind.UNKNOWN
    assert Kind.of("NotFound") is Kind.NOT_FOUND
