"""What answers are made with: the model and the personas.

Knows whether they can be found and read. Loads no model.
"""

from __future__ import annotations

from bot.finding import Finding
from bot.settings import Settings
from inference.library import Library, ModelNotFound, lineup
from inference.library.reference import DEFAULT


def check_model(settings: Settings) -> Finding:
    root = settings.data / "models"
    try:
        model = Library(root=root).find(settings.model)
        promoted = lineup.read(root).default
    except ModelNotFound as error:
        return Finding("fail", "model", str(error), "set FRONTDESK_MODEL to a name or a path that is there")
    told = f"{model.name}, {model.context_length} tokens of context"
    if settings.model != DEFAULT and promoted is not None and promoted.target != model.name:
        advice = "unset FRONTDESK_MODEL to follow `frontdesk models promote`"
        return Finding("warn", "model", f"{told}; {promoted.target} was promoted, and is not used", advice)
    return Finding("ok", "model", told)


def check_personas(settings: Settings) -> Finding:
    from bot.personas import PersonasError, load

    own = settings.data / "personas.yaml"
    path = settings.personas or (own if own.is_file() else None)
    try:
        personas = load(path)
    except PersonasError as error:
        return Finding("fail", "personas", str(error), "correct the file")
    said = f"{len(personas.personas)} personas, {len(personas.sites)} sites in {path or 'the bundled file'}"
    return Finding("ok", "personas", said)
