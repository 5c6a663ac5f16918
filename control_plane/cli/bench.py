"""`yui bench`: what the control plane itself costs in time and memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli import messages as m
from control_plane.cli.exit_codes import ExitCode
from control_plane.cli.output import State
from control_plane.cli.session import session_of
from control_plane.model.errors import YuiError

app = typer.Typer(no_args_is_help=True, help="Measure the control plane on a simulated pool.")

SECONDS_WANTED = 1.0
MEMORY_WANTED = 300
"""What a pool of 100 hosts and 2,000 servers may take: seconds and MiB."""
TICK_WANTED = 2.0
"""For how many seconds the control plane may be deaf to the next failure, however many hosts die."""


@app.command()
def failover(
    context: typer.Context,
    hosts: Annotated[int, typer.Option(help="Hosts of the pool.", min=3, max=2000)] = 100,
    servers: Annotated[int, typer.Option(help="Servers on them.", min=1, max=50_000)] = 2000,
    hosts_dying: Annotated[
        int, typer.Option(help="Hosts that die at one instant.", min=1, max=1999)
    ] = 1,
) -> None:
    """From a host's confirmed failure to the last restart of its servers. Ends with 1 where one was neither restarted nor found to have no room."""
    # Brings the planner and the store along, which other commands do without.
    from control_plane.cli.failover_bench import measure_failover  # noqa: PLC0415

    if hosts_dying >= hosts:
        raise YuiError(
            "usage",
            en=f"--hosts-dying {hosts_dying} leaves none of {hosts} hosts: let fewer die, or use more with --hosts.",
            ja=f"--hosts-dying {hosts_dying} では {hosts} 台のホストが 1 台も残りません。停止する数を減らすか、--hosts を増やしてください。",
            status=400,
        )
    session = session_of(context)
    with (
        tempfile.TemporaryDirectory(prefix="yui-bench-") as folder,
        session.screen.progress("bench failover", 1) as bar,
    ):
        result = measure_failover(
            hosts,
            servers,
            Path(folder) / "state.db",
            lambda what, done, total: bar.at(done, total, what),
            dying=hosts_dying,
        )
    within = result.slowest_tick < TICK_WANTED and result.peak_memory < MEMORY_WANTED
    if hosts_dying == 1:
        within = within and result.seconds < SECONDS_WANTED
    accounted = result.restarted + (result.stranded if hosts_dying > 1 else 0)
    whole = accounted == result.affected and result.double_started == 0
    if session.screen.json:
        session.screen.data(
            {
                "hosts": result.hosts,
                "servers": result.servers,
                "hosts_dying": result.dying,
                "affected_servers": result.affected,
                "restarted_servers": result.restarted,
                "stranded_servers": result.stranded,
                "double_started": result.double_started,
                "seconds": round(result.seconds, 4),
                "cpu_seconds": round(result.cpu_seconds, 4),
                "pool_seconds": round(result.pool_seconds, 1),
                "slowest_tick_seconds": round(result.slowest_tick, 4),
                "slowest_tick_cpu_seconds": round(result.slowest_tick_cpu, 4),
                "admission_seconds": round(result.admission_seconds, 2),
                "peak_memory_mib": result.peak_memory,
                "certificate_valid": result.certificate_valid,
                "wanted": {
                    "seconds": SECONDS_WANTED,
                    "slowest_tick_seconds": TICK_WANTED,
                    "peak_memory_mib": MEMORY_WANTED,
                },
                "within": within,
            }
        )
    else:
        session.screen.pairs(
            [
                (m.BENCH_POOL, f"{result.hosts} / {result.servers}"),
                (m.BENCH_RESTARTED, f"{result.restarted}/{result.affected}"),
                (m.BENCH_STRANDED, str(result.stranded)),
                (m.BENCH_SECONDS, f"{result.seconds:.3f} s (< {SECONDS_WANTED:g} s)"),
                (m.BENCH_TICK, f"{result.slowest_tick:.3f} s (< {TICK_WANTED:g} s)"),
                (m.BENCH_POOL_SECONDS, f"{result.pool_seconds:.1f} s"),
                (m.BENCH_ADMISSION, f"{result.admission_seconds:.1f} s"),
                (m.BENCH_MEMORY, f"{result.peak_memory} MiB (< {MEMORY_WANTED} MiB)"),
                (m.CERTIFICATE, State("valid" if result.certificate_valid else "invalid")),
                (m.BENCH_WITHIN, State("yes" if within else "no")),
            ]
        )
    if not whole:
        raise typer.Exit(ExitCode.FAILED)
