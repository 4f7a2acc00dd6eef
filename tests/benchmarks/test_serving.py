"""The serving benchmark's load, figures and report say what was asked and measured."""

import asyncio
from itertools import product

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from conversations import SYSTEM, Answer, Exchange, Load, play, scripts
from figures import summary, targets
from peer import Peer
from report import GPU, merged
from sweep import setups
from systems import Setup, System

from inference import random_model
from inference.chat import Turn


def test_the_same_seed_asks_the_same_and_lengths_are_mixed():
    load = Load(conversations=16, turns=3, tokens=8, seed=5, gap=0.1)
    assert scripts(load) == scripts(load) != scripts(Load(16, 3, 8, seed=6, gap=0.1))
    words = {len(question.split()) for script in scripts(load) for question in script.questions}
    assert len(words) >= 6
    arrivals = [script.arrives for script in scripts(load)]
    assert arrivals[0] == 0
    assert arrivals == sorted(set(arrivals))


def test_a_turn_holds_all_that_was_said_before_it():
    asked: list[list[Turn]] = []

    def ask(turns, tokens):
        asked.append(list(turns))
        return Answer(f"answer {len(asked)}", [0.0], tokens, 7)

    exchanges = play(Load(conversations=1, turns=2, tokens=3), ask)
    assert [each.turn for each in exchanges] == [0, 1]
    assert [turn.role for turn in asked[1]] == ["system", "user", "assistant", "user"]
    assert asked[1][:3] == [*asked[0], Turn("assistant", "answer 1")]
    assert asked[0][0].content == SYSTEM


def talk(*, first: float, each: float, tokens: int = 11) -> list[Exchange]:
    times = [first + each * number for number in range(tokens)]
    return [Exchange(number, 0, 0.0, times, tokens, 5) for number in range(2)]


def test_a_summary_counts_wall_time_once_for_all_who_talk_at_once():
    figures = summary([talk(first=1.0, each=0.1), talk(first=1.0, each=0.1)])
    assert figures.tokens_per_second == pytest.approx(44 / 4)
    assert figures.first_p50 == figures.first_p95 == 1.0
    assert figures.between_p95 == pytest.approx(0.1)


def test_targets_are_judged_against_the_right_system():
    slow, fast = [talk(first=8.0, each=1.0)], [talk(first=0.5, each=0.1)]
    measured = {
        1: {"bare": fast, "single": fast, "batched": fast, "frontdesk": fast},
        16: {"single": slow, "batched": fast, "frontdesk": fast},
    }
    assert all(target.kept for target in targets(measured))
    worse = measured | {16: {"single": fast, "batched": fast, "frontdesk": slow}}
    missed = [target.name for target in targets(worse) if not target.kept]
    assert [name.split(",")[0] for name in missed] == [
        "tokens/s at 16",
        "first token p50 at 16",
        "tokens/s at 16",
    ]


@pytest.mark.parametrize("system", ["single", "batched", "frontdesk"])
def test_each_system_answers_every_turn_with_all_its_tokens(system, tmp_path):
    model = random_model.make(tmp_path / "tiny")
    setup = Setup(system, str(model), inter_threads=2, intra_threads=1, batch=2)
    with System(setup) as running:
        exchanges = running.play(Load(conversations=3, turns=2, tokens=6))
    assert {(each.conversation, each.turn) for each in exchanges} == set(product(range(3), range(2)))
    assert all(each.tokens == len(each.times) == 6 for each in exchanges)
    assert all(each.times == sorted(each.times) for each in exchanges)


@pytest.mark.parametrize(("device", "quick"), [("cpu", True), ("cpu", False), ("cuda", False)])
def test_all_systems_are_tried_with_the_same_threads(device, quick):
    tried = {
        system: {
            (setup.inter_threads, setup.intra_threads)
            for setup in setups(system, Setup("", "m", device), cores=2, quick=quick)
        }
        for system in ("single", "batched", "frontdesk")
    }
    assert tried["single"] == tried["batched"] == tried["frontdesk"] - {(0, 0)}


def test_a_run_replaces_its_own_section_and_no_other():
    one = merged("", heading="cpu, a", body="old")
    assert GPU in one
    both = merged(merged(one, heading="cpu, b", body="kept"), heading="cpu, a", body="new")
    assert "old" not in both
    assert both.count("kept") == both.count("new\n") == both.count("## GPU") == 1
    assert merged(both, heading="cuda, a", body="fast").count("## GPU") == 0


@pytest.mark.parametrize("chats", [True, False])
async def test_a_peer_is_asked_as_openais_clients_do(chats):
    asked: list[dict] = []

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "theirs"}]})

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not body.get("stream"):
            return web.json_response({}, status=200 if chats else 404)
        asked.append(body)
        response = web.StreamResponse()
        await response.prepare(request)
        for text in ("One", " two"):
            choice = b'{"delta": {"content": "%s"}}' if chats else b'{"text": "%s"}'
            await response.write(b'data: {"choices": [' + choice % text.encode() + b"]}\n\n")
        await response.write(
            b'data: {"choices": [], "usage": {"completion_tokens": 5, "prompt_tokens": 9}}\n\n'
        )
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_post("/v1/completions", answer)
    async with TestServer(app) as server:
        said = await asyncio.to_thread(_ask, str(server.make_url("/v1")))
    assert (said.text, said.tokens, said.prompt_tokens, len(said.times)) == ("One two", 5, 9, 2)
    assert asked[0]["model"] == "theirs"
    assert asked[0]["ignore_eos"] is True
    assert ("messages" in asked[0]) is chats


def _ask(url: str) -> Answer:
    with Peer(url) as peer:
        return peer.ask([Turn("user", "Hello")], 5)
