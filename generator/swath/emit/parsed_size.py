"""What a YAML file takes in GitLab's memory: that, and not the bytes of the file, is what the server limits.

GitLab adds up Ruby's `ObjectSpace.memsize_of` over all that the file was parsed to, each key and each equal text anew:
a `{job: a, artifacts: false}` of 30 bytes is 300 there. Counted for Ruby 3; where versions differ, the larger figure.

Source: GitLab's `lib/gitlab/utils/deep_size.rb`, `lib/gitlab/config/loader/yaml.rb`; Ruby's `gc.c` (sizes of slots),
`st.c`, `array.c`, read 2026-11-23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from swath.model.stage import JSONValue

_SLOTS: Final = (40, 80, 160, 320, 640)  # bytes: what lies in one has no memory of its own
_SLOT: Final = 40
_STRING_HEAD: Final = 25  # with the zero byte at the end
_IN_A_SLOT: Final = 23  # bytes of a text, before Ruby 3.2
_WORD: Final = 8
_FEWEST_IN_AN_ARRAY: Final = 16  # room for so many is made at once, when more than three come
_SMALL_ARRAY: Final = 3
_SMALL_HASH: Final = 8
_SMALL_HASH_BYTES: Final = 168
_TABLE_BYTES: Final = 96  # of a hash with more than eight pairs, before these
_PAIR_BYTES: Final = 24
_FEWEST_PAIRS: Final = 32  # room for so many is made at once, when more than eight come


def parsed_bytes(value: JSONValue) -> int:
    """What a value takes, with all that is in it."""
    if isinstance(value, str):
        return _string_bytes(len(value.encode()))
    if isinstance(value, dict):
        pairs = sum(parsed_bytes(key) + parsed_bytes(item) for key, item in value.items())
        return _hash_bytes(len(value)) + pairs
    if isinstance(value, list | tuple):
        return _array_bytes(len(value)) + sum(map(parsed_bytes, value))
    return _SLOT if isinstance(value, float) else 0  # true, false, nil and whole numbers lie in the reference itself


def _string_bytes(length: int) -> int:
    slot = next((slot for slot in _SLOTS if length + _STRING_HEAD <= slot), 0)  # since Ruby 3.2
    return max(slot, _SLOT + (length + 1 if length > _IN_A_SLOT else 0))


def _array_bytes(length: int) -> int:
    if length <= _SMALL_ARRAY:
        return _SLOT
    return _SLOT + _WORD * max(_FEWEST_IN_AN_ARRAY, length * 2)


def _hash_bytes(pairs: int) -> int:
    if pairs <= _SMALL_HASH:
        return _SMALL_HASH_BYTES
    room = max(_FEWEST_PAIRS, 1 << (pairs - 1).bit_length())
    index = 2 * room * (1 if room < 2**8 else 2 if room < 2**16 else 4)
    return _TABLE_BYTES + _PAIR_BYTES * room + index
