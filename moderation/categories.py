"""The words for what a classifier looks for. Knows no thresholds: what follows from a score stands in the policy."""

from __future__ import annotations

HATE = "hate"
HARASSMENT = "harassment"
SEXUAL = "sexual"
SELF_HARM = "self-harm"
VIOLENCE = "violence"
ILLICIT = "illicit"
JAILBREAK = "jailbreak"  # a signal only: what is learnt on one source of jailbreaks hardly finds another's

CATEGORIES: tuple[str, ...] = (HATE, HARASSMENT, SEXUAL, SELF_HARM, VIOLENCE, ILLICIT, JAILBREAK)
OVERALL = "overall"  # how likely anything at all is wrong
LABELS: tuple[str, ...] = (*CATEGORIES, OVERALL)  # as the head "moderation" has them, in this order
