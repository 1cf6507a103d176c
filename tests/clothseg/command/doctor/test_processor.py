"""Instruction sets, memory and the engine, as this machine has them."""

from __future__ import annotations

import pytest

from clothseg.command.doctor import processor
from clothseg.engines.choice import choose_engine, this_host


def test_instruction_sets_are_read_from_the_flags_of_linux() -> None:
    found = processor.instruction_sets(["fpu", "avx2", "avx512f", "avx_vnni"])
    assert found.found == "AVX2, AVX-512, VNNI; not AMX"
    assert found.advice == ""


def test_a_processor_without_quick_int8_is_told_what_helps() -> None:
    assert "fewer and smaller cameras" in processor.instruction_sets(["avx2"]).advice


@pytest.mark.parametrize(("available_mb", "state"), [(8000, "ok"), (900, "missing"), (None, "ok")])
def test_too_little_memory_for_one_stream_is_told(available_mb: int | None, state: str) -> None:
    assert processor.memory(available_mb).state == state


def test_the_engine_that_would_be_chosen_is_run() -> None:
    chosen, found = choose_engine("auto", "auto", this_host()), processor.engine()
    assert found.state == "ok"
    assert found.found.startswith(f"{chosen.engine} {chosen.precision}, ")
    assert chosen.reason in found.found
    assert "ms a picture" in found.found
