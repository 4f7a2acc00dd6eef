"""The command `frontdesk worker`: options over the environment's settings, then the process itself.

Knows the terminal. Imports CTranslate2 and Celery only when called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.settings import WorkerSettings

app = typer.Typer(name="worker", help="Answer what waits in the queue.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def run(
    redis: Annotated[str | None, typer.Option(help="Where the queue is (REDIS_URL).")] = None,
    model: Annotated[str | None, typer.Option(help="Library name or folder (FRONTDESK_MODEL).")] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder (FRONTDESK_DATA).")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda (FRONTDESK_DEVICE).")] = None,
    devices: Annotated[
        str | None, typer.Option(help="A worker each: auto, 0,1 ... or cpu (FRONTDESK_DEVICES).")
    ] = None,
    compute_type: Annotated[
        str | None, typer.Option(help="int8, float16 ... (FRONTDESK_COMPUTE_TYPE).")
    ] = None,
    inter_threads: Annotated[
        int | None, typer.Option(help="Replicas of the model; 0: chosen (FRONTDESK_INTER_THREADS).")
    ] = None,
    intra_threads: Annotated[
        int | None, typer.Option(help="CPU threads each (FRONTDESK_INTRA_THREADS).")
    ] = None,
    max_rows: Annotated[
        int | None, typer.Option(help="Answers at once; 0: chosen (FRONTDESK_MAX_ROWS).")
    ] = None,
    kv_memory: Annotated[
        float | None, typer.Option(help="GiB for what answers attend to; 0: by what is free.")
    ] = None,
    queues: Annotated[str | None, typer.Option(help="answers or bulk (FRONTDESK_QUEUES).")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info ... (FRONTDESK_LOG_LEVEL).")] = None,
    parent_pipe: Annotated[
        int | None, typer.Option(help="End when this file descriptor, a pipe from a parent, is closed.")
    ] = None,
    tell_pipe: Annotated[
        int | None,
        typer.Option(hidden=True, help="File descriptor of a pipe to a parent: the model answers."),
    ] = None,
    device_index: Annotated[
        int | None, typer.Option(hidden=True, help="Which of several devices, said of us in health.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only tell whether this machine's worker is well, for health checks."),
    ] = False,
) -> None:
    """Answer what waits in the queue, until SIGTERM. Options win over environment variables."""
    from worker import logs
    from worker.redaction import passwords
    from worker.settings import SettingsError, WorkerSettings

    try:
        settings = WorkerSettings.read(
            redis_url=redis,
            model=model,
            data=data,
            device=device,
            devices=devices,
            compute_type=compute_type,
            inter_threads=inter_threads,
            intra_threads=intra_threads,
            max_rows=max_rows,
            kv_memory=kv_memory,
            queues=queues,
            log_level=log_level,
        )
    except SettingsError as error:
        typer.echo(f"These settings are wrong or missing:\n{error}", err=True)
        raise typer.Exit(2) from None
    if check:
        raise typer.Exit(_check(settings.redis_url.get_secret_value()))
    logs.set_up(settings.log_level, secrets=passwords(settings.redis_url.get_secret_value()))
    raise typer.Exit(_work(settings, parent_pipe=parent_pipe, tell_pipe=tell_pipe, device_index=device_index))


def _work(
    settings: WorkerSettings, *, parent_pipe: int | None, tell_pipe: int | None, device_index: int | None
) -> int:
    """The worker itself; or, where there are several devices or the model may change, one for each; the exit
    status."""
    from inference.library import ModelNotFound
    from inference.library.reference import DEFAULT
    from inference.request import EngineError
    from worker.settings import ONE

    try:
        answers = "answers" in settings.queues
        if answers and (settings.devices != ONE or settings.model == DEFAULT):
            from worker.supervisor import supervise

            return supervise(settings, parent_pipe=parent_pipe)
        from worker.serve import serve

        return serve(settings, parent_pipe=parent_pipe, tell_pipe=tell_pipe, device_index=device_index)
    except (ModelNotFound, EngineError) as error:
        typer.echo(str(error), err=True)
        return 1


def _check(redis_url: str) -> int:
    """0 when a worker on this machine has its model loaded and its heart beats, else 1 and a sentence."""
    import asyncio
    import platform

    from worker.client import Queue

    async def look() -> str:
        async with Queue.open(redis_url, limit=1) as queue:
            health = await queue.health()
        here = [worker for worker in health.workers if worker.host == platform.node()]
        if not health.redis:
            return "Redis does not answer."
        if not here:
            return "No worker on this machine."
        well = any(worker.loaded or worker.running for worker in here)  # or sees its last answers through
        return "" if well else "The worker has not loaded its model yet."

    trouble = asyncio.run(look())
    if trouble:
        typer.echo(trouble, err=True)
    return 1 if trouble else 0
