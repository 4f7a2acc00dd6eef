"""The policy: what may be said, where, and what follows if it is not. One YAML file, read whole or refused.

    limits, screen, unsupported, leakage, categories, pii, lists, topics, rules    for all
    channels.<name>, places.<channel>:<key>                                        the same words, what differs there
    extends: bundled                                                               build on Frontdesk's own file

Whatever overrides is laid upon what stands above it in the same way: mappings key by key, lists of named things
(rules, topics) by name, other lists one after the other. `input:` and `output:` in a category or in `pii` are laid
upon what stands beside them. A rule or a topic is switched off by `action: allow`, a threshold by `null`.

Decisions
- 2026-11-24: YAML is composed into a tree of values with their lines, overrides are laid on that tree, and only the
  outcome is given to pydantic: so a mistake in a place's own words is told at its own line, and a contradiction that
  arises only between the two (a place's review above the channel's block) is told as well.
- 2026-11-24: `extends: bundled`, since a file that was copied keeps yesterday's thresholds when a new classifier
  comes, and nobody notices.
"""

from moderation.policy.file import BUNDLED, Policy, load
from moderation.policy.terms import Answer, Category, Directed, Notice, Screen, Terms, Topic

__all__ = [
    "BUNDLED",
    "Answer",
    "Category",
    "Directed",
    "Notice",
    "Policy",
    "Screen",
    "Terms",
    "Topic",
    "load",
]
