"""What an option is an option on, the same for every series and adjustment of it."""

from typing import Final

from broker.option_symbol import OptionSymbol

# Weekly and evening series of an index trade under their own root and settle against the same index.
_SERIES: Final = {"SPXW": "SPX", "NDXP": "NDX", "RUTW": "RUT", "VIXW": "VIX", "DJXW": "DJX", "XSPW": "XSP"}


def underlying(contract: OptionSymbol) -> str:
    """The symbol under which positions of one underlying meet: SPX for SPXW, AAPL for the adjusted AAPL1."""
    # Adjusted contracts carry a digit at the end of the root.
    root = contract.root.rstrip("0123456789")
    return _SERIES.get(root, root)
