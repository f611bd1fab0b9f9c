"""Where things stand in a street of SynthCity. Built in chapter 01.

World coordinates in metres: x right, y up, z along the street. The camera looks along z from near x = z = 0,
the middle of its own lane. `draw_street` draws a plan at random, fills it with models from `props.py` and
returns all their polygons.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from course_utils.data import props
from course_utils.data.props import Model

LANE, PARKING, KERB = 3.2, 2.2, 0.12  # widths of a lane and a parked car; height of the pavement
DETAIL_DISTANCE = 24.0  # metres from which on details are left out
START = 3.5  # z where the kerbs and houses begin; the camera sees none of them nearer
FAR = 40.0  # metres from which on trees are drawn with fewer leaves
RIGHT, LEFT = 1, -1

PLASTER = (
    (0.86, 0.8, 0.68), (0.8, 0.74, 0.66), (0.88, 0.86, 0.8), (0.78, 0.62, 0.5), (0.7, 0.7, 0.7),
    (0.84, 0.7, 0.52), (0.66, 0.72, 0.74), (0.62, 0.42, 0.35), (0.8, 0.76, 0.62), (0.72, 0.6, 0.56),
    (0.58, 0.36, 0.29), (0.7, 0.74, 0.66),
)  # fmt: skip
FENCE_PAINT = (
    (0.42, 0.32, 0.24), (0.3, 0.36, 0.32), (0.55, 0.55, 0.55), (0.36, 0.26, 0.18),
)  # fmt: skip
ROOF_TILES = (
    (0.5, 0.27, 0.2), (0.42, 0.25, 0.21), (0.33, 0.33, 0.36), (0.56, 0.34, 0.24),
)  # fmt: skip
CAR_PAINT = (
    (0.1, 0.1, 0.11), (0.62, 0.64, 0.66), (0.85, 0.85, 0.85), (0.33, 0.35, 0.38), (0.14, 0.2, 0.36),
    (0.52, 0.09, 0.09), (0.25, 0.27, 0.27), (0.12, 0.27, 0.2), (0.6, 0.54, 0.42), (0.2, 0.36, 0.55),
)  # fmt: skip
BUS_PAINT = (
    (0.88, 0.86, 0.8), (0.72, 0.12, 0.1), (0.9, 0.68, 0.12), (0.16, 0.36, 0.6), (0.2, 0.48, 0.32),
)  # fmt: skip
SHIRTS = (
    (0.12, 0.14, 0.2), (0.65, 0.14, 0.14), (0.82, 0.8, 0.76), (0.2, 0.32, 0.52), (0.24, 0.42, 0.28),
    (0.8, 0.58, 0.16), (0.3, 0.28, 0.28), (0.48, 0.24, 0.4),
)  # fmt: skip
TROUSERS = (
    (0.13, 0.15, 0.22), (0.1, 0.1, 0.11), (0.28, 0.32, 0.42), (0.46, 0.4, 0.32),
)  # fmt: skip
HAIR = (
    (0.12, 0.09, 0.07), (0.3, 0.2, 0.12), (0.55, 0.45, 0.3), (0.4, 0.4, 0.4),
)  # fmt: skip
LEAVES = (
    (0.2, 0.31, 0.11), (0.26, 0.36, 0.13), (0.33, 0.4, 0.15), (0.17, 0.27, 0.13), (0.38, 0.38, 0.14),
)  # fmt: skip


T = TypeVar("T")
Random = np.random.Generator
Triple = tuple[float, float, float]
Range = tuple[float, float]


class Thing(NamedTuple):
    """A model and where it stands."""

    model: Model
    position: Triple  # of the model's origin
    scale: Triple = (1.0, 1.0, 1.0)  # along the model's own axes
    heading: float = 0.0  # turn to the right, in radians
    palette: tuple[Triple, ...] = (props.GREY,)  # up to three colours
    grain: Triple = (2.5, 3.0, 0.5)  # of a facade: metres from window to window and per storey, random number


class Plan(NamedTuple):
    """A street from above. Kerbs and house fronts are x coordinates, by side."""

    kerb: dict[int, float]
    front: dict[int, float]
    parking: dict[int, bool]
    verge: dict[int, bool]  # grass between kerb and pavement
    lanes: tuple[tuple[float, int], ...]  # x of the middle, driving direction
    markings: tuple[tuple[float, float], ...]  # x of a painted line, length of a dash (0 = unbroken)
    tram: float | None  # x of the tram track
    crossing: tuple[float, float] | None  # z range of the side street
    zebra: float | None  # z where a zebra crossing begins
    end: float  # z where the street ends on another one


class Polygons(NamedTuple):
    """All S polygons of a street, stacked."""

    corners: np.ndarray  # [N, 3] world coordinates
    sizes: np.ndarray  # [S] corners of each polygon
    labels: np.ndarray  # [S] trainIds
    colours: np.ndarray  # [S, 3]
    materials: np.ndarray  # [S]
    shadow: np.ndarray  # [S] bool
    distance: np.ndarray  # [S] z of the nearest corner of the thing that the polygon is part of
    origin: np.ndarray  # [S, 3] the origin of the thing that the polygon is part of
    grain: np.ndarray  # [S, 3]


class Street(NamedTuple):
    polygons: Polygons
    plan: Plan
    skyline: dict[int, np.ndarray]  # per side: height of the houses at z = 0, 1, 2, ... metres


def draw_street(rng: np.random.Generator) -> Street:
    """Plan a street at random and fill it."""
    plan = draw_plan(rng)
    things = [*ground(rng, plan), *street_end(rng, plan), *traffic(rng, plan)]
    skyline = {}
    for side in (RIGHT, LEFT):
        houses = list(house_row(rng, plan, side))
        skyline[side] = heights_along(houses)
        things += [*houses, *pavement_life(rng, plan, side)]
    if plan.crossing:
        things += crossing_life(rng, plan)
    return Street(stack_polygons([thing for thing in things if in_view(thing)]), plan, skyline)


def draw_plan(rng: np.random.Generator) -> Plan:
    """Choose the widths of the street, its lanes and where it is crossed."""
    right_lanes, left_lanes = 1 + chance(rng, 0.25), 1 + chance(rng, 0.45)
    tram = -LANE / 2 - LANE * left_lanes - 1.8 if chance(rng, 0.14) else None
    parking = {side: chance(rng, 0.5) for side in (RIGHT, LEFT)}
    right = LANE * (right_lanes - 0.5) + 0.3 + PARKING * parking[RIGHT]
    left = LANE * (left_lanes + 0.5) + 0.3 + PARKING * parking[LEFT] + 3.6 * (tram is not None)
    verge = {side: chance(rng, 0.25) for side in (RIGHT, LEFT)}
    kerb = {RIGHT: right, LEFT: -left}
    front = {side: kerb[side] + side * (rng.uniform(2.2, 4.5) + 2.0 * verge[side]) for side in (RIGHT, LEFT)}

    lanes = [(LANE * i, 1) for i in range(right_lanes)] + [(-LANE * (i + 1), -1) for i in range(left_lanes)]
    markings = [(-LANE / 2, 3.0 if chance(rng, 0.7) else 0.0)]
    markings += [(LANE * (i + 0.5), 3.0) for i in range(right_lanes - 1)]
    markings += [(-LANE * (i + 1.5), 3.0) for i in range(left_lanes - 1)]
    edges = (LANE * (right_lanes - 0.5), -LANE * (left_lanes + 0.5))
    markings += [(edge, 0.0) for edge in edges if chance(rng, 0.5)]

    start = rng.uniform(16, 70)
    crossing = (start, start + rng.uniform(7, 12)) if chance(rng, 0.6) else None
    zebra = start - 5.0 if crossing and chance(rng, 0.75) else None
    end = rng.uniform(95, 170)
    return Plan(kerb, front, parking, verge, tuple(lanes), tuple(markings), tram, crossing, zebra, end)


# --------------------------------------------------------------------------------------------- ground, houses


def ground(rng: Random, plan: Plan) -> Iterator[Thing]:
    """Land, the street, its side street, the street at its end, and pavements along all of them."""
    asphalt, paving, grass = grey(rng, 0.36, 0.44), grey(rng, 0.52, 0.64), grass_colour(rng)
    yield strip(props.TERRAIN, grass, (-300, 300), (START, 500), -0.3, 0.27)
    yield strip(props.ROAD, asphalt, (plan.kerb[LEFT], plan.kerb[RIGHT]), (2.0, plan.end + 10))
    yield strip(props.ROAD, asphalt, (-150, 150), (plan.end, plan.end + 10))
    yield strip(props.SIDEWALK, paving, (-150, 150), (plan.end + 10, plan.end + 13), height=KERB)
    if plan.crossing:
        yield strip(props.ROAD, asphalt, (-120, 120), plan.crossing)
    for side in (RIGHT, LEFT):
        kerb, front = plan.kerb[side], plan.front[side]
        for z in blocks(plan):
            yield strip(props.SIDEWALK, paving, (kerb, front), z, height=KERB)
            yield strip(props.SIDEWALK, paving, (front, side * 120), (z[1] - 2.5, z[1]), height=KERB)
            if plan.verge[side]:
                x = (kerb + side * 0.3, kerb + side * 2.0)
                yield strip(props.TERRAIN, grass, x, (z[0] + 2, z[1] - 3), height=KERB + 0.06)


def house_row(rng: Random, plan: Plan, side: int) -> Iterator[Thing]:
    """One side of the street: houses, parks and yards one after another."""
    front = plan.front[side]
    green = rng.uniform(0.0, 0.75)  # how much of this side is not built up
    style = rng.uniform(0, 1)
    for start, stop in blocks(plan):
        z = start
        while z < stop - 4:
            length = min(rng.uniform(9, 24), stop - z)
            if stop - z - length < 6:
                length = stop - z
            corner = plan.crossing is not None and (z + length == plan.crossing[0] or z == plan.crossing[1])
            if rng.random() < green:
                yield from (park if chance(rng, 0.6) else yard)(rng, front, side, z, length)
            else:
                yield from house(rng, front, side, z, length, style, 40.0 if corner else 12.0)
            z += length


def house(rng: Random, front: float, side: int, z: float, length: float, style: float, depth: float) -> Iterator[Thing]:
    """A house with windows and, if it is old, a pitched roof."""
    storey = rng.uniform(2.9, 3.5)
    height = storey * int(rng.integers(3, 6 + round(2 * style))) + rng.uniform(0.3, 0.9)
    spacing = length / max(2, round(length / rng.uniform(1.9, 3.2)))
    walls = vary(rng, pick(rng, PLASTER), 0.05)
    x = (front, front + side * depth)
    yield fill(props.HOUSE, x, (0, height), (z, z + length), walls, grain=(spacing, storey, rng.random()))
    if chance(rng, 0.75 - 0.5 * style):
        tiles = vary(rng, pick(rng, ROOF_TILES), 0.04)
        eaves = (front - side * 0.4, front + side * depth)
        yield fill(props.ROOF, eaves, (height, height + rng.uniform(2.5, 4.5)), (z, z + length), walls, tiles)


def park(rng: Random, front: float, side: int, z: float, length: float) -> Iterator[Thing]:
    """Trees on grass, with a hedge far behind and perhaps a low wall or fence in front."""
    lawn = (front, front + side * 40)
    yield strip(props.TERRAIN, grass_colour(rng), lawn, (z, z + length), height=KERB + 0.02)
    if chance(rng, 0.5):
        yield barrier(rng, front, side, z, length, rng.uniform(0.7, 1.3), chance(rng, 0.5))
    leaves, behind = pick(rng, LEAVES), (front + side * 20, front + side * 26)
    yield fill(props.HEDGE, behind, (0, rng.uniform(4, 8)), (z - 4, z + length + 4), leaves)
    spacing, depth = (6, 14) if z < 50 else (10, 6)  # farther away, the first trees hide the others
    for _ in range(int(length / spacing)):
        x = front + side * rng.uniform(1.5, depth)
        yield tree(rng, x, rng.uniform(z + 1, z + length - 1), rng.uniform(6, 13), leaves)
    for _ in range(int(length / 9)):
        yield bush(rng, front + side * rng.uniform(1, 8), rng.uniform(z, z + length))


def yard(rng: Random, front: float, side: int, z: float, length: float) -> Iterator[Thing]:
    """A wall or fence with trees and a house set back behind it."""
    paved = (front, front + side * 12)
    yield strip(props.SIDEWALK, grey(rng, 0.45, 0.6), paved, (z, z + length), height=KERB + 0.01)
    yield barrier(rng, front, side, z, length, rng.uniform(1.6, 2.4), chance(rng, 0.45))
    for _ in range(int(length / 7)):
        yield tree(rng, front + side * rng.uniform(3, 7), rng.uniform(z, z + length), rng.uniform(5, 10))
    yield from house(rng, front + side * 10, side, z, length, 0.2, 10.0)


def barrier(rng: Random, front: float, side: int, z: float, length: float, height: float, wall: bool) -> Thing:
    """A wall or a fence along the pavement."""
    model, colours = (props.WALLS, PLASTER) if wall else (props.FENCES, FENCE_PAINT)
    colour = vary(rng, pick(rng, colours), 0.04)
    return fill(model, (front, front + side * 0.25), (0, height + KERB), (z, z + length), colour)


def street_end(rng: Random, plan: Plan) -> Iterator[Thing]:
    """What closes the view: houses or trees across the far end."""
    z, x = plan.end + 13, -60.0
    wooded = rng.random()
    while x < 60:
        width = rng.uniform(10, 20)
        if rng.random() < wooded:
            leaves = pick(rng, LEAVES)
            yield fill(props.HEDGE, (x, x + width), (0, rng.uniform(7, 12)), (z + 3, z + 9), leaves)
            yield tree(rng, x + width / 2, z + 1, rng.uniform(12, 20))
        else:
            height = rng.uniform(11, 22)
            grain = (rng.uniform(2, 3), 3.1, rng.random())
            yield fill(props.HOUSE, (x, x + width), (0, height), (z, z + 12), pick(rng, PLASTER), grain=grain)
        x += width


# ------------------------------------------------------------------------------------------ pavement, traffic


def pavement_life(rng: Random, plan: Plan, side: int) -> Iterator[Thing]:
    """Trees, lamps, signs, bicycles, people and parked cars along one kerb."""
    kerb, front = plan.kerb[side], plan.front[side]
    edge = kerb + side * 0.5
    middle = (kerb + front) / 2 + side * 0.3
    first = rng.uniform(9, 16)
    lamps = np.arange(first, plan.end, rng.uniform(24, 36))
    trees = np.arange(first + 5, plan.end, rng.uniform(8, 14))
    for z in lamps if chance(rng, 0.55) else ():
        yield Thing(props.LAMP_POSTS[side], (edge, 0, z), palette=(grey(rng, 0.25, 0.5),))
    leaves = pick(rng, LEAVES)
    for z in trees if chance(rng, 0.9 if plan.verge[side] else 0.55) else ():
        if not on_crossing(plan, z, 3):
            yield tree(rng, kerb + side * 1.1, z + rng.normal(0, 0.5), rng.uniform(6, 10), leaves)
    for z in rng.uniform(10, 70, rng.poisson(1.8)):
        if not on_crossing(plan, z):
            yield Thing(pick(rng, props.SIGNS if chance(rng, 0.5) else props.SIGNS[:4]), (edge, KERB, z))
    for z in rng.uniform(8, 60, rng.poisson(3.2)):
        if not on_crossing(plan, z):
            yield walker(rng, middle + rng.uniform(-0.6, 0.6), z)
    for z in rng.uniform(8, 40, rng.poisson(0.9)):
        if not on_crossing(plan, z):
            yield two_wheeler(rng, props.BICYCLE_PARKED, front - side * 0.7, z, KERB)
    if plan.parking[side]:
        yield from parked_cars(rng, plan, side)


def parked_cars(rng: Random, plan: Plan, side: int) -> Iterator[Thing]:
    """Cars along one kerb, with gaps, and a motorcycle now and then."""
    x, heading = plan.kerb[side] - side * 1.15, 0.0 if side == RIGHT else np.pi
    density = rng.uniform(0.15, 0.7)
    for z in np.arange(rng.uniform(8, 16), 85, 5.7):
        if rng.random() < density and not on_crossing(plan, z, 8):
            if chance(rng, 0.08):
                yield two_wheeler(rng, props.MOTORCYCLE_PARKED, x + side * 0.3, z)
            else:
                a, b, turn = rng.normal(0, (0.08, 0.25, 0.02)).tolist()
                yield a_car(rng, x + a, z + b, heading + turn)


def traffic(rng: Random, plan: Plan) -> Iterator[Thing]:
    """Vehicles in every lane, each keeping its distance from the one before it."""
    for x, direction in plan.lanes:
        z = rng.uniform(14, 60) if x == 0 else rng.uniform(10, 60)
        while z < plan.end - 5:
            yield from vehicle(rng, x + rng.normal(0, 0.15), z, 0.0 if direction > 0 else np.pi)
            z += rng.uniform(18, 80)
    if plan.tram is not None and chance(rng, 0.5):
        paint = (pick(rng, BUS_PAINT), pick(rng, BUS_PAINT))
        yield Thing(props.TRAM, (plan.tram, 0, rng.uniform(28, 90)), heading=np.pi, palette=paint)


def vehicle(rng: Random, x: float, z: float, heading: float) -> Iterator[Thing]:
    """A car as a rule, sometimes a truck, a bus, a motorcycle or a bicycle."""
    kind = rng.random()
    if kind < 0.82:
        yield a_car(rng, x, z, heading)
    elif kind < 0.86:
        paint = (pick(rng, BUS_PAINT), grey(rng, 0.6, 0.9))
        yield Thing(props.TRUCK_WITH_BOX, (x, 0, z + 6), heading=heading, palette=paint)
    elif kind < 0.89:
        paint = (pick(rng, BUS_PAINT), pick(rng, BUS_PAINT))
        yield Thing(props.BUS_COACH, (x, 0, z + 10), heading=heading, palette=paint)
    elif kind < 0.935:
        yield two_wheeler(rng, props.MOTORCYCLISTS[1], x, z)
    else:
        yield two_wheeler(rng, props.CYCLISTS[1], x + (1.0 if heading == 0 else -1.0), z)


def crossing_life(rng: Random, plan: Plan) -> Iterator[Thing]:
    """Traffic lights, people on the zebra crossing and traffic from the side street."""
    near, far = plan.crossing
    if chance(rng, 0.75):
        lit = int(rng.integers(3))
        for side in (RIGHT, LEFT):
            yield Thing(props.SIGNALS[lit], (plan.kerb[side] + side * 0.5, KERB, near - 6))
            yield Thing(props.SIGNALS[lit], (plan.kerb[side] + side * 0.5, KERB, far + 1.0))
    if plan.zebra is not None:
        for x in rng.uniform(plan.kerb[LEFT], plan.kerb[RIGHT], rng.poisson(1.5)):
            yield walker(rng, x, plan.zebra + rng.uniform(0.5, 3), 0.0)
    for _ in range(rng.poisson(0.8)):
        x, z = rng.uniform(-18, 18), rng.uniform(near + 2, far - 2)
        kind = rng.random()
        if kind < 0.6:
            yield a_car(rng, x, z, np.pi / 2 if chance(rng, 0.5) else -np.pi / 2)
        else:
            yield two_wheeler(rng, props.CYCLISTS[0] if kind < 0.85 else props.MOTORCYCLISTS[0], x, z)


# ---------------------------------------------------------------------------------------------- single things


def strip(label: int, colour: Triple, x: Range, z: Range, low: float = 0.0, height: float = 0.0) -> Thing:
    """A piece of ground over the ranges x and z, as a slab from `low` up to `low + height`."""
    return fill(props.GROUND[label], x, (low, low + height), z, colour)


def fill(model: Model, x: Range, y: Range, z: Range, *palette: Triple, grain: Triple = (2.5, 3.0, 0.5)) -> Thing:
    """A block of side 1, stretched to fill the ranges x (in any order), y and z."""
    left, right = sorted(x)
    scale = (right - left, y[1] - y[0], z[1] - z[0])
    return Thing(model, (left, y[0], z[0]), scale, palette=palette, grain=grain)


def tree(rng: Random, x: float, z: float, height: float, leaves: Triple | None = None) -> Thing:
    wide = height * rng.uniform(0.8, 1.1)
    models, turn = (props.TREES, rng.uniform(0, 6.3)) if z < FAR else (props.FAR_TREES, 0.0)
    colour = vary(rng, leaves or pick(rng, LEAVES), 0.03)
    return Thing(pick(rng, models), (x, 0, z), (wide, height, wide), turn, (colour,))


def bush(rng: Random, x: float, z: float) -> Thing:
    size, colour = rng.uniform(0.8, 1.8), vary(rng, pick(rng, LEAVES), 0.03)
    return Thing(props.BUSH, (x, 0, z), (1.3 * size, size, 1.3 * size), rng.uniform(0, 6.3), (colour,))


def a_car(rng: Random, x: float, z: float, heading: float) -> Thing:
    height, paint = rng.uniform(0.97, 1.06), vary(rng, pick(rng, CAR_PAINT), 0.03)
    return Thing(pick(rng, props.CARS), (x, 0, z), (1.0, height, 1.0), heading, (paint,))


def walker(rng: Random, x: float, z: float, height: float = KERB) -> Thing:
    size = rng.uniform(0.93, 1.08) if chance(rng, 0.9) else 0.7  # some are children
    width = size * rng.uniform(0.9, 1.1)
    clothes = (vary(rng, pick(rng, SHIRTS), 0.05), pick(rng, TROUSERS), pick(rng, HAIR))
    return Thing(pick(rng, props.PEOPLE), (x, height, z), (width, size, size), 0.0, clothes)


def two_wheeler(rng: Random, model: Model, x: float, z: float, height: float = 0.0) -> Thing:
    palette = (pick(rng, SHIRTS), pick(rng, TROUSERS), pick(rng, CAR_PAINT))
    return Thing(model, (x, height, z), palette=palette)


# ---------------------------------------------------------------------------------------------------- helpers


def chance(rng: Random, probability: float) -> bool:
    return bool(rng.random() < probability)


def pick(rng: Random, choices: Sequence[T]) -> T:
    return choices[int(rng.random() * len(choices))]


def vary(rng: Random, colour: Triple, amount: float) -> tuple[float, float, float]:
    """A colour a little lighter or darker, warmer or colder."""
    light, warm = rng.normal(0, amount), rng.normal(0, amount / 2)
    r, g, b = colour
    return (r + light + warm, g + light, b + light - warm)


def grey(rng: Random, low: float, high: float) -> tuple[float, float, float]:
    value = rng.uniform(low, high)
    return (value, value, value + 0.01)


def grass_colour(rng: Random) -> tuple[float, float, float]:
    return vary(rng, (0.34, 0.42, 0.18), 0.04)


def blocks(plan: Plan) -> list[tuple[float, float]]:
    """The z ranges between the street's beginning, its crossing and its end."""
    if plan.crossing is None:
        return [(START, plan.end)]
    return [(START, plan.crossing[0]), (plan.crossing[1], plan.end)]


def on_crossing(plan: Plan, z: float, margin: float = 0.5) -> bool:
    return plan.crossing is not None and plan.crossing[0] - 5 - margin < z < plan.crossing[1] + margin


def in_view(thing: Thing) -> bool:
    """False for a thing, not a block, that stands too far to the side to be seen."""
    x, _, z = thing.position
    return thing.model.block or abs(x) < 5 + 0.55 * z


def heights_along(things: list[Thing]) -> np.ndarray:
    """Height of the houses along one side at every metre of z, for the shadows that they throw."""
    heights = np.zeros(220, np.float32)
    for thing in things:
        if thing.model is props.HOUSE:
            start, stop = max(0, round(thing.position[2])), round(thing.position[2] + thing.scale[2])
            heights[start:stop] = thing.scale[1]
    heights[: int(START)] = heights[int(START)]
    return heights


def stack_polygons(things: list[Thing]) -> Polygons:
    """Stretch, turn and move every model to its place, and stack all polygons."""
    models, position, scale, heading, palettes, grain = zip(*things, strict=True)
    position, scale, heading, grain = map(np.float32, (position, scale, heading, grain))
    palette = np.float32([(colours * 3)[:3] for colours in palettes])
    *stacks, _ = zip(*models, strict=True)
    corners, sizes, labels, colours, places, materials, details, shadow = map(np.concatenate, stacks)

    thing = np.repeat(np.arange(len(things)), [len(model.sizes) for model in models])
    keep = ~details | (position[thing, 2] < DETAIL_DISTANCE)
    corners, sizes, thing = corners[np.repeat(keep, sizes)], sizes[keep], thing[keep]

    corner_thing = np.repeat(thing, sizes)
    corners = corners * scale[corner_thing]
    sin, cos = np.sin(heading)[corner_thing], np.cos(heading)[corner_thing]
    x, y, z = corners.T
    corners = np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=1) + position[corner_thing]

    nearest = np.minimum.reduceat(corners[:, 2], np.flatnonzero(np.diff(corner_thing, prepend=-1)))
    places = places[keep]
    colours = np.where(places[:, None] >= 0, palette[thing, places], colours[keep])
    chosen = labels[keep], colours, materials[keep], shadow[keep]
    return Polygons(corners, sizes, *chosen, nearest[thing], position[thing], grain[thing])
