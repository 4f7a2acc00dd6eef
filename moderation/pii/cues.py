"""Words before a number that say what it is: "my mobile is", "order no.".

Knows the words of some languages. How much a form needs a word is its detector's business.
"""

from __future__ import annotations

import re

REACH = 40  # characters before the number: "you can reach me on my new mobile number, it is "

PHONE = re.compile(
    r"\b(?:(?:tele)?phones?|tel|mobiles?|cell(?:phone|ular)?|landline|hotline|call(?:ed|ing)?|ring|text(?:ed|ing)?|sms|"
    r"dial(?:ed|ling)?|whatsapp|wechat|telegram|signal|fax|reach|my (?:new |home |work )?(?:number|digits)|"
    r"(?:mobil|festnetz)?(?:telefon|handy|ruf)\w*|mobil\w*|anrufen?|"
    r"t[ée]l[ée]phone|portable|appelez|num[ée]ro de t\w+|tel[ée]fono|m[óo]vil|celular|ll[áa]mame|cellulare|telefone)\b"
    r"|电话|手机|号码是|联系方式|微信|致电|拨打|打给|電話|携帯|전화|휴대폰",
    re.IGNORECASE,
)
OTHER = re.compile(
    r"(?:\b(?:orders?|invoices?|receipts?|references?|refs?|cases?|tickets?|tracking|confirmation|booking|reservation|"
    r"accounts?|acct|customer|member(?:ship)?|policy|claim|serial|isbn|sku|upc|ean|asin|parts?|models?|versions?|"
    r"build|transaction|payment|po|ids?|code|bestell\w*|rechnung\w*|auftrag\w*|vorgang\w*|kunden\w*|commande|"
    r"facture|pedido|factura)\b|订单|单号|发票|流水|快递|运单|编号|会员号|账号|#)"
    r"(?:\W{0,3}(?:numbers?|num|no|nrs?|nummern?|ids?|codes?|is|was|号码?|是|为)\b|号码?|是|为)*\W{0,4}\Z",
    re.IGNORECASE,
)


def before(text: str, start: int) -> str:
    """What stands before a number, as far as a cue may be."""
    return text[max(0, start - REACH) : start]
