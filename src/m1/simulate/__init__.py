"""`m1 simulate`: made-up visitors of a shop and its games, as live sessions on a real server.

`site` says who does what when, `visitors` what that makes of an item; both are pure. `pace`
and `sending` bring it to a server, at the rate that was asked for.
"""

from m1.simulate.command import USAGE, simulate
from m1.simulate.wishes import Wishes, read_wishes

__all__ = ["USAGE", "Wishes", "read_wishes", "simulate"]
