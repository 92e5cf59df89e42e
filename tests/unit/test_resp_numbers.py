"""Numbers in and out, as measured.

redis-server 7.0.15 gave what is read and the sums of INCRBYFLOAT, valkey-server 9.1 the text of doubles.
"""

from __future__ import annotations

import math

import pytest

from shardkv.errors import NotAFloat, NotAnInteger, ReplyError
from shardkv.resp.longdouble import incr_by_float
from shardkv.resp.numbers import format_double, parse_float, parse_int


@pytest.mark.parametrize("value", [0, 1, -1, 10, 2**63 - 1, -(2**63)])
def test_integers_are_read_as_redis_reads_them(value: int) -> None:
    assert parse_int(b"%d" % value) == value


@pytest.mark.parametrize(
    "word",
    [
        *[b"", b"-", b"-0", b"00", b"01", b"+1", b" 1", b"1 ", b"1_0", b"1.0", b"0x1", b"1\0", b"9223372036854775808"],
        *[b"-9223372036854775809", b"1" * 5000, "٣".encode()],
    ],
)
def test_what_is_no_integer(word: bytes) -> None:
    with pytest.raises(NotAnInteger):
        parse_int(word)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (b"3", 3.0),
        (b"+1", 1.0),
        (b".5", 0.5),
        (b"5.", 5.0),
        (b"1.e3", 1000.0),
        (b"1e+5", 1e5),
        (b"0x10", 16.0),
        (b"0x1.8p1", 3.0),
        (b"-0x1p-3", -0.125),
        (b"0X1P3", 8.0),
        (b"0x.8", 0.5),
        (b"inf", math.inf),
        (b"+Inf", math.inf),
        (b"-INFINITY", -math.inf),
        (b"4.9e-324", 5e-324),
        (b"3e-310", 3e-310),
        (b"0x1p-1074", 5e-324),
        (b"0e999", 0.0),
        (b"1" * 300, float("1" * 300)),
    ],
)
def test_floats_are_read_as_redis_reads_them(word: bytes, value: float) -> None:
    assert parse_float(word) == value


@pytest.mark.parametrize(
    "word",
    [
        *[
            b"",
            b".",
            b" 1",
            b"1 ",
            b"\t1",
            b"1\n",
            b"--1",
            b"1_0",
            b"1e",
            b"1d5",
            b"1\0",
            b"0x",
            b"0xp1",
            b"0b1",
            b"infin",
        ],
        *[b"nan", b"-NaN", b"nan(1)", b"1e400", b"-1e400", b"1e-400", b"2e-324", b"0x1p5000", b"0x1p-2000", b"1" * 400],
        *[b"0x1p-1075", "٣".encode()],
    ],
)
def test_what_is_no_float(word: bytes) -> None:
    with pytest.raises(NotAFloat):
        parse_float(word)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, b"3"),
        (0.0, b"0"),
        (-0.0, b"-0"),
        (0.1, b"0.1"),
        (-3.5, b"-3.5"),
        (math.inf, b"inf"),
        (-math.inf, b"-inf"),
        (math.nan, b"nan"),
        (1e17, b"100000000000000000"),
        (1e18, b"1000000000000000000"),
        (2.0**62, b"4611686018427387904"),
        (9e18, b"9e+18"),
        (1e19, b"1e+19"),
        (9223372036854775807.0, b"9223372036854776000"),
        (12345678901234567890.0, b"12345678901234567000"),
        (123456789012345680000.0, b"123456789012345680000"),
        (5.5e20, b"5.5e+20"),
        (-1e21, b"-1e+21"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
        (0.00001, b"0.00001"),
        (0.000001, b"0.000001"),
        (1e-7, b"1e-7"),
        (1.5e-6, b"1.5e-6"),
        (1.1e-7, b"1.1e-7"),
        (0.000012345, b"1.2345e-5"),
        (0.00015, b"0.00015"),
        (123456.789, b"123456.789"),
        (0.30000000000000004, b"0.30000000000000004"),
        (5e-324, b"5e-324"),
        (2.2250738585072014e-308, b"2.2250738585072014e-308"),
    ],
)
def test_doubles_as_text(value: float, text: bytes) -> None:
    assert format_double(value) == text


@pytest.mark.parametrize(
    ("old", "by", "result"),
    [
        (b"10.50", b"0.1", b"10.6"),
        (b"10.6", b"5e3", b"5010.60000000000000009"),
        (b"0", b"3.0e3", b"3000"),
        (b"1", b"-1", b"0"),
        (b"0", b"-0", b"0"),
        (b"-0", b"-0", b"0"),
        (b"0.1", b"0.2", b"0.3"),
        (b"3", b"1e-17", b"3.00000000000000001"),
        (b"3", b"4e-18", b"3"),
        (b"3", b"6e-18", b"3.00000000000000001"),
        (b"0", b"5e-18", b"0"),
        (b"0", b"1.5e-17", b"0.00000000000000002"),
        (b"1e20", b"1", b"100000000000000000000"),
        (b"1e30", b"1e-5", b"1000000000000000000024696061952"),
        (b"9223372036854775807", b"1", b"9223372036854775808"),
        (b"18446744073709551615", b"1", b"18446744073709551616"),
        (b"18446744073709551617", b"0", b"18446744073709551616"),
        (b"-18446744073709551617", b"0.5", b"-18446744073709551616"),
        (b"0x10", b"0x1p-3", b"16.125"),
        (b"0X.8P+4", b"1.", b"9"),
        (b"1.e2", b".5", b"100.5"),
        (b"+5", b"-1e1", b"-5"),
        (b"1e-4940", b"0", b"0"),
        (b"0x1p-16445", b"0", b"0"),
        (b"0", b"-1e-30", b"0"),
        (b"123456789.123456789", b"0.000000001", b"123456789.12345678999554366"),
        (b"0.30000000000000001665", b"0.1", b"0.40000000000000002"),
        (b"1e17", b"0.01", b"100000000000000000.0078125"),
        (b"1e18", b"0.06", b"1000000000000000000.0625"),
        (b"99999999999999999999999", b"1", b"100000000000000000000000"),
        (b"3.14159265358979323846", b"2.71828182845904523536", b"5.85987448204883847"),
        (b"1e22", b"-1e22", b"0"),
        (b"2e30", b"7", b"2000000000000000000049392123904"),
        (b"0e99999999999", b"1", b"1"),
    ],
)
def test_sums_of_long_doubles(old: bytes, by: bytes, result: bytes) -> None:
    assert incr_by_float(old, by) == result


@pytest.mark.parametrize(
    ("old", "by"),
    [
        (b"1e4933", b"1"),
        (b"1", b"1e-5000"),
        (b"nan", b"1"),
        (b"1", b" 1"),
        (b"1 ", b"1"),
        (b"", b"1"),
        (b"0x", b"1"),
        (b"1e", b"1"),
        (b"1", b"abc"),
        (b"1_0", b"1"),
        (b"1e99999999999", b"1"),
    ],
)
def test_what_is_no_long_double(old: bytes, by: bytes) -> None:
    with pytest.raises(NotAFloat):
        incr_by_float(old, by)


@pytest.mark.parametrize(
    ("old", "by"),
    [
        (b"inf", b"1"),
        (b"1", b"-inf"),
        (b"inf", b"-inf"),
        (b"0x1p16383", b"0x1p16383"),
    ],
)
def test_sums_that_are_not_finite(old: bytes, by: bytes) -> None:
    with pytest.raises(ReplyError, match="ERR increment would produce NaN or Infinity"):
        incr_by_float(old, by)


def test_long_words_are_read_to_the_digit() -> None:
    assert incr_by_float(b"1" + b"0" * 4500, b"0") == incr_by_float(b"1e4500", b"0")
    assert len(incr_by_float(b"1e4931", b"0")) == 4932
    assert incr_by_float(b"0." + b"0" * 4000 + b"1" * 1000, b"1") == b"1"
    with pytest.raises(NotAFloat):
        incr_by_float(b"0" * 5120, b"1")
