"""Text in, text out: how a model folder is found, read, run and turned back into text.

Knows models, tokens and threads. Knows nothing of people, channels, queues, settings or databases: constructor
arguments only. Start with `library` (which models exist), then `chat` (turns -> token ids), `engine` (token ids ->
token ids, one by one) and `text` (token ids -> text, never half a character). `random_model` makes models of random
weights to try all that with.

How a model gets into the library stands in `convert` (what is done), `families` (what is different for each) and
`parity` (what is proved); `bench` measures what is there. `opening` opens any of it with the engine that is right:
`engine`, `seq2seq`, `encoders` on CTranslate2, `fallback` on transformers.

Decisions, newest last:

2026-11  Detokenising is our own (`text`), not `tokenizers.decoders.DecodeStream`. That one was tried: it does hold back
         half a character, but it keeps what it held for itself when the stream ends (the last bytes are lost), and
         raises "Invalid prefix encountered" when a byte-fallback model emits a stray byte after a whole character.
2026-11  Special tokens are renamed in a private copy of the tokenizer (`chat`), instead of splitting the rendered
         prompt and encoding the parts with `encode_special_tokens`. Splitting was tried: a Metaspace tokenizer puts
         its word mark only before the text's first part, so parts encoded alone no longer equal transformers' result.
2026-11  One blocking `generate_batch` call per request on one thread per replica (`engine`). `generate_tokens` costs a
         thread per call, and `async_generate_tokens` blocks the event loop that it pretends to serve.
2026-11  A resumed answer is read again as a part of the prompt (`Request.emitted`). In float32 it goes on exactly as it
         would have; in int8 a near tie may fall otherwise. Forcing the emitted ids one by one would be exact there too,
         but costs a decoding step each: seconds of silence after a crash, for a difference that nobody can see.
2026-11  Random models get a grammar in their output layer and orthogonal embeddings for its words (`random_model`).
         Embeddings of chance were tried: in a width of 64 they join words by themselves, and greedy answers fell into
         one repeated word, so that neither the screen's sentences nor a resumed answer would be put to the test.
2026-11  A version is eight digits of its source's digest: the same source makes the same version on any machine, and
         two processes that install at once need no counter. `NAME` means the newest one.
2026-11  The gate asks two questions. Was it converted right: both sides in float32 over the very weights that were
         stored, rounded alike, so that int8 has float32's limit and an error of 5 % in one matrix shows. And what does
         rounding lose: drift of perplexity and agreement, of the weights. What this machine's int8 kernels lose on top
         is told and refuses nothing: it is the processor's (AVX2 without VNNI saturates), and another's is not.
2026-11  Windowed models are converted without CTranslate2's window, and capped at it: within the window that is exact,
         and with it CTranslate2 answers otherwise than transformers beyond it (reference: measured).
2026-11  The second engine is a Generator's words said over transformers, under the same scheduler: one set of promises
         for both. Rows take turns and never share a batch: padding would let neighbours change an answer.
"""
