"""`frontdesk doctor`: looks at everything that Frontdesk leans on and says what to do about what is wrong.

Knows how each thing is looked at, without changing any. Never repeats a secret.
"""

from bot.doctor.channels import examine_slack, examine_telegram
from bot.doctor.examination import examine
from bot.finding import Finding, State
from bot.settings import surroundings

__all__ = ["Finding", "State", "examine", "examine_slack", "examine_telegram", "surroundings"]
