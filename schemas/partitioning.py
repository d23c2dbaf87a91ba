"""Which partition of a topic a key goes to: the one rule for the relay and for whoever fills holes (DESIGN §5)."""

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995


def partition_of(key: bytes, partitions: int) -> int:
    """Kafka's own default partitioner, so that any client that writes or looks for a key agrees."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """MurmurHash2, 32 bits, with the seed of Kafka's clients."""
    hashed = 0x9747B28C ^ len(key)
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ word >> 24) * _MULTIPLIER & _MASK
        hashed = hashed * _MULTIPLIER & _MASK ^ word
    if whole < len(key):
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    hashed = (hashed ^ hashed >> 13) * _MULTIPLIER & _MASK
    return hashed ^ hashed >> 15
