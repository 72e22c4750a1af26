"""A call in a process of its own: ended wherever it is, and nothing of it is left."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from symloss.errors import RunError
from symloss.runs import Died, Overrun, call_limited

LONG = 600.0
"""No test waits for it: more than any call takes here on a busy machine."""


def gone(pid: int) -> bool:
    """Whether a process has ended; a dead one that nobody has reaped counts."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_an_answer_is_what_json_makes_of_it():
    here = {"a": 1}

    def change():
        here["a"] = 2
        return {"pid": os.getpid(), "numbers": (1, 2.5, math.inf), "here": here}

    found = call_limited(change, LONG)
    assert found["pid"] != os.getpid()
    assert found["numbers"] == [1, 2.5, math.inf]
    assert found["here"] == {"a": 2}
    assert here == {"a": 1}


@pytest.mark.parametrize(
    "stuck",
    [
        partial(time.sleep, 60),
        partial(sum, range(10**11)),  # holds the interpreter
        partial(hashlib.pbkdf2_hmac, "sha256", b"", b"", 2**30),  # does not
    ],
    ids=["sleep", "C code", "C code without the interpreter"],
)
def test_what_takes_too_long_is_ended_wherever_it_is(stuck):
    start = time.monotonic()
    with pytest.raises(Overrun, match=r"took longer than 0\.2 s"):
        call_limited(stuck, 0.2)
    assert time.monotonic() - start < 30  # and not at the end of the minute


def segfault():
    faulthandler.disable()  # pytest's report of it would fill the page
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (segfault, "ended by SIGSEGV$"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended by SIGKILL, is memory short"),
        (lambda: os._exit(3), "ended with exit status 3 and without a result"),
        (lambda: sys.exit(4), "ended with exit status 4"),
        (lambda: 1 / 0, "ended with exit status 1"),
        (lambda: os._exit(0), "ended with exit status 0"),
    ],
)
def test_a_process_that_ends_without_an_answer(end, message):
    with pytest.raises(Died, match=message) as caught:
        call_limited(end, LONG)
    assert isinstance(caught.value, RunError)


def test_what_is_printed_comes_through_also_of_one_that_is_ended(capfd):
    def talk():
        sys.stdout.write("epoch 1\n")  # and no flush
        time.sleep(60)

    with pytest.raises(Overrun):
        call_limited(talk, 1.0)
    assert capfd.readouterr().out == "epoch 1\n"


def test_its_own_children_end_with_it(tmp_path):
    def breed():
        child = subprocess.Popen(["sleep", "60"])
        (tmp_path / "pid").write_text(str(child.pid))
        time.sleep(60)

    with pytest.raises(Overrun):
        call_limited(breed, 1.0)
    assert gone(int((tmp_path / "pid").read_text()))


def test_from_a_new_interpreter_where_it_can_be_sent_there():
    assert call_limited(partial(sorted, [2, 1]), LONG, fresh=True) == [1, 2]
    seen = object()
    assert call_limited(lambda: id(seen), LONG, fresh=True) == id(seen)  # a closure: only a copy has it


DRIVER = """
import os, signal, time
from symloss.runs import call_limited
# Whoever starts the tests in the background of a shell has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
def stuck():
    time.sleep(1)  # An interrupt that comes while Python forks is lost in its hooks.
    print(os.getpid(), flush=True)
    sum(range(10**11))
try:
    call_limited(stuck, 600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(("sent", "said"), [(signal.SIGINT, "interrupted\n"), (signal.SIGKILL, "")])
def test_it_ends_with_its_driver(sent, said):
    with subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        pid = int(driver.stdout.readline())
        driver.send_signal(sent)
        try:
            assert gone(pid)
            assert driver.stdout.read() == said
        finally:
            driver.kill()


def test_numbers_that_are_none_and_text_beyond_ascii_come_back():
    assert math.isnan(call_limited(lambda: math.nan, LONG))
    assert call_limited(lambda: {"ü": [None, True]}, LONG) == json.loads('{"ü": [null, true]}')
