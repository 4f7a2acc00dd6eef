"""Work that takes hours and that nobody watches word by word: conversions, training. It has a worker of its own.

    client -> Redis -> work -> a child process          asking, and doing
    recovery                                            when the worker that did it is gone

A job is acknowledged when it begins, so that no broker delivers it again while it lasts; who carries it holds a lease.
"""
