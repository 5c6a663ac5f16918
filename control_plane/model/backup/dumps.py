"""What guests run around the moment of their backup: a database writes its dump before, and something
clears up afterwards.

A hook is a name and never a command line: what it does stands in the guest, in `/etc/yui/backup-hooks`,
where only the guest's own people write.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOOKS_FOLDER = "/etc/yui/backup-hooks"
USUAL_MINUTES = 20


@dataclass(frozen=True, slots=True)
class Dump:
    """For servers of `role`: the hook `before` runs until its end before file systems are frozen, and
    `after` once they are thawed again, whatever became of it; each for at most `timeout_minutes`. Without
    a `required` one that went well no point is taken."""

    role: str
    before: str
    after: str | None = None
    timeout_minutes: int = USUAL_MINUTES
    required: bool = True


class HookEnd(StrEnum):
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    NO_AGENT = "no-agent"
    """Nobody in the guest answers."""
    FORBIDDEN = "forbidden"
    """The guest's agent answers, and is set up to run nothing."""
    STOPPED = "stopped"
    """It was not wanted any more."""
    AT_REST = "at-rest"
    """The server did not run, so that there was nothing to run a hook for."""


@dataclass(frozen=True, slots=True)
class HookRun:
    """One hook of one server, as it went. `said` is the last line that it printed, shortened. It ran for
    `seconds`. `exit_status` is None where it had none: it did not end, or by a signal."""

    hook: str
    before: bool
    end: HookEnd
    seconds: float
    exit_status: int | None = None
    said: str = ""

    @property
    def well(self) -> bool:
        return self.end in (HookEnd.DONE, HookEnd.AT_REST)

    def sentence_en(self, server: str) -> str:
        of = f"hook '{self.hook}' of server {server}"
        match self.end:
            case HookEnd.FAILED:
                how = (
                    "ended by itself without an exit status"
                    if self.exit_status is None
                    else f"failed with exit status {self.exit_status}"
                )
                said = f"its last line is “{self.said}”" if self.said else "it printed nothing"
                return f"The {of} {how}; {said}."
            case HookEnd.TIMED_OUT:
                return f"The {of} was stopped after {_minutes(self.seconds)} min, which is all that it has: shorten what it does, or raise timeout_minutes."
            case HookEnd.NO_AGENT:
                return f"The {of} could not be run, because its guest agent does not answer: install or start it."
            case HookEnd.FORBIDDEN:
                return f"The {of} could not be run, because its guest agent may run nothing: allow it guest-exec and guest-exec-status."
            case HookEnd.STOPPED:
                return f"The {of} was stopped, because the backup was not to go on."
            case HookEnd.AT_REST:
                return f"The {of} was not needed, because the server does not run."
            case HookEnd.DONE:
                return f"The {of} went well in {self.seconds:.0f} s."

    def sentence_ja(self, server: str) -> str:
        of = f"サーバー {server} のフック「{self.hook}」"
        match self.end:
            case HookEnd.FAILED:
                how = (
                    "が終了コードなしで終わりました"
                    if self.exit_status is None
                    else f"が終了コード {self.exit_status} で失敗しました"
                )
                said = f"最後の出力は「{self.said}」です" if self.said else "出力はありません"
                return f"{of}{how}。{said}。"
            case HookEnd.TIMED_OUT:
                return f"{of}が制限時間の {_minutes(self.seconds)} 分を過ぎたため、停止させました。処理を短くするか、timeout_minutes を延ばしてください。"
            case HookEnd.NO_AGENT:
                return f"ゲストエージェントが応答しないため、{of}を実行できません。エージェントを導入または起動してください。"
            case HookEnd.FORBIDDEN:
                return f"ゲストエージェントにプログラムの実行が許可されていないため、{of}を実行できません。guest-exec と guest-exec-status を許可してください。"
            case HookEnd.STOPPED:
                return f"バックアップを中断したため、{of}を停止させました。"
            case HookEnd.AT_REST:
                return f"サーバーが停止しているため、{of}は不要でした。"
            case HookEnd.DONE:
                return f"{of}が {self.seconds:.0f} 秒で完了しました。"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.3g}"
