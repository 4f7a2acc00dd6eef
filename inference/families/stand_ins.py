"""Loaders in the place of stock ones that cannot be mended: those are made for models that brought their own code.

Knows the insides of ctranslate2.converters.transformers (4.8), and the modules of transformers 5. Brings PyTorch along.
"""

from __future__ import annotations

from typing import Any

import torch
from ctranslate2.converters import transformers as stock
from ctranslate2.specs import attention_spec, transformer_spec


class Falcon(stock.FalconLoader):  # type: ignore[misc]
    """The stock loader tells the norms by the heads: one norm for both branches where there is one key head. But Falcon
    2 has grouped heads and one norm, and Falcon 40B says multi_query although it groups. As transformers tells them."""

    def get_model_spec(self, model: Any) -> Any:
        config = model.config
        self.get_falcon_spec(model)
        heads, grouped = config.num_attention_heads, config.new_decoder_architecture
        kv_heads = config.num_kv_heads if grouped or not config.multi_query else 1
        parallel = grouped or config.parallel_attn
        spec = transformer_spec.TransformerDecoderModelSpec.from_config(
            config.num_hidden_layers,
            heads,
            pre_norm=True,
            activation=stock.common_spec.Activation.GELU,
            rotary_dim=0,
            rotary_interleave=False,
            parallel_residual=parallel,
            shared_layer_norm=parallel and not (grouped and config.num_ln_in_parallel_attn == 2),
            num_heads_kv=None if kv_heads == heads else kv_heads,
        )
        self.set_decoder(spec.decoder, model.transformer)
        self.set_linear(spec.decoder.projection, model.lm_head)
        return spec


class Mpt(stock.MPTLoader):  # type: ignore[misc]
    """transformers' own MPT, while the stock loader means the one that brought its own code."""

    @property
    def architecture_name(self) -> str:
        return "MptForCausalLM"

    def get_model_spec(self, model: Any) -> Any:
        spec = super().get_model_spec(model)
        self.set_linear(spec.decoder.projection, model.lm_head)  # need not be the embeddings
        return spec


class Phi(stock.PhiLoader):  # type: ignore[misc]
    """transformers' own Phi, while the stock loader means the one that brought its own code."""

    @property
    def architecture_name(self) -> str:
        return "PhiForCausalLM"

    def get_model_spec(self, model: Any) -> Any:
        config = model.config
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        width = config.hidden_size // heads
        spec = transformer_spec.TransformerDecoderModelSpec.from_config(
            config.num_hidden_layers,
            heads,
            pre_norm=True,
            activation=stock._SUPPORTED_ACTIVATIONS[config.hidden_act],  # noqa: SLF001
            rotary_dim=int(width * config.rope_parameters["partial_rotary_factor"]),
            rotary_interleave=False,
            parallel_residual=True,
            shared_layer_norm=True,
            num_heads_kv=None if heads == kv_heads else kv_heads,
        )
        self.set_decoder(spec.decoder, model.model)
        self.set_linear(spec.decoder.projection, model.lm_head)
        return spec

    def set_decoder(self, spec: Any, module: Any) -> None:
        spec.scale_embeddings = False
        self.set_embeddings(spec.embeddings, module.embed_tokens)
        self.set_layer_norm(spec.layer_norm, module.final_layernorm)
        for made, layer in zip(spec.layer, module.layers, strict=True):
            attention = layer.self_attn
            self.set_layer_norm(made.shared_layer_norm, layer.input_layernorm)
            self._fuse(made.self_attention.linear[0], attention.q_proj, attention.k_proj, attention.v_proj)
            self.set_linear(made.self_attention.linear[1], attention.dense)
            self.set_linear(made.ffn.linear_0, layer.mlp.fc1)
            self.set_linear(made.ffn.linear_1, layer.mlp.fc2)

    def _fuse(self, spec: Any, *parts: Any) -> None:
        spec.weight = torch.cat([part.weight for part in parts])
        spec.bias = torch.cat([part.bias for part in parts])


class Phi3(stock.Phi3Loader):  # type: ignore[misc]
    """transformers 5 keeps one RoPE for the whole model, the stock loader looks for one in each layer."""

    @property
    def architecture_name(self) -> str:
        return "Phi3ForCausalLM"

    def get_model_spec(self, model: Any) -> Any:
        config = model.config
        told = config.rope_parameters
        scaled = told["rope_type"] == "longrope"
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        spec = transformer_spec.TransformerDecoderModelSpec.from_config(
            config.num_hidden_layers,
            heads,
            activation=stock.common_spec.Activation.SWISH,
            pre_norm=True,
            ffn_glu=True,
            rms_norm=True,
            rotary_dim=int(config.hidden_size // heads * told.get("partial_rotary_factor", 1.0)),
            rotary_interleave=False,
            rotary_scaling_type=attention_spec.RotaryScalingType.Su if scaled else None,
            rotary_base=told["rope_theta"],
            original_max_position_embeddings=told["original_max_position_embeddings"] if scaled else 0,
            max_position_embeddings=config.max_position_embeddings if scaled else 0,
            num_heads_kv=None if heads == kv_heads else kv_heads,
        )
        self.set_decoder(spec.decoder, model.model)
        self.set_linear(spec.decoder.projection, model.lm_head)
        if scaled:
            for layer in spec.decoder.layer:
                self.set_rotary_embeddings(layer.self_attention, told["long_factor"], told["short_factor"])
        return spec

    def set_decoder(
        self, spec: Any, module: Any, quant_type: Any = stock.common_spec.Quantization.CT2
    ) -> None:
        spec.scale_embeddings = False
        self.set_embeddings(spec.embeddings, module.embed_tokens)
        self.set_layer_norm(spec.layer_norm, module.norm)
        for made, layer in zip(spec.layer, module.layers, strict=True):
            self.set_layer_norm(made.self_attention.layer_norm, layer.input_layernorm)
            self.set_layer_norm(made.ffn.layer_norm, layer.post_attention_layernorm)
            self.set_linear(made.self_attention.linear[0], layer.self_attn.qkv_proj)
            self.set_linear(made.self_attention.linear[1], layer.self_attn.o_proj)
            gate, up = layer.mlp.gate_up_proj.weight.chunk(2, dim=0)
            made.ffn.linear_0.weight, made.ffn.linear_0_noact.weight = gate, up
            self.set_linear(made.ffn.linear_1, layer.mlp.down_proj)
