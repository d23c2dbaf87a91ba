"""Network addresses that users name: which of them are of the public internet."""

import ipaddress
from collections.abc import Iterator
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Of an IP address: reachable from everywhere, also what it stands for in IPv4. Raises ValueError for a name."""
    return all(address.is_global and not address.is_multicast for address in _meant(ipaddress.ip_address(text)))


def _meant(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses that gateways make of it."""
    if not isinstance(address, ipaddress.IPv6Address):
        yield address
    elif address.ipv4_mapped:
        yield address.ipv4_mapped
    else:
        yield address
        if address in _NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
