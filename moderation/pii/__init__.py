"""What could give a person or an account away: found in a text, replaced for the model, restored for the reader.

Knows the forms of addresses, numbers and keys. What is done with a finding stands in the policy.

    vault = Vault(texts)                      every text of the prompt, since a placeholder may stand in none of them
    asked = mask(text, find(text), vault)     what the model reads: "write to [EMAIL_1]"
    restorer = Restorer(vault)                restorer.feed(piece) ... restorer.end(): what people read

Decisions
- 2026-11-24: the original text is read, not the scoring copy: that one folds case and look-alikes, and a key or a
  checksum would no longer be what was written. Only what means the same is folded (reading.py), and spans count in
  characters of the original.
- 2026-11-24: python-stdnum checks national ids, IBANs and Luhn. It is LGPL, as python-telegram-bot is: a dependency
  that is installed beside us and never copied into this package. Writing thirty checksums ourselves was dropped.
- 2026-11-24: phonenumbers' PhoneNumberMatcher was measured (0.2 to 1.5 ms for one short text and one region, and a
  time of day or half an ISBN among what it returns) and dropped: our own pattern proposes, phonenumbers judges.
- 2026-11-24: of detect-secrets only the patterns of named tokens are used, called directly. Its scanner would heed
  "pragma: allowlist secret" inside a message, its entropy and keyword detectors mask plain sentences, and
  `analyze_string` of several detectors returns a fragment ("ghp") of what was found. Nothing here asks the network.
- 2026-11-24: a checksum alone is weak: one number in ten passes Luhn. A number in a form that other numbers have too
  counts only when the words before it name it ("my BSN is ...").
- 2026-11-24: private and loopback addresses are nobody's and are left alone; those of documentation are found, since
  whoever writes one means a public one.
- 2026-11-24: placeholders are restored exactly or in another case. Guessing more ("EMAIL 1", "[EMAIL]") would put a
  value where the model meant none.
"""

from moderation.pii.finder import Finder, find
from moderation.pii.found import KINDS, Found, Kind
from moderation.pii.vault import Restorer, Vault, mask

__all__ = ["KINDS", "Finder", "Found", "Kind", "Restorer", "Vault", "find", "mask"]
