"""The trained weights as a model folder that Frontdesk serves: CTranslate2, int8, tokenizer, template, card.

Knows the files of a model folder. Torch's model and tokenizer come in; nothing is trained here.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from inference.training.recipe import CONTEXT
from inference.training.tokenizer import END, PAD

TEMPLATE = Path(__file__).with_name("chat_template.jinja")

DESCRIPTION = "The small starter model: knows Frontdesk and little else. English only."
LICENCE = "Apache-2.0"

# What a replaced folder keeps: written by hand, not by training.
KEPT = ("README.md",)


def export(model: Any, tokenizer: Tokenizer, folder: Path, *, quantization: str = "int8") -> None:
    """Writes the folder beside its place and renames it, so that nobody ever reads half a model."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as workshop:
        source, made = Path(workshop, "source"), Path(workshop, "made")
        _save(model, tokenizer, source)
        _convert(source, made, quantization=quantization)
        _describe(tokenizer, made)
        for name in KEPT:
            if (folder / name).is_file():
                shutil.copy2(folder / name, made / name)
        made.chmod(0o755)
        if folder.is_dir():
            folder.rename(Path(workshop, "old"))
        made.rename(folder)


def _save(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """As transformers keeps it, for the converter."""
    model.save_pretrained(folder)
    _describe(tokenizer, folder)


def _convert(source: Path, made: Path, *, quantization: str) -> None:
    import warnings

    from ctranslate2.converters import TransformersConverter

    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own, about versions of others
        TransformersConverter(str(source)).convert(str(made), quantization=quantization)


def _describe(tokenizer: Tokenizer, folder: Path) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    shutil.copyfile(TEMPLATE, folder / "chat_template.jinja")
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            # CTranslate2 wants all of them named; the template writes no beginning, and no text is unknown.
            "bos_token": END,
            "eos_token": END,
            "pad_token": PAD,
            "unk_token": PAD,
            "model_max_length": CONTEXT,
            "clean_up_tokenization_spaces": False,
        },
    )
    end = tokenizer.token_to_id(END)
    _write(folder / "generation_config.json", {"eos_token_id": end, "do_sample": False})
    _write(
        folder / "frontdesk.json",
        {"context_length": CONTEXT, "description": DESCRIPTION, "licence": LICENCE},
    )


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
