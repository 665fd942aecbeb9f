"""Whether new orders are taken, as the health name `trade` says it (reliability.md, section 7)."""

from enum import Enum

from runtime.health import TRADE, HealthBoard


class Obstacle(Enum):
    """Why no new order would leave."""

    RECOVERING = "recovering"
    HALTED = "halted"
    """The whole system is halted; a halt of one account, or one that lets exits through, is none."""
    STORE = "store"
    """The journal cannot be written."""


class TradeHealth:
    """`trade` is SERVING while nothing stands in the way; it starts with the recovery in it."""

    def __init__(self) -> None:
        self._obstacles = {Obstacle.RECOVERING}
        self._board: HealthBoard | None = None

    @property
    def obstacles(self) -> frozenset[Obstacle]:
        """What stands in the way now."""
        return frozenset(self._obstacles)

    async def show_on(self, board: HealthBoard) -> None:
        """Tells this board now and whenever it changes."""
        self._board = board
        await self._tell()

    async def note(self, obstacle: Obstacle, *, stands: bool) -> None:
        """Puts the obstacle in the way or takes it away; callers and watchers know when this returns."""
        if stands:
            self._obstacles.add(obstacle)
        else:
            self._obstacles.discard(obstacle)
        await self._tell()

    async def _tell(self) -> None:
        if self._board is not None:
            await self._board.set(TRADE, serving=not self._obstacles)
