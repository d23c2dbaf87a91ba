"""`oa budgets`: what may be spent, held and was; most of it for who holds the secret that services share."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
import typer

from oa_client.budgets import Authorization, Reservation
from oa_client.options import DEFAULT_DATA, AsUser, Caller, Data, Secret, Service, Token, Url, out, run, serve

CHARGING_SET: Final = "worker.charging.set"

BudgetId = Annotated[str, typer.Argument(metavar="BUDGET", help="Id of the budget (authorization_id).")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Sats = Annotated[int | None, typer.Option(min=0, help="In sats; without it there is no such cap.")]


def group() -> typer.Typer:
    budgets = typer.Typer(no_args_is_help=True, help="Budgets: what may be spent, and what is held of it.")
    budgets.command("list")(list_budgets)
    for command in (show, make, holds, charge, revoke):
        budgets.command()(command)
    return budgets


def list_budgets(
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Your budgets, last changed first."""
    serve(_list(Service(Caller(url, token, data), secret, user), limit, as_json))


async def _list(service: Service, limit: int, as_json: bool) -> None:
    async with service.client() as client:
        found = await client.budgets.list(limit=limit)
    _print(found, [_line(budget) for budget in found], as_json)
    if not found and not as_json:
        out.print("No budgets: `oa budgets make --total 1000` makes one.")


def show(
    budget_id: BudgetId,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """One budget: caps, totals, whom and what it is for."""
    serve(_show(Service(Caller(url, token, data), secret, user), budget_id, as_json))


async def _show(service: Service, budget_id: str, as_json: bool) -> None:
    async with service.client() as client:
        budget = await client.budgets[budget_id].show()
    told = {name: value for name, value in msgspec.structs.asdict(budget).items() if value not in (None, {}, ())}
    _print([budget], [f"{name:<24}{_word(value)}" for name, value in told.items()], as_json)


def make(
    total: Sats = None,
    per_call: Sats = None,
    per_day: Sats = None,
    threshold: Annotated[int | None, typer.Option(min=0, help="In sats; what is above it has to be approved.")] = None,
    mode: Annotated[str | None, typer.Option(help="interactive, delegated_budget, deny or …_with_threshold.")] = None,
    parent: Annotated[str | None, typer.Option(help="Budget it is a part of: a hold is taken on both.")] = None,
    budget_id: Annotated[str | None, typer.Option("--id", help="Its id; without it a new one.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Only for this run.")] = None,
    thread: Annotated[str | None, typer.Option(help="Only for this thread.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339; nothing is held on it from then on.")] = None,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a budget and print its id."""
    caps = {"max_total_sats": total, "max_per_call_sats": per_call, "max_per_day_sats": per_day}
    ids = {"authorization_id": budget_id, "parent_authorization_id": parent, "run_id": run_id, "thread_id": thread}
    chosen = mode or ("delegated_budget" if threshold is None else "delegated_budget_with_threshold")
    terms = {"mode": chosen, "threshold_sats": threshold, "expires_at": expires_at, **caps, **ids}
    serve(_make(Service(Caller(url, token, data), secret, user), terms))


async def _make(service: Service, terms: Mapping[str, object]) -> None:
    async with service.client() as client:
        out.print((await client.budgets.authorize(**terms)).authorization_id)  # type: ignore[arg-type]  # as declared


def holds(
    budget_id: BudgetId,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """What is held on a budget and neither spent nor released."""
    serve(_holds(Service(Caller(url, token, data), secret, user), budget_id, as_json))


async def _holds(service: Service, budget_id: str, as_json: bool) -> None:
    async with service.client() as client:
        found = await client.budgets[budget_id].holds()
    _print(found, [_held(hold) for hold in found], as_json)
    if not found and not as_json:
        out.print(f"Nothing is held on {budget_id}.")


def charge(
    worker_id: Annotated[str, typer.Argument(metavar="WORKER", help="Id of the worker whose turns are paid for.")],
    budget_id: Annotated[str | None, typer.Argument(metavar="[BUDGET]", show_default=False, help="Who pays.")] = None,
    hold: Annotated[int, typer.Option(min=1, help="Sats that each turn holds, and may use.")] = 100,
    price: Annotated[
        list[str] | None, typer.Option(metavar="MODEL=MSATS", help="For a thousand tokens; once for each model.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Nobody pays from now on, and nothing is counted.")] = False,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Have a budget pay for the turns of one of your workers; the newest binding counts."""
    if off is (budget_id is not None):
        raise typer.BadParameter("name a budget, or --off")
    if budget_id is not None and not price:
        raise typer.BadParameter("a price is needed: --price gpt-5-codex=900")
    binding = {"authorization_id": budget_id, "hold_sats": hold, "prices": _prices(price or [])} if budget_id else {}
    run(_charge(Caller(url, token, data), worker_id, binding))


async def _charge(caller: Caller, worker_id: str, binding: Mapping[str, object]) -> None:
    async with caller.client() as client:
        await client.post_event(worker_id, CHARGING_SET, dict(binding))
    pays = f"{binding['authorization_id']} pays for the turns of {worker_id}." if binding else "Nobody pays."
    out.print(pays)


def _prices(given: Sequence[str]) -> dict[str, int]:
    prices = {}
    for one in given:
        model, _, msats = one.rpartition("=")
        if not model or not msats.isdecimal():
            raise typer.BadParameter(f"{one!r} is no price: MODEL=MSATS, as gpt-5-codex=900")
        prices[model] = int(msats)
    return prices


def revoke(
    budget_id: BudgetId,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Hold nothing more on a budget; what is held already may still be settled."""
    serve(_revoke(Service(Caller(url, token, data), secret, user), budget_id, reason))


async def _revoke(service: Service, budget_id: str, reason: str | None) -> None:
    async with service.client() as client:
        revoked = await client.budgets[budget_id].revoke(reason)
        out.print(f"{budget_id} is revoked since {revoked.revoked_at}.")


def _print(found: Sequence[object], lines: Sequence[str], as_json: bool) -> None:
    for line in [msgspec.json.encode(one).decode() for one in found] if as_json else lines:
        out.print(line)


def _line(budget: Authorization) -> str:
    state = "revoked" if budget.revoked_at else budget.mode
    left = "no cap" if budget.remaining_sats is None else f"{budget.remaining_sats} left"
    return f"{budget.authorization_id}  {state:<16}  {budget.spent_sats} spent, {budget.reserved_sats} held, {left}"


def _held(hold: Reservation) -> str:
    return f"{hold.run_id}  {hold.tool_call_id}  {hold.state:<18}  {hold.amount_sats} sats since {hold.reserved_at}"


def _word(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
