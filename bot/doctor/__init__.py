"""`frontdesk doctor`: looks at everything that Frontdesk leans on and says what to do about what is wrong.

Knows how each thing is looked at, without changing any. Never repeats a secret.
"""

from bot.doctor.environment import surroundings
from bot.doctor.examination import examine
from bot.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine", "surroundings"]
