"""`python -m deploy.demo`: plays the story and leaves its report; ends by itself and cleans up."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import structlog
from rich.console import Console

from control_plane.cli.language import Language, choose
from control_plane.model.errors import YuiError
from control_plane.pool_file import parse
from deploy.demo import texts
from deploy.demo.membership import Membership, admit_all
from deploy.demo.narrator import Narrator
from deploy.demo.real_stage import RealStage
from deploy.demo.report import Report
from deploy.demo.simulated_stage import SimulatedStage
from deploy.demo.stage import Stage
from deploy.demo.story import BLUEPRINTS, Outcome, Story, why_incomplete
from deploy.local.prerequisites import require_local_hosts

_CHECKOUT = Path(__file__).resolve().parents[2]
_TRIAL = _CHECKOUT / "examples" / "trial"
_MEMBERS = _TRIAL / "members.csv"


def main() -> int:
    arguments = _arguments()
    _log_to(arguments.report.with_name("log.jsonl"))
    language = Language(arguments.lang) if arguments.lang else choose([], os.environ)
    narrator = Narrator(Console(), language)
    try:
        report = play(narrator, arguments.root, arguments.pace, simulated=arguments.simulated)
    except YuiError as error:
        print(error.ja if language is Language.JA else error.en, file=sys.stderr)
        return 1
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    report.write(arguments.report)
    narrator.say(texts.DONE, seconds=narrator.elapsed_s, path=arguments.report)
    return 0 if report.kept_its_promise else 1


def play(narrator: Narrator, root: Path, pace: float, *, simulated: bool) -> Report:
    """The whole story. Everything that it made is gone when this returns or raises."""
    began = time.monotonic()
    narrator.say(texts.WELCOME)
    stage = _choose_stage(narrator, root, pace, simulated=simulated)
    try:
        outcome = Story(stage, narrator).play()
    finally:
        narrator.say(texts.CLEANING_UP)
        stage.close()
    membership = _plan_membership(narrator)
    elapsed = time.monotonic() - began
    return _report(narrator, stage, outcome, membership, elapsed)


def _choose_stage(narrator: Narrator, root: Path, pace: float, *, simulated: bool) -> Stage:
    why = texts.ASKED_FOR.text(narrator.language)
    if not simulated:
        try:
            require_local_hosts()
        except YuiError as error:
            why = error.ja if narrator.language is Language.JA else error.en
        else:
            real = RealStage(root, _MEMBERS, _CHECKOUT / "var" / "images", narrator)
            narrator.say(texts.REAL, hypervisor=real.hypervisor)
            return real
    narrator.say(texts.SIMULATED, why=why)
    pool_file = _TRIAL / "pool.yaml"
    description = parse(pool_file.read_text(encoding="utf-8"), pool_file.name)
    return SimulatedStage(description, _MEMBERS, narrator.language, pace)


def _plan_membership(narrator: Narrator) -> Membership:
    pool_file = _TRIAL / "pool.yaml"
    description = parse(pool_file.read_text(encoding="utf-8"), pool_file.name)
    total = len(_MEMBERS.read_text(encoding="utf-8").splitlines()) - 1
    with narrator.progress(texts.PLANNING, total) as bar:
        membership = admit_all(description, _MEMBERS, BLUEPRINTS, narrator.language, bar.at)
    narrator.say(
        texts.PLANNED,
        members=membership.members,
        servers=membership.servers,
        hosts=membership.hosts,
        took=membership.took_s,
        worth=membership.hosts_worth,
    )
    return membership


def _report(
    narrator: Narrator,
    stage: Stage,
    outcome: Outcome,
    membership: Membership,
    elapsed: float,
) -> Report:
    valid = outcome.certificate.valid and not outcome.certificate.uncovered
    return Report(
        hypervisor=stage.hypervisor,
        hosts=len(stage.hosts),
        servers=outcome.servers,
        lost_servers=len(outcome.lost),
        double_started=len(outcome.double_started),
        records_intact=outcome.missing_records == 0,
        seconds=outcome.seconds,
        certificate_valid=valid,
        certificate_reason=None if valid else why_incomplete(outcome.certificate, narrator),
        members_planned=membership.members if membership.certified else 0,
        servers_planned=membership.servers,
        hosts_planned=membership.hosts,
        n_plus_1_hosts=round(membership.hosts_worth, 2),
        total_seconds=round(elapsed, 1),
    )


def _log_to(path: Path) -> None:
    """The control plane's own log stands beside the story, not in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(path.open("w", encoding="utf-8")),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--simulated", action="store_true", help="play in the simulated World")
    parser.add_argument(
        "--pace",
        type=float,
        default=5.0,
        help="simulated seconds per second: fast enough not to bore, slow enough to be watched",
    )
    parser.add_argument("--lang", choices=[language.value for language in Language])
    parser.add_argument("--root", type=Path, default=_CHECKOUT / "var" / "demo" / "pool")
    parser.add_argument("--report", type=Path, default=_CHECKOUT / "var" / "demo" / "report.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
