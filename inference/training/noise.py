"""How people really type: capitals or none, missing marks, slips of the finger.

Knows letters only. It never touches what has to be copied exactly (a name stays as it was said).
"""

import random
import re

_PROPER = {
    "slack": "Slack", "telegram": "Telegram", "frontdesk": "Frontdesk", "redis": "Redis", "docker": "Docker",
    "postgres": "Postgres", "postgresql": "PostgreSQL", "api": "API", "gpu": "GPU", "cuda": "CUDA", "nvidia": "NVIDIA",
    "openai": "OpenAI", "python": "Python", "linux": "Linux", "windows": "Windows", "html": "HTML", "http": "HTTP",
    "https": "HTTPS", "tls": "TLS", "ssl": "SSL", "prometheus": "Prometheus", "grafana": "Grafana", "gdpr": "GDPR",
    "discord": "Discord", "whatsapp": "WhatsApp", "teams": "Teams", "microsoft": "Microsoft", "sqlite": "SQLite",
    "english": "English", "german": "German", "french": "French", "spanish": "Spanish", "italian": "Italian",
    "llama": "Llama", "qwen": "Qwen", "mistral": "Mistral", "gguf": "GGUF", "ctranslate2": "CTranslate2", "url": "URL",
    "kubernetes": "Kubernetes", "chatgpt": "ChatGPT", "botfather": "BotFather", "wordpress": "WordPress", "llm": "LLM",
    "ai": "AI", "rest": "REST", "hugging": "Hugging", "cpu": "CPU", "paris": "Paris", "london": "London", "ram": "RAM",
    "chinese": "Chinese", "japanese": "Japanese", "russian": "Russian", "dutch": "Dutch", "polish": "Polish",
    "signal": "Signal", "nginx": "NGINX", "apache": "Apache", "berlin": "Berlin", "ids": "IDs", "os": "OS",
}  # fmt: skip

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {c: row[max(0, i - 1) : i + 2] for row in _KEYBOARD for i, c in enumerate(row)}
_WORD = re.compile(r"[\w/@.-]+")
_QUESTION = re.compile(
    r"\b(how|what|which|who|where|when|why|is|are|can|could|do|does|will|would|may|should|any)\b"
)
_ABBREVIATIONS = {"you": "u", "are": "r", "please": "pls", "what's": "whats", "i'm": "im", "don't": "dont",
                  "can't": "cant", "how's": "hows", "doesn't": "doesnt", "it's": "its", "your": "ur", "to": "2",
                  "for": "4", "because": "cuz", "want to": "wanna", "thanks": "thx", "people": "ppl"}  # fmt: skip


def typed(text: str, rng: random.Random, *, keep: str = "") -> str:
    """`text` as somebody may have typed it; `keep` stays as it is."""
    if not keep and rng.random() < 0.16:
        text = _slip(text, rng)
    if rng.random() < 0.05:
        text = _abbreviate(text, rng)
    style = rng.random()
    if style < 0.6:
        text = _WORD.sub(lambda m: _PROPER.get(m[0], m[0]), text)
        text = re.sub(r"\bi\b", "I", text)
    if style < 0.5 and not (keep and text.startswith(keep)):
        text = text[:1].upper() + text[1:]
    elif style > 0.98 and not keep:
        text = text.upper()
    return text + _mark(text, rng)


def _mark(text: str, rng: random.Random) -> str:
    if text[-1:] in "?!." or rng.random() < 0.32:
        return ""
    if _QUESTION.search(text.lower()[:24]):
        return rng.choices(["?", "??", " ?", ".", "?!"], [20, 1, 1, 1, 0.5])[0]
    return rng.choices([".", "!", "?", "..."], [8, 3, 4, 1])[0]


def _slip(text: str, rng: random.Random) -> str:
    """One or two wrong letters."""
    for _ in range(rng.choice((1, 1, 2))):
        places = [i for i, c in enumerate(text) if c.isalpha() and c.islower()]
        if not places:
            return text
        at = rng.choice(places)
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + 1 :]
        elif kind == 1:
            text = text[:at] + text[at] + text[at:]
        elif kind == 2:
            text = text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]
        else:
            text = text[:at] + rng.choice(_NEIGHBOURS.get(text[at], text[at])) + text[at + 1 :]
    return text


def _abbreviate(text: str, rng: random.Random) -> str:
    words = [w for w in _ABBREVIATIONS if f" {w} " in f" {text} "]
    if not words:
        return text
    word = rng.choice(words)
    return f" {text} ".replace(f" {word} ", f" {_ABBREVIATIONS[word]} ").strip()
