"""gRPC's public interoperability cases: grpcio and the native core, each as client and as server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.interop.conftest import Generated, run_native_case
from tests.interop.grpcio_client import CASES, Client
from tests.interop.tap import Tap, tapped

# What a case makes pass of messages that are large and compress to next to nothing: of each, one goes
# compressed and one as it is. The bytes of the latter alone are seen: from the client, from the server.
WIRE = {
    "client_compressed_unary": (271828, 2 * 314159),
    "server_compressed_unary": (2 * 271828, 314159),
    "client_compressed_streaming": (45904, 0),
    "server_compressed_streaming": (0, 92653),
}
# grpcio compresses a call of four messages, and sends the same four as they are in another.
WIRE_OF_GRPCIO = WIRE | {"client_compressed_streaming": (74922, 0)}
OVERHEAD_BYTES = 6000  # of frames, headers, and what the compressed ones come to


def skip_what_does_not_fit(server: tuple[str, str], case: str) -> None:
    if (server[0], case) == ("native", "custom_metadata"):
        pytest.skip("a native unary handler sends no metadata ahead of its answer; streams do")


def expect_passed(tap: Tap, expected: tuple[int, int]) -> None:
    for passed, plain in zip((tap.sent, tap.received), expected, strict=True):
        assert plain <= passed < plain + OVERHEAD_BYTES


@pytest.mark.parametrize("case", [case for case in CASES if case not in WIRE])
def test_grpcio_client(server: tuple[str, str], generated: Generated, case: str) -> None:
    skip_what_does_not_fit(server, case)
    client = Client(server[1], *generated)
    CASES[case](client)
    client.channel.close()


@pytest.mark.parametrize("case", WIRE)
def test_grpcio_client_compression(server: tuple[str, str], generated: Generated, case: str) -> None:
    with tapped(server[1]) as tap:
        client = Client(tap.address, *generated)
        CASES[case](client)
        client.channel.close()
    expect_passed(tap, WIRE_OF_GRPCIO[case])


@pytest.mark.parametrize("case", [case for case in CASES if case not in WIRE])
def test_native_client(server: tuple[str, str], programs: Path, case: str) -> None:
    skip_what_does_not_fit(server, case)
    run_native_case(programs, server[1], case)


@pytest.mark.parametrize("case", WIRE)
def test_native_client_compression(server: tuple[str, str], programs: Path, case: str) -> None:
    with tapped(server[1]) as tap:
        run_native_case(programs, tap.address, case)
    expect_passed(tap, WIRE[case])


def test_both_clients_have_the_same_cases_and_the_page_lists_them(root: Path, programs: Path) -> None:
    listed = subprocess.run(
        [str(programs / "interop_client"), "--gtest_list_tests"], capture_output=True, text=True, check=True
    ).stdout
    assert sorted(re.findall(r"^  (\w+)$", listed, flags=re.M)) == sorted(CASES)
    page = (root / "docs" / "interop.md").read_text()
    assert re.findall(r"^\| `(\w+)` \| run", page, flags=re.M) == list(CASES)
