"""The gate every outgoing URL passes: policy, name resolution, judgement of all addresses. No sockets here.

`Gate.vet` resolves a name exactly once and returns the addresses it judged; whoever connects uses those and no others,
so a name that changes its mind between the judgement and the connection gains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from polynym.core.address import Target, UrlError, classify, parse_url

Reason = Literal["refused_address", "bad_url", "resolve", "connect", "tls", "timeout", "too_large", "protocol"]

ADDRESSES_MAX: Final = 32


class EgressError(Exception):
    """A request that did not get a whole answer.

    `reason` is for logs, metrics and schedules; `str(error)` may be shown to whoever gave the URL. In the public policy
    the text is the same whether a port is closed, silent or speaks something else, so it cannot be used to scan.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


class Resolver(Protocol):
    """Names to addresses; the only place where a name is looked up."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Every address of `host` in order of preference. Raises OSError when there is none."""


#: A sandbox plays the platform, so nothing in it may reach the real one by mistake.
PLATFORM_HOSTS: Final = (
    "accountkit.com",
    "cdninstagram.com",
    "facebook.com",
    "facebook.net",
    "fb.com",
    "fb.me",
    "fbcdn.net",
    "fbsbx.com",
    "instagram.com",
    "m.me",
    "messenger.com",
    "meta.com",
    "tfbnw.net",
    "threads.net",
    "whatsapp.com",
    "whatsapp.net",
)
#: Machine metadata services; their addresses are refused too, the names are for resolvers that lie.
METADATA_HOSTS: Final = ("metadata.google.internal", "metadata.azure.internal", "instance-data", "metadata")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Where requests may go. `deny_hosts` covers subdomains; ports from `port_min` up are allowed, None for none."""

    name: Literal["public", "sandbox"]
    loopback: bool
    deny_hosts: tuple[str, ...] = METADATA_HOSTS
    ports: frozenset[int] = frozenset({80, 443, 8443})
    port_min: int | None = 1024

    def denies_host(self, host: str) -> bool:
        """Whether the name is one of `deny_hosts` or below one."""
        return any(host == denied or host.endswith("." + denied) for denied in self.deny_hosts)

    def allows_port(self, port: int) -> bool:
        """Whether the port is in the list or high enough."""
        return port in self.ports or (self.port_min is not None and port >= self.port_min)

    def allows_addresses(self, addresses: Sequence[str]) -> bool:
        """Whether all addresses are acceptable and of one kind: a name for inside and outside at once is a trick."""
        kinds = {classify(address) for address in addresses}
        return kinds == {"public"} or (self.loopback and kinds == {"loopback"})


PUBLIC_POLICY: Final = EgressPolicy(name="public", loopback=False)
SANDBOX_POLICY: Final = EgressPolicy(name="sandbox", loopback=True, deny_hosts=METADATA_HOSTS + PLATFORM_HOSTS)

_UNREACHABLE = "The server could not be reached, or did not answer with HTTP in time."
_NOT_PUBLIC = "The URL's host does not lead to a public address."


@dataclass(frozen=True, slots=True)
class Vetted:
    """A target with the addresses it was judged by; a connection goes to one of these and nowhere else."""

    target: Target
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """The judgement both the real and the fake egress pass every URL through.

    `own_ports` are the server's own listeners (and its database's), refused on loopback; the server adds to the set
    when it knows them. `own_addresses` are addresses of this machine on which the same ports are refused.
    """

    policy: EgressPolicy
    resolver: Resolver
    own_ports: AbstractSet[int] = frozenset()
    own_addresses: AbstractSet[str] = frozenset()

    async def vet(self, url: str) -> Vetted:
        """Resolve once and judge everything. Raises EgressError."""
        try:
            target = parse_url(url)
        except UrlError as error:
            raise EgressError("bad_url", str(error)) from None
        if not self.policy.allows_port(target.port):
            raise EgressError("bad_url", f"Requests are not sent to port {target.port}.")
        if self.policy.denies_host(target.host):
            raise EgressError("refused_address", f"Requests are not sent to {target.host}.")
        addresses = await self._addresses(target)
        if not self.policy.allows_addresses(addresses):
            found = ", ".join(addresses)
            raise self.error("refused_address", f"{target.host} leads to {found}: refused.", _NOT_PUBLIC)
        if self._is_own(target.port, addresses):
            raise self.error("refused_address", f"Port {target.port} belongs to the server itself.", _NOT_PUBLIC)
        return Vetted(target, addresses)

    async def _addresses(self, target: Target) -> tuple[str, ...]:
        try:
            found = await self.resolver.resolve(target.host)
        except (OSError, UnicodeError):
            found = ()
        if not found:
            # In public the text is that of a refused address: inside names must not be told from invented ones.
            raise self.error("resolve", f"{target.host} has no address.", _NOT_PUBLIC)
        if len(found) > ADDRESSES_MAX:
            raise self.error("resolve", f"{target.host} has more than {ADDRESSES_MAX} addresses.", _NOT_PUBLIC)
        return tuple(found)

    def _is_own(self, port: int, addresses: Sequence[str]) -> bool:
        return port in self.own_ports and any(
            address in self.own_addresses or classify(address) == "loopback" for address in addresses
        )

    def error(self, reason: Reason, detail: str, public: str = _UNREACHABLE) -> EgressError:
        """An error that tells the developer in front of a sandbox `detail`, and a stranger only `public`."""
        return EgressError(reason, detail if self.policy.name == "sandbox" else public)


@dataclass(slots=True)
class FakeResolver:
    """Answers from `records`; a list of lists answers one list per call, the last one for ever (rebinding).

    Addresses resolve to themselves, `localhost` to both loopbacks, other names to `default` (empty: no such name).
    """

    records: Mapping[str, Sequence[str] | Sequence[Sequence[str]]] = field(default_factory=dict)
    default: Sequence[str] = ("93.184.216.34",)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str) -> Sequence[str]:
        """What the tables say."""
        call = self.asked.count(host)
        self.asked.append(host)
        rows = self.records.get(host)
        if rows is None:
            return self._unlisted(host)
        if rows and not isinstance(rows[0], str):
            return list(rows[min(call, len(rows) - 1)])
        return [str(row) for row in rows]

    def _unlisted(self, host: str) -> Sequence[str]:
        if host == "localhost" or host.endswith(".localhost"):
            return ["::1", "127.0.0.1"]
        if ":" in host or host.replace(".", "").isdigit():
            return [host]
        return self.default
