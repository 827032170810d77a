"""Turns the rounds into one table, and says which performance bars are missed."""

import statistics

from events import EVENTS, UNCACHED

BASELINE, PUT, EVENT, PEERS = "hello", "put", "event-intake", ("node", "python")
FUNCTIONS = [name for name in EVENTS if name != UNCACHED]
CALLS_POPIN = {"slot-cache", "crm-intake", "booking-worker"}
# At most: CPU to the first answer over the baseline's (and where Popin is called, too), warm CPU of one event over that of a bare put
# and over the baseline's, MB of memory, MB of a binary.
FIRST, FIRST_POPIN, WARM_PUT, WARM_BASELINE, RSS, SIZE = 2.3, 2.6, 1.15, 3.4, 8.0, 6.5
# At least: a peer's CPU over event-intake's, warm and to the first answer.
WARM_PEERS, FIRST_PEERS = {"node": 6.0, "python": 3.5}, 50.0


class Report:
    def __init__(self, programs, rounds):
        """`rounds` maps each program's name to its processes, one a round."""
        self.programs, self.rounds = programs, rounds

    def figures(self, name, figure):
        """One for each round, or for each turn."""
        values = [getattr(process, figure) for process in self.rounds.get(name, ())]
        return [turn for turns in values for turn in turns] if figure == "warm_cpu" else values

    def median(self, name, figure):
        return statistics.median(self.figures(name, figure))

    def ratio(self, name, figure, base):
        """The median of the ratios within each round, or turn. None when either was not measured."""
        ratios = [value / other for value, other in zip(self.figures(name, figure), self.figures(base, figure))]
        return statistics.median(ratios) if ratios else None

    def table(self):
        yield "| program | binary, MB | CPU to the first answer, ms | x baseline | first answer, ms | warm CPU an event, us | x baseline | x put | memory, MB |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for program in self.programs:
            name = program.name
            start = [number(self.median(name, "first_cpu")), number(self.ratio(name, "first_cpu", BASELINE)), number(self.median(name, "first_time"), 1)]
            warm = [number(self.median(name, "warm_cpu"), 0), number(self.ratio(name, "warm_cpu", BASELINE)), number(self.ratio(name, "warm_cpu", PUT))]
            size, memory = number(program.megabytes), number(self.median(name, "rss"), 1)
            # Its document of so many sellers is no real start, and no real memory.
            cells = ["", "", "", "", *warm, ""] if name == UNCACHED else [size, *start, *warm, memory]
            yield f"| {' | '.join([name, *cells])} |"

    def peers(self):
        for peer in (peer for peer in PEERS if peer in self.rounds and EVENT in self.rounds):
            first, warm = self.ratio(peer, "first_cpu", EVENT), self.ratio(peer, "warm_cpu", EVENT)
            yield f"{peer} takes {first:.0f} times the CPU of {EVENT} to the first answer, and {warm:.1f} times its warm CPU."

    def judged(self):
        """Each bar: what is measured, its value, the bar, and whether that is the least (or else the most) it may be."""
        for function in (name for name in FUNCTIONS if name in self.rounds):
            program = next(program for program in self.programs if program.name == function)
            first = FIRST_POPIN if function in CALLS_POPIN else FIRST
            yield f"{function}: CPU to the first answer / baseline", self.ratio(function, "first_cpu", BASELINE), first, False
            yield f"{function}: memory, MB", self.median(function, "rss"), RSS, False
            yield f"{function}: binary, MB", program.megabytes, SIZE, False
        yield f"{EVENT}: warm CPU / put", self.ratio(EVENT, "warm_cpu", PUT), WARM_PUT, False
        yield f"{EVENT}: warm CPU / baseline", self.ratio(EVENT, "warm_cpu", BASELINE), WARM_BASELINE, False
        for peer in PEERS:
            yield f"{peer}: warm CPU / {EVENT}", self.ratio(peer, "warm_cpu", EVENT), WARM_PEERS[peer], True
            yield f"{peer}: CPU to the first answer / {EVENT}", self.ratio(peer, "first_cpu", EVENT), FIRST_PEERS, True

    def missed(self):
        for what, value, bar, least in self.judged():
            if value is not None and (round(value, 2) < bar if least else round(value, 2) > bar):
                yield f"missed: {what} is {value:.2f}; the bar is {'at least' if least else 'at most'} {bar}"


def number(value, digits=2):
    return "" if value is None else f"{value:.{digits}f}"
