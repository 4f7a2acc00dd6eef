"""What answers are judged with: the policy, its screen, the classifier, and the texts kept for review.

Knows whether each can be used, and where none is. Judges no text.
"""

from __future__ import annotations

from bot.classifier import load_classifier
from bot.finding import Finding
from bot.settings import Settings


def check_policy(settings: Settings) -> Finding:
    from moderation.errors import PolicyError
    from moderation.policy import load

    try:
        policy = load(settings.policy)
    except PolicyError as error:
        return Finding("fail", "policy", str(error), "correct the file: frontdesk moderation policy FILE")
    source = settings.policy or "the bundled file"
    return Finding("ok", "policy", f"{len(policy.rules)} rules, version {policy.version}, in {source}")


def check_screen(settings: Settings) -> Finding:
    """Where answers are shown before they are judged, by the policy."""
    from moderation.errors import PolicyError
    from moderation.policy import load

    try:
        policy = load(settings.policy)
    except PolicyError:
        return Finding("warn", "screen", "not known: the policy cannot be read")
    named = [name for name, terms in policy.channels.items() if terms.screen == "shadow"]
    named += [f"{at.channel}:{at.place}" for at, terms in policy.places.items() if terms.screen == "shadow"]
    if policy.base.screen == "shadow":
        held = [name for name, terms in policy.channels.items() if terms.screen == "hold"]
        named = [f"every channel{' but ' + ', '.join(held) if held else ''}"]
    if not named:
        return Finding("ok", "screen", "hold: nothing is shown before it was judged")
    said = f"shadow in {', '.join(named)}: answers are shown before they are judged, and nothing is stopped there"
    return Finding("warn", "screen", said, "remove `screen: shadow` from the policy, if that is not meant")


def check_classifier(settings: Settings) -> Finding:
    """Loaded as the bot will, and closed again."""
    try:
        classifier = load_classifier(settings.data / "models")
    except Exception as error:
        todo = "frontdesk models rollback --as moderation, if one was promoted; else install Frontdesk again"
        return Finding("fail", "classifier", f"cannot be loaded ({error})", todo)
    try:
        languages = ", ".join(classifier.languages)
        return Finding(
            "ok", "classifier", f"{classifier.model}, languages {languages}; rules judge all others"
        )
    finally:
        classifier.close()


def check_review(settings: Settings) -> Finding:
    days = settings.verdict_days
    if not days:
        return Finding(
            "ok", "review", "no texts are kept (FRONTDESK_VERDICT_DAYS=0): nothing is put up for review"
        )
    return Finding("ok", "review", f"texts that were stopped or doubted are kept for {days} days")
