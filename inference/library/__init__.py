"""The library of models: what there is, what each folder says about itself, who serves, and how all that is changed.

Start with `reference` (what a model is called) and `catalogue` (which exist), then `manifest` (what one variant is) and
`lineup` (who serves). Changes: `shelf` (installed, removed), `aliases` (promoted), `hub` (fetched), all by `durable`;
distrust: `inspection`, `audit`.
"""

from inference.library.catalogue import (
    BUNDLED,
    NEEDED,
    STARTER,
    Library,
    ModelDamaged,
    ModelFolder,
    ModelIncomplete,
    ModelNotFound,
    context_length,
    end_token_ids,
    has_chat_template,
    read_folder,
    read_json,
)

__all__ = [
    "BUNDLED",
    "NEEDED",
    "STARTER",
    "Library",
    "ModelDamaged",
    "ModelFolder",
    "ModelIncomplete",
    "ModelNotFound",
    "context_length",
    "end_token_ids",
    "has_chat_template",
    "read_folder",
    "read_json",
]
