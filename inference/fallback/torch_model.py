"""A checkpoint of transformers, loaded without trust, and one sequence's way through it: ids in, the next token out.

Knows torch and transformers, which only the extra `train` installs: whoever may run without them imports this file
where it is needed. Which sequences there are, and what becomes of their tokens, is the engine's business.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging as transformers_logging

from inference import library
from inference.library import ModelIncomplete, inspection
from inference.request import EngineError
from inference.sizes import Sizes

# A sequence that is read at once comes out otherwise than one that was made token by token, so that only steps bring
# back what steps have made: XLNet lets a prompt's tokens see each other both ways, and these kinds of RoPE choose
# their frequencies by the length so far.
BOTH_WAYS = ("xlnet",)
BY_LENGTH = ("dynamic", "longrope")

# What a RoPE of the kind "dynamic" keeps in itself, as if there were one sequence only.
_ROPE = ("inv_freq", "max_seq_len_cached", "attention_scaling")

_TYPES = ("float32", "float16", "bfloat16")

_log = logging.getLogger(__name__)


def load(folder: Path, *, kind: str, device: str, compute_type: str = "default") -> Any:
    """The model in a folder, ready to compute. `kind` is the class of transformers that picks the right one, such as
    AutoModelForCausalLM.

    Nothing in the folder is run and nothing is fetched: weights come from safetensors alone (a pickle is a program),
    code from the installed transformers alone. Raises ModelIncomplete, and EngineError where it cannot be loaded.
    """
    _check_whole(folder)
    _check_no_code(folder)
    transformers_logging.disable_progress_bar()  # a worker's log is JSON lines
    try:
        model, told = getattr(transformers, kind).from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            dtype=_dtype(device=device, compute_type=compute_type),
        )
        model = model.to(device).eval()
    except Exception as error:  # whatever its many loaders raise
        raise EngineError(f"transformers cannot load {folder}: {error}") from error
    # What is missing is filled with random numbers, and only logged. A bare encoder's pooler is read by nobody here.
    missing = {key for key in told["missing_keys"] if not (kind == "AutoModel" and "pooler" in key)}
    lost = [*sorted(missing), *map(str, told["mismatched_keys"])]
    if lost:
        raise EngineError(f"transformers cannot load {folder}: no weights there fit {', '.join(lost[:5])}.")
    return model


def give_back() -> None:
    """What a closed model has left in torch's own store of the GPU's memory, so that another may have it."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def use_threads(count: int) -> None:
    """CPU threads for one pass, in this whole process."""
    torch.set_num_threads(count)


def choose_device(device: str) -> str:
    """`cpu` or `cuda` for auto, cpu or cuda. Raises EngineError for any other, and where there is no CUDA device."""
    if device not in ("auto", "cpu", "cuda"):
        raise EngineError(f"PyTorch is used here on the devices cpu and cuda, not on {device}.")
    there = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not there:
        raise EngineError("There is no CUDA device here that PyTorch can use. Choose the device cpu.")
    return "cuda" if there else "cpu"


def read(model: Any, ids: Sequence[Sequence[int]], *, types: Sequence[Sequence[int]]) -> Any:
    """What an encoder makes of texts of one length. `types` say which part of a text a token is in, as tokenizer.json
    has it: ALBERT and XLNet were trained with them, although transformers 5 gives their models none unless asked."""
    inputs = {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}
    if "token_type_ids" in inspect.signature(model.forward).parameters:
        inputs["token_type_ids"] = types
    with torch.inference_mode():
        return model(**{name: torch.tensor(value, device=model.device) for name, value in inputs.items()})


class Decoder:
    """A loaded decoder, or an encoder-decoder. Not for several threads at once: a RoPE may keep a sequence's
    frequencies in itself.

    `vocabulary` is how many ids it reads, `says` how many it writes. `lead` is what an encoder-decoder's answers begin
    with (forced_bos_token_id); it is put there unseen.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.compute_type = str(model.dtype).removeprefix("torch.")
        self.two_sided = bool(model.config.is_encoder_decoder)
        reader = model.get_encoder() if self.two_sided else model
        self.vocabulary = int(reader.get_input_embeddings().weight.shape[0])
        self.says = int(model.get_output_embeddings().weight.shape[0]) if self.two_sided else self.vocabulary
        forced = model.generation_config.forced_bos_token_id if self.two_sided else None
        self.lead = () if forced is None else (int(forced),)
        self._ropes = [m for m in model.modules() if "dynamic" in str(getattr(m, "rope_type", ""))]
        self._fresh = self._rope_states()
        # How to sample is asked with each request. What a folder says of it must not choose the kind of cache.
        model.generation_config = transformers.GenerationConfig(
            do_sample=False,
            max_new_tokens=1,
            bos_token_id=model.generation_config.bos_token_id,
            decoder_start_token_id=model.generation_config.decoder_start_token_id,
        )

    @classmethod
    def load(cls, folder: Path, *, device: str, compute_type: str) -> Decoder:
        two_sided = library.read_json(folder / "config.json").get("is_encoder_decoder")
        kind = "AutoModelForSeq2SeqLM" if two_sided else "AutoModelForCausalLM"
        model = load(folder, kind=kind, device=device, compute_type=compute_type)
        if not model.can_generate():
            raise EngineError(f"{type(model).__name__} in {folder} makes no text, as transformers knows it.")
        return cls(model)

    @property
    def only_steps_repeat(self) -> bool:
        """Whether a resumed answer goes on as it was only if it is fed token by token."""
        ropes = [str(m.rope_type) for m in self.model.modules() if hasattr(m, "rope_type")]
        by_length = any(kind in rope for rope in ropes for kind in BY_LENGTH)
        return self.two_sided or by_length or self.model.config.model_type in BOTH_WAYS

    def sizes(self) -> Sizes:
        """What a token's states take, by the shape that nearly all decoders have: for each head that stores any."""
        config = self.model.config.get_text_config(decoder=True)
        heads = int(getattr(config, "num_attention_heads", None) or 1)
        stored = int(getattr(config, "num_key_value_heads", None) or heads)
        width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
        return Sizes(int(config.num_hidden_layers), heads=stored, kv_heads=stored, head_size=width)

    def forward(self, passage: Passage) -> Any:
        """The logits after what the passage holds; what it has read already is not computed again.

        The same calls in the same order as in transformers' own loop, since families override them: XLNet puts a
        dummy token behind the input and predicts that, Phi-3 begins anew where its longer frequencies do.
        """
        for module, state in zip(self._ropes, passage.ropes, strict=True):
            for name, value in state.items():
                setattr(module, name, value)
        whole = passage.first or not passage.state["use_cache"]
        with torch.inference_mode():
            inputs = self.model.prepare_inputs_for_generation(
                passage.ids,
                next_sequence_length=None if whole else 1,
                is_first_iteration=passage.first,
                **passage.state,
            )
            outputs = self.model(**inputs, return_dict=True)
            passage.state = self.model._update_model_kwargs_for_generation(  # noqa: SLF001 (families override it)
                outputs, passage.state, is_encoder_decoder=self.two_sided
            )
        passage.first = False
        passage.ropes = self._rope_states()
        return outputs.logits[0, -1].float()

    def begin(self, ids: Sequence[int]) -> Passage:
        """A passage that holds these ids and has read none. `generate` itself makes its state, since it knows which
        cache a family takes: custom_generate is the door for those who bring a loop of their own."""
        passages: list[Passage] = []

        def no_loop(
            model: Any,
            input_ids: Any,  # an encoder-decoder's are those that an answer begins with
            logits_processor: Any = None,
            stopping_criteria: Any = None,
            generation_config: Any = None,
            **state: Any,
        ) -> Any:
            passages.append(Passage(input_ids, state=state, ropes=self._fresh))
            return input_ids

        self.model.generate(torch.tensor([list(ids)], device=self.model.device), custom_generate=no_loop)
        for token in self.lead:
            passages[0].append(token)
        return passages[0]

    def _rope_states(self) -> list[dict[str, Any]]:
        return [
            {
                name: getattr(module, name)
                for name in (*module._buffers, *vars(module))  # noqa: SLF001 (torch lists its buffers nowhere else)
                if name.endswith(_ROPE) and "original" not in name
            }
            for module in self._ropes
        ]


@dataclass(slots=True)
class Passage:
    """One sequence in a decoder: its ids, and all that its family keeps of those that were read."""

    ids: Any
    state: dict[str, Any]
    ropes: list[dict[str, Any]]
    first: bool = True

    def append(self, token: int) -> None:
        self.ids = torch.cat([self.ids, self.ids.new_tensor([[token]])], dim=-1)


def pick(
    logits: Any,
    *,
    said: Sequence[int] = (),
    repetition_penalty: float = 1.0,
    never: Sequence[int] = (),
    temperature: float = 0.0,
    top_k: int = 1,
    top_p: float = 1.0,
) -> int:
    """The next token, greedy where the temperature is 0. `said` is what the penalty weakens: the answer so far, as in
    CTranslate2, not the prompt. `never` are tokens that may not come."""
    with torch.inference_mode():
        if repetition_penalty != 1.0 and said:
            spoken = torch.tensor(sorted(set(said)), device=logits.device)
            scores = logits[spoken]
            weaker = torch.where(scores < 0, scores * repetition_penalty, scores / repetition_penalty)
            logits = logits.index_copy(0, spoken, weaker)
        if never:
            logits = logits.index_fill(0, torch.tensor(list(never), device=logits.device), -torch.inf)
        best, ids = logits.topk(min(top_k, len(logits)) if temperature else 1)
        if best[0].isnan():
            raise ArithmeticError("the model computed no number; try the compute type bfloat16 or float32")
        if not temperature:
            return int(ids[0])
        shares = (best / temperature).softmax(-1)
        shares[shares.cumsum(-1) - shares >= top_p] = 0  # those whose betters make up top_p already
        return int(ids[torch.multinomial(shares, 1)])


def _dtype(*, device: str, compute_type: str) -> Any:
    """The compute type as torch has it; for int8, which is not here, what it is combined with. CPU kernels are slow or
    missing in 16 bits, so those are used there only where they are asked for by name; CTranslate2 does likewise."""
    if compute_type in ("default", "auto"):
        return "auto" if device == "cuda" else torch.float32
    wanted = compute_type.removeprefix("int8_")
    if wanted != compute_type or wanted not in _TYPES:
        wanted = wanted if wanted in _TYPES else "float32"
        _log.warning(
            "Models that run on transformers are not computed in %s; %s is used", compute_type, wanted
        )
    return getattr(torch, wanted)


def _check_whole(folder: Path) -> None:
    missing = [] if library.read_json(folder / "config.json") else ["config.json"]
    if not any(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise ModelIncomplete(
            f"The model folder {folder} lacks {', '.join(missing)}. Copy the missing files from where it came."
        )


def _check_no_code(folder: Path) -> None:
    """A config.json may name kernels that transformers is to fetch and run, where the package `kernels` is installed;
    trust_remote_code=False does not stop it."""
    for key, value in inspection.settings(library.read_json(folder / "config.json")):
        if not key.endswith("_implementation") or not isinstance(value, str):
            continue
        if not value.isidentifier() or "flash" in value:
            raise EngineError(
                f"{folder / 'config.json'} asks for code from elsewhere ({key}: {value[:80]}). Frontdesk runs no code "
                "that a model brings; remove that line."
            )
