"""How much searching one question may cost, counted so that the same question costs the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """`solver` is CP-SAT's deterministic time (about a second of one core, each); `repairs` counts
    how often the refuges of one domain may be arranged anew."""

    solver: float = 1.5
    repairs: int = 1000

    @property
    def spent(self) -> bool:
        return self.repairs <= 0

    def repair(self) -> None:
        self.repairs -= 1


def rehearsal() -> Budget:
    """For all the remedies of one refusal together. Once it is spent, only what needs no search is
    still found to work."""
    return Budget(solver=0.8, repairs=150)
