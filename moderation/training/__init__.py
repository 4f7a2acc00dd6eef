"""How the shipped moderation model is made: public sets, written grammars, and the recipe that joins them.

Needs the extra `train`. Nothing here is imported at run time.
"""
