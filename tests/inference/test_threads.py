"""How cores are shared out among running cohorts, with CTranslate2's own OpenMP library."""

import threading

import ctranslate2  # noqa: F401 (brings its OpenMP library along)

from inference.threads import Threads, _openmp


def test_one_cohort_gets_all_cores_and_several_share_them():
    threads = Threads(8, fixed=True)
    threads.enter()
    assert threads.share == 8
    threads.enter()
    threads.enter()
    assert threads.share == 2
    threads.leave()
    threads.leave()
    assert threads.share == 8


def test_there_are_never_fewer_than_one():
    threads = Threads(1)
    for _ in range(3):
        threads.enter()
    assert threads.share == 1


def test_the_share_is_set_for_the_calling_thread_alone():
    openmp = _openmp()
    assert openmp is not None
    before, seen = openmp.omp_get_max_threads(), []

    def compute():
        Threads(8).apply(before + 3)
        seen.append(openmp.omp_get_max_threads())

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert seen == [before + 3]
    assert openmp.omp_get_max_threads() == before


def test_fixed_threads_are_left_alone():
    openmp = _openmp()
    before = openmp.omp_get_max_threads()
    Threads(8, fixed=True).apply(before + 3)
    assert openmp.omp_get_max_threads() == before
