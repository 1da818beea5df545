"""Which commands are there, and what do they take?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focusflow.cli.outcome import Exit, Finished

if TYPE_CHECKING:
    from focusflow.cli.session import Options

app = typer.Typer(
    name="focusflow",
    help="Phone-call recordings in, transcripts, summaries and Notion pages out: by itself, exactly once, within a budget.",
    epilog=(
        "Exit codes: 0 done, 1 a mistake in FocusFlow (see the log), 2 usage, 3 configuration, 4 database, "
        "5 a service or the source, 6 no such job, 129 terminal gone, 130 interrupted, 143 terminated."
    ),
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
jobs_app = typer.Typer(help="List, show and export jobs.", no_args_is_help=True, rich_markup_mode=None)
plan_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
config_app = typer.Typer(help="Check and show the configuration.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(jobs_app, name="jobs")
app.add_typer(plan_app, name="plan")
app.add_typer(config_app, name="config")
budget_app = typer.Typer(help="Show and change what may be spent.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(budget_app, name="budget")

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs, or their unique beginnings.")]
MaybeIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID...]", help="Ids of jobs, or their unique beginnings.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Queue = Annotated[bool, typer.Option("--queue", help="Only ask for it; a running FocusFlow does it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Agree to the price beforehand.")]


def _version(wanted: bool) -> None:
    if wanted:
        from focusflow import __version__
        from focusflow.cli.output import put

        put(f"focusflow {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="The configuration (default: FOCUSFLOW_CONFIG, then config.yaml)."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Set a key for this run, such as auto.concurrency=2. May be repeated."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Where database and logs are."),
    ] = None,
    monitor: Annotated[
        bool, typer.Option("--monitor", help="The screen only looks; another FocusFlow does the work.")
    ] = False,
    beside: Annotated[
        bool, typer.Option("--beside", help="The screen works too, beside another FocusFlow on this database.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    flags: dict[str, object] = dict(_split(pair) for pair in settings or [])
    if data_dir is not None:
        flags["data_dir"] = str(data_dir)
    options: Options = context.obj
    options.config, options.flags = config, flags
    if context.invoked_subcommand is None:
        from focusflow.cli.screen import run_screen

        run_screen(options, monitor=monitor, beside=beside)


def _split(pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals:
        raise typer.BadParameter(f"{pair!r}: write it like auto.concurrency=2", param_hint="--set")
    return key.strip(), value


# ---------------------------------------------------------------------------------------------------------------- work


@app.command()
def run(
    context: typer.Context,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Stop when nothing is eligible, in flight, or soon due for a retry.")
    ] = False,
) -> None:
    """Look for calls and process them, without a screen. Ctrl-C stops cleanly; twice stops at once."""
    from focusflow.cli.work import run_headless

    run_headless(context.obj, until_idle=until_idle)


@app.command()
def demo(
    context: typer.Context,
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000, metavar="FACTOR", help="How much faster than life the services answer.")
    ] = 1.0,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the demo's data here instead of throwing it away."),
    ] = None,
    no_screen: Annotated[
        bool, typer.Option("--no-screen", help="Print lines to the end; also where there is no terminal.")
    ] = False,
) -> None:
    """Show the whole product at work, without an account or cost. The services are emulated on this machine."""
    from focusflow.cli.demo import run_demo

    run_demo(speed=speed, keep=keep, screen=not no_screen)


@app.command()
def watch(
    context: typer.Context,
    every: Annotated[
        float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="How often to look for what changed.")
    ] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each change, one a line.")] = False,
) -> None:
    """Tell each change in a line, for pipes and screen readers. Does no work itself; Ctrl-C ends it."""
    from focusflow.cli.watch import watch_changes

    watch_changes(context.obj, every=every, as_json=as_json)


@app.command()
def init(
    to: Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write it.")] = Path("config.yaml"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Write this key, such as source=folder. May be repeated."),
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask for what is missing, where there is a terminal.")
    ] = True,
) -> None:
    """Write a configuration with every key explained. Never overwrites one."""
    from focusflow.cli.init import write_configuration

    write_configuration(to, dict(_split(pair) for pair in settings or []), ask=ask)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="PORT", help="0: any free one.")] = 0,
    faults: Annotated[
        Path | None,
        typer.Option("--faults", metavar="FILE", help="A plan of faults to inject, as JSON."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000, metavar="FACTOR", help="How much faster than life the services answer.")
    ] = 1.0,
    env_file: Annotated[
        Path | None,
        typer.Option("--env", metavar="FILE", help="Write the environment that points FocusFlow here to this file."),
    ] = None,
) -> None:
    """Serve the emulated services, for trying things out. Drive with a dozen recordings, AssemblyAI, OpenAI and Notion, on loopback."""
    from focusflow.cli.demo import serve_sandbox

    serve_sandbox(port=port, faults=faults, speed=speed, env_file=env_file)


@app.command()
def discover(context: typer.Context, as_json: AsJson = False) -> None:
    """Look for new recordings once, now. Nothing is paid for."""
    from focusflow.cli.work import discover_once

    discover_once(context.obj, as_json=as_json)


@app.command()
def process(
    context: typer.Context,
    ids: Ids,
    from_step: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STEP", help="Do this step anew, and all after it: transcribe, summarize or sync."
        ),
    ] = None,
    queue: Queue = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Process these calls now, whatever the rules say. Budgets still hold."""
    from focusflow.cli.work import process_now

    process_now(context.obj, ids, from_step=from_step, queue=queue, yes=yes, as_json=as_json)


@app.command()
def resummarize(context: typer.Context, ids: Ids, queue: Queue = False, yes: Yes = False) -> None:
    """Write summaries anew from the transcripts: cheap. Says the price first."""
    from focusflow.cli.work import process_now

    process_now(context.obj, ids, from_step="summarize", queue=queue, yes=yes)


@app.command()
def retranscribe(context: typer.Context, ids: Ids, queue: Queue = False, yes: Yes = False) -> None:
    """Transcribe anew, and sum up again: dear. Says the price and asks first."""
    from focusflow.cli.work import process_now

    process_now(context.obj, ids, from_step="transcribe", queue=queue, yes=yes)


# ---------------------------------------------------------------------------------------------------------------- verbs


@app.command()
def retry(
    context: typer.Context,
    ids: MaybeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Every failed call.")] = False,
    yes: Yes = False,
) -> None:
    """Try failed calls again, from where they stopped. What is paid for is not paid for again."""
    from focusflow.cli.verbs import retry_jobs

    if bool(ids) == everything:
        raise Finished(Exit.USAGE, "Name the calls to retry, or say --all.")
    retry_jobs(context.obj, ids or None, yes=yes)


@app.command()
def skip(
    context: typer.Context,
    ids: Ids,
    reason: Annotated[str, typer.Option(metavar="WORDS", help="Why; it is shown with the call.")] = "by hand",
) -> None:
    """Leave these calls out. `unskip` takes it back."""
    from focusflow.cli.verbs import skip_jobs

    skip_jobs(context.obj, ids, reason)


@app.command()
def unskip(context: typer.Context, ids: Ids) -> None:
    """Take skipped calls back in, whatever the rules say."""
    from focusflow.cli.verbs import unskip_jobs

    unskip_jobs(context.obj, ids)


@app.command()
def cancel(context: typer.Context, ids: Ids) -> None:
    """Stop calls that are being processed. What is paid for stays; `retry` goes on."""
    from focusflow.cli.verbs import cancel_jobs

    cancel_jobs(context.obj, ids)


@app.command()
def pause(context: typer.Context) -> None:
    """Start no more calls, in every FocusFlow on this database. Work in flight is finished."""
    from focusflow.cli.verbs import pause_all

    pause_all(context.obj)


@app.command()
def resume(context: typer.Context) -> None:
    """Go on after `pause`."""
    from focusflow.cli.verbs import resume_all

    resume_all(context.obj)


# -------------------------------------------------------------------------------------------------------------- looking


@app.command()
def stats(context: typer.Context, as_json: AsJson = False) -> None:
    """Print counts, money and how long the steps take."""
    from focusflow.cli.looking import print_stats

    print_stats(context.obj, as_json=as_json)


# ---------------------------------------------------------------------------------------------------------------- money


@app.command()
def prices(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the prices in use, and what has none. With their date and source."""
    from focusflow.cli.prices import print_prices

    print_prices(context.obj, as_json=as_json)


@plan_app.callback()
def plan(
    context: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="GROUP", help="month, contact or direction.")] = "month",
    as_json: AsJson = False,
) -> None:
    """Price what waits, and what the rules leave out. Costs nothing."""
    from focusflow.cli.plan import print_plan

    if context.invoked_subcommand is None:
        print_plan(context.obj, by=by, as_json=as_json)


@plan_app.command("start")
def plan_start(
    context: typer.Context,
    until: Annotated[float, typer.Option("--until", metavar="USD", help="Start calls that cost so much together.")],
    oldest: Annotated[bool, typer.Option("--oldest/--newest", help="Which first; the newest, unless said.")] = False,
    contact: Annotated[str | None, typer.Option(metavar="WORDS", help="Only with this contact or number.")] = None,
    direction: Annotated[
        str | None, typer.Option(metavar="DIRECTION", help="Only incoming, outgoing or conference calls.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only calls from this day on.")] = None,
    until_date: Annotated[str | None, typer.Option(metavar="DATE", help="Only calls up to this day.")] = None,
    yes: Yes = False,
) -> None:
    """Start what a sum pays for, old calls too. Says what that is, and asks."""
    from focusflow.cli.plan import start_plan

    start_plan(
        context.obj,
        until=until,
        oldest=oldest,
        contact=contact,
        direction=direction,
        since=since,
        until_date=until_date,
        yes=yes,
    )


@app.command()
def costs(
    context: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="GROUP", help="day, month, contact, model, step or job.")] = "day",
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only from this day on.")] = None,
    rows: Annotated[bool, typer.Option("--rows", help="The lines of the ledger instead of sums.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what was spent and reserved, and what was not."""
    from focusflow.cli.costs import print_costs

    print_costs(context.obj, by=by, since=since, lines=rows, as_csv=as_csv, as_json=as_json)


@jobs_app.command("list")
def jobs_list(
    context: typer.Context,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", metavar="STATUS", help="Only these; also: waiting. May be repeated."),
    ] = None,
    search: Annotated[
        str, typer.Option("--search", "-q", metavar="WORDS", help="Contact, number, file name, or words said.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="COUNT", help="At most so many, newest first.")
    ] = 100_000,
    as_json: AsJson = False,
) -> None:
    """List calls, newest first."""
    from focusflow.cli.looking import list_jobs

    list_jobs(context.obj, statuses=status or [], search=search, limit=limit, as_json=as_json)


@jobs_app.command("show")
def jobs_show(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID")],
    everything: Annotated[
        bool, typer.Option("--all", help="The whole summary, the transcript and every line of the log.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a call: who, when, what happened, what it cost."""
    from focusflow.cli.looking import show_job

    show_job(context.obj, job_id, everything=everything, as_json=as_json)


@jobs_app.command("export")
def jobs_export(
    context: typer.Context,
    form: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help="jsonl, csv or markdown.")] = "jsonl",
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="PATH", help="A file, or for markdown a directory. Default: stdout."),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", metavar="STATUS", help="Only these. May be repeated."),
    ] = None,
) -> None:
    """Write calls with their transcripts and summaries."""
    from focusflow.cli.looking import export_jobs

    export_jobs(context.obj, form=form, to=to, statuses=status or [])


@app.command()
def summaries(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID")],
    compare: Annotated[
        tuple[int, int] | None, typer.Option("--compare", metavar="N N", help="Show how two versions differ.")
    ] = None,
    use: Annotated[int | None, typer.Option("--use", metavar="N", help="Put this version in force. Free.")] = None,
    as_json: AsJson = False,
) -> None:
    """List, compare and switch a call's summaries."""
    from focusflow.cli.texts import print_summaries

    print_summaries(context.obj, job_id, compare=compare, use=use, as_json=as_json)


@app.command()
def speakers(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[A=NAME...]", help='New names, such as A="Ann Miller" B=Bob.')
    ] = None,
    swap: Annotated[bool, typer.Option("--swap", help="Let the two speakers change places.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show, rename or swap a call's speakers. Free."""
    from focusflow.cli.texts import name_speakers

    name_speakers(context.obj, job_id, names or [], swap=swap, as_json=as_json)


@app.command()
def rules(
    context: typer.Context,
    job_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Which rule is for this call?")] = None,
    as_json: AsJson = False,
) -> None:
    """Say your own rules in words, or which one is for a call."""
    from focusflow.cli.rules import print_rules

    print_rules(context.obj, job_id, as_json=as_json)


@config_app.command("check")
def config_check(
    context: typer.Context,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask each service whether it lets us in. Free.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with the configuration, at once."""
    from focusflow.cli.checking import check_config

    check_config(context.obj, online=online, as_json=as_json)


@config_app.command("show")
def config_show(context: typer.Context, as_json: AsJson = False) -> None:
    """Print every key, its value and where it is from. Secrets are never printed."""
    from focusflow.cli.looking import show_config

    show_config(context.obj, as_json=as_json)


# --------------------------------------------------------------------------------------------------------------- budgets

_Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Dollars, such as 5 or 2.50.")]
_OfPeriod = Annotated[str, typer.Option("--period", "-p", metavar="PERIOD", help="day, week or month.")]
_Until = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="18:00, 2026-11-24, or a span such as 2h or 3d."),
]
_Why = Annotated[str, typer.Option("--why", metavar="WORDS", help="Kept with it.")]


@budget_app.command("show")
def budget_show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show each budget, what is gone of it, and what you changed."""
    from focusflow.cli.budget import print_purse

    print_purse(context.obj, as_json=as_json)


@budget_app.command("set")
def budget_set(
    context: typer.Context, amount: _Amount, period: _OfPeriod = "day", until: _Until = None, why: _Why = ""
) -> None:
    """Allow this much instead, until the period ends."""
    from focusflow.cli.budget import change_budget

    change_budget(context.obj, amount, more=False, period=period, until=until, reason=why)


@budget_app.command("raise")
def budget_raise(
    context: typer.Context, amount: _Amount, period: _OfPeriod = "day", until: _Until = None, why: _Why = ""
) -> None:
    """Allow this much more, until the period ends."""
    from focusflow.cli.budget import change_budget

    change_budget(context.obj, amount, more=True, period=period, until=until, reason=why)


@budget_app.command("lift")
def budget_lift(
    context: typer.Context,
    ids: MaybeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Every call, until midnight.")] = False,
    until: _Until = None,
    why: _Why = "",
) -> None:
    """Let these calls pass the budgets, for a week."""
    from focusflow.cli.budget import lift_budgets

    if bool(ids) == everything:
        raise Finished(Exit.USAGE, "Name the calls to let through, or say --all.")
    lift_budgets(context.obj, ids or None, until=until, reason=why)


@budget_app.command("stop")
def budget_stop(context: typer.Context, until: _Until = None, why: _Why = "") -> None:
    """Begin nothing that costs money, for thirty days."""
    from focusflow.cli.budget import stop_spending

    stop_spending(context.obj, until=until, reason=why)


@budget_app.command("resume")
def budget_resume(context: typer.Context) -> None:
    """Go on spending after `stop`."""
    from focusflow.cli.budget import resume_spending

    resume_spending(context.obj)


@budget_app.command("undo")
def budget_undo(
    context: typer.Context,
    numbers: Annotated[list[int], typer.Argument(metavar="NO...", help="As `show` and `history` number them.")],
) -> None:
    """Take back what was changed."""
    from focusflow.cli.budget import undo_overrides

    undo_overrides(context.obj, numbers)


@budget_app.command("history")
def budget_history(context: typer.Context, as_json: AsJson = False) -> None:
    """List everything that was ever changed, newest first."""
    from focusflow.cli.budget import print_history

    print_history(context.obj, as_json=as_json)
