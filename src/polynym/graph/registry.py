"""Registry: all declarations of a server in one place, indexed for dispatch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from polynym.core.ctx import Ctx
from polynym.graph.node import DeclarationError, Edge, Method, Node, Root

#: Finds what a path id is: its node and row, or None when this resolver does not know it for this caller.
Resolver = Callable[[Ctx, str], Awaitable[tuple[Node, Any] | None]]


class Feature(Protocol):
    """What a feature's `nodes` module exports."""

    @property
    def NODES(self) -> Sequence[Node]:  # noqa: N802 - a module's constant
        """Nodes that the feature declares."""

    @property
    def ROOTS(self) -> Sequence[Root]:  # noqa: N802 - a module's constant
        """Fixed paths that it serves."""

    @property
    def RESOLVERS(self) -> Sequence[Resolver]:  # noqa: N802 - a module's constant
        """What finds out what an id is."""


class Registry:
    """Nodes, roots and resolvers of all features, in feature order."""

    def __init__(self, features: Iterable[Feature]) -> None:
        self.nodes: dict[str, Node] = {}
        self.roots: dict[str, Root] = {}
        self.resolvers: list[Resolver] = []
        for feature in features:
            for node in feature.NODES:
                if self.nodes.setdefault(node.name, node) is not node:
                    raise DeclarationError(f"node {node.name} is declared twice")
            for root in feature.ROOTS:
                if self.roots.setdefault(root.path, root) is not root:
                    raise DeclarationError(f"root {root.path} is declared twice")
            self.resolvers.extend(feature.RESOLVERS)
        self._direct = self._resolving_edges()
        #: Names under which some node has an edge that needs no token.
        self.public_edges = frozenset(
            name for node in self.nodes.values() for (name, _), edge in node.edges.items() if edge.public
        )
        self.edge_depth = max(
            (name.count("/") + 1 for node in self.nodes.values() for name, _ in node.edges), default=1
        )

    def _resolving_edges(self) -> dict[tuple[str, Method], Edge]:
        """Edges that look their node up themselves and whose name no other node uses for the same verb."""
        owners: dict[tuple[str, Method], list[Edge]] = {}
        for node in self.nodes.values():
            for key, edge in node.edges.items():
                owners.setdefault(key, []).append(edge)
        return {key: edges[0] for key, edges in owners.items() if len(edges) == 1 and edges[0].resolves}

    def direct(self, name: str, method: Method) -> Edge | None:
        """The edge `name` if it needs no node look-up before its handler."""
        return self._direct.get((name, method))

    async def resolve(self, ctx: Ctx, node_id: str) -> tuple[Node, Any] | None:
        """What `node_id` is for this caller, or None: unknown and foreign look alike."""
        for resolver in self.resolvers:
            found = await resolver(ctx, node_id)
            if found is not None:
                return found
        return None

    def unbuilt(self) -> list[Edge]:
        """Edges that the platform has and this server does not (yet)."""
        return [edge for node in self.nodes.values() for edge in node.edges.values() if not edge.built]
