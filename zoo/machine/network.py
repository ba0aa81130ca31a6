"""The networks of this machine."""

from __future__ import annotations


def interface(address: str) -> str:
    """Name of the network interface that has an IP address, as ``eth0``; "" if none is known to have it.

    psutil comes with the extra ``train``; without it nothing is known.
    """
    try:
        import psutil
    except ImportError:
        return ""
    bare = address.partition("%")[0]
    return next(
        (
            name
            for name, own in sorted(psutil.net_if_addrs().items())
            if any(one.address.partition("%")[0] == bare for one in own)
        ),
        "",
    )
