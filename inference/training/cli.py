"""`frontdesk train`: makes classifiers and the starter model, and measures one.

Knows the options and puts the parts together. Nothing heavy is imported before a command runs.
"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from inference.training.classify.command import classifier

app = typer.Typer(no_args_is_help=True, help="Make a text classifier or the starter model, or measure one.")
app.command()(classifier)

Questions = Annotated[
    Path | None, typer.Option(help="questions to measure with; training stays away from them")
]
Threads = Annotated[int, typer.Option(help="CPU threads")]


@app.callback()
def _settings() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


@app.command()
def starter(
    output: Annotated[Path, typer.Argument(help="the model folder to write")],
    run: Annotated[Path, typer.Option(help="folder of tokenizer and checkpoint; goes on from them")] = Path(
        "runs/starter"
    ),
    clinc: Annotated[
        Path | None, typer.Option(help="clinc-oos' data_full.json, as everyday questions")
    ] = None,
    questions: Questions = None,
    steps: Annotated[int, typer.Option(help="training steps in all")] = 1500,
    grow_at: Annotated[int | None, typer.Option(help="step at which half the layers become all")] = None,
    seed: Annotated[int, typer.Option(help="of data and weights")] = 1,
    answers: Annotated[int, typer.Option(help="how many of each topic's answers are taught")] = 1,
    threads: Threads = 2,
    no_training: Annotated[bool, typer.Option("--no-training", help="only convert the checkpoint")] = False,
) -> None:
    """Train the starter model from scratch, or go on, and convert it to CTranslate2 int8."""
    from tokenizers import Tokenizer

    from inference.training import evaluate, topics
    from inference.training import questions as asking
    from inference.training import tokenizer as words
    from inference.training.apart import HeldOut
    from inference.training.conversations import Conversations
    from inference.training.export import export
    from inference.training.recipe import Plan, Training

    held_out = HeldOut(evaluate.lines(evaluate.read(questions)) if questions else ())
    conversations = Conversations(
        asking.Questions(topics.load(clinc=clinc, answers=answers), held_out=held_out)
    )
    run.mkdir(parents=True, exist_ok=True)
    file = run / "tokenizer.json"
    if not file.is_file():
        words.train(conversations, seed=seed).save(str(file))
    tokenizer = Tokenizer.from_file(str(file))
    plan = Plan(seed=seed, steps=steps, threads=threads, grow_at=grow_at)
    training = Training(plan=plan, tokenizer=tokenizer, conversations=conversations, folder=run)
    export(training.finished(train=not no_training), tokenizer, output)
    typer.echo(f"{output} is ready; {training.tokens} tokens seen in {training.step} steps")


@app.command(name="evaluate")
def measure(
    folder: Annotated[Path, typer.Argument(help="a converted model folder")],
    questions: Annotated[Path, typer.Argument(help="the questions, as in tests/starter_questions.yaml")],
    wrong: Annotated[bool, typer.Option("--wrong", help="show what is wrong")] = False,
) -> None:
    """Ask a model every question of a file and count what is right."""
    from inference.training import evaluate

    results = evaluate.answer_all(folder, evaluate.read(questions))
    for result in results:
        if wrong and not result.right:
            typer.echo(f"[{result.question.topic}] {result.question.turns[-1]}\n    {result.answer[:160]!r}")
    for kind, (right, asked) in evaluate.shares(results).items():
        typer.echo(f"{kind}: {right} of {asked} ({right / asked:.0%})")


if __name__ == "__main__":
    app()
