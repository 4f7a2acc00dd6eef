"""What no family covers: models that transformers knows by itself run there, the rest is refused by name.

Knows transformers' own lists of models, not the models.
"""

from __future__ import annotations

from functools import partial

from inference.families.family import Config, Family, Kind, Route

# transformers' lists, and what a model in each is to us; the first that has the architecture decides
_LISTS: tuple[tuple[str, Kind], ...] = (
    ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "chat"),
    ("MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES", "seq2seq"),
    ("MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES", "classifier"),
    ("MODEL_MAPPING_NAMES", "embedder"),
)


def refusal(config: Config, *, known: bool) -> str:
    """Why neither engine may open this source, "" where one may. `known`: there is a family of its architecture."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    kind = config.get("model_type")
    known = known and (kind is None or kind in CONFIG_MAPPING_NAMES)
    if config.get("auto_map") and not known:
        return (
            "It brings its own Python code (auto_map in config.json), and Frontdesk never runs code that comes with "
            "a model. Look for a version of it that transformers knows by itself."
        )
    if not known:
        named = (list(config.get("architectures") or ()) or [kind or "what its config.json does not name"])[0]
        return f"Neither CTranslate2 nor transformers knows {named}{f' of the type {kind}' if kind else ''}."
    method = (config.get("quantization_config") or {}).get("quant_method")
    if method and method != "awq":
        return (
            f"Its weights are quantised already, with {method}. Take the source with its weights as trained."
        )
    return ""


def of_transformers(config: Config) -> Family | None:
    """A family of one, for what transformers knows and no file here does. None where it does not know it either."""
    from transformers.models.auto import modeling_auto

    kind_of_model = config.get("model_type")
    named = list(config.get("architectures") or ())[:1]
    for title, kind in _LISTS:
        classes = getattr(modeling_auto, title).get(kind_of_model)
        classes = (classes,) if isinstance(classes, str) else tuple(classes or ())
        if classes and (not named or named[0] in classes):
            name = named[0] if named else classes[0]
            return Family(
                name=str(kind_of_model),
                architectures=(name,),
                kind=kind,
                decide=partial(_to_transformers, name),
            )
    return None


def _to_transformers(name: str, _: Config) -> Route:
    return Route("transformers", f"CTranslate2 has no converter for {name}.")
