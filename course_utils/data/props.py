"""What can stand in a street of SynthCity: models made of flat parts. Built in chapter 01.

A model is a list of flat polygons in its own coordinates, in metres: x right, y up, z forward. It stands on
y = 0 and looks along +z. `street.py` places models, `render.py` draws them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Cityscapes trainIds.
ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN, VEGETATION, TERRAIN = range(10)
SKY, PERSON, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = range(10, 19)

# Materials: which texture `render.py` puts on a part.
MATERIALS = 9
PLAIN, ASPHALT, PAVING, GRASS, FACADE, TILES, PLANKS, FOLIAGE, GLASS = range(MATERIALS)

BLACK, DARK, GREY, WHITE = (0.06, 0.06, 0.07), (0.16, 0.16, 0.18), (0.45, 0.46, 0.48), (0.88, 0.88, 0.86)
WINDOW, RED, AMBER, GREEN = (0.10, 0.12, 0.15), (0.85, 0.10, 0.08), (0.95, 0.60, 0.10), (0.10, 0.80, 0.45)
SKIN, BARK = (0.72, 0.53, 0.43), (0.30, 0.24, 0.19)
FIRST, SECOND, THIRD = range(3)  # colours that differ from thing to thing: places in the thing's palette


Rectangle = tuple[float, float, float, float]


class Part(NamedTuple):
    """One flat polygon."""

    corners: np.ndarray  # [n, 3]; seen from the front, the side that the area vector points to
    label: int  # trainId
    colour: int | tuple[float, float, float]  # red, green, blue in 0..1, or a place in the thing's palette
    material: int = PLAIN
    detail: bool = False  # left out far away


class Model(NamedTuple):
    """All parts of a model, stacked, so that a street is put together with a few array operations."""

    corners: np.ndarray  # [N, 3]
    sizes: np.ndarray  # [P] corners of each part
    labels: np.ndarray  # [P]
    colours: np.ndarray  # [P, 3]
    places: np.ndarray  # [P] place in the palette, -1 where the part has its own colour
    materials: np.ndarray  # [P]
    details: np.ndarray  # [P] bool
    shadow: np.ndarray  # [P] bool: does the part throw a shadow on the ground?
    block: bool  # of side 1, to be stretched; else of natural size


def stack(parts: list[Part], shadow: bool = True, block: bool = False) -> Model:
    """Stack parts into a model. Ground and buildings have `shadow=False`: theirs are found by another way."""
    own = [part.colour if isinstance(part.colour, tuple) else (0.0, 0.0, 0.0) for part in parts]
    places = [-1 if isinstance(part.colour, tuple) else part.colour for part in parts]
    return Model(
        np.concatenate([part.corners for part in parts]).astype(np.float32),
        np.array([len(part.corners) for part in parts]),
        np.array([part.label for part in parts], np.int64),
        np.array(own, np.float32),
        np.array(places),
        np.array([part.material for part in parts], np.uint8),
        np.array([part.detail for part in parts]),
        np.array([shadow and not part.detail for part in parts]),
        block,
    )


def outward(corners: Sequence, inside: Sequence[float]) -> np.ndarray:
    """Order the corners so that the area vector, the sum of all a x b / 2, points away from `inside`."""
    corners = np.array(corners, float)
    arms = corners - corners[0]
    area = np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0)
    return corners if area @ (corners[0] - np.array(inside, float)) > 0 else corners[::-1]


def frustum(bottom: Rectangle, top: Rectangle, y0: float, y1: float) -> list[np.ndarray]:
    """Four sides and the top of a block whose floor and roof are rectangles (x0, x1, z0, z1)."""
    ring = [[(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)] for (x0, x1, z0, z1), y in ((bottom, y0), (top, y1))]
    inside = np.mean(ring, axis=(0, 1))
    sides = [[ring[0][i], ring[0][i - 3], ring[1][i - 3], ring[1][i]] for i in range(4)]
    return [outward(face, inside) for face in [*sides, ring[1]]]


def block(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> list[np.ndarray]:
    """Four sides and the top of a rectangular block, in the order front (-z), right, back, left, top."""
    return frustum((x0, x1, z0, z1), (x0, x1, z0, z1), y0, y1)


def prism(profile: Sequence[tuple[float, float]], x0: float, x1: float) -> list[np.ndarray]:
    """A side view [(z, y), ...] drawn out in width from x0 to x1: two flanks, then one face per edge."""
    flanks = [[(x, y, z) for z, y in profile] for x in (x0, x1)]
    inside = np.mean(flanks, axis=(0, 1))
    edges = [[flanks[0][i - 1], flanks[0][i], flanks[1][i], flanks[1][i - 1]] for i in range(len(profile))]
    return [outward(face, inside) for face in [*flanks, *edges]]


def board(points: Sequence[tuple[float, float]], z: float = 0.0) -> np.ndarray:
    """A flat shape [(x, y), ...] that faces the camera."""
    return outward([(x, y, z) for x, y in points], (0, 0, z + 1e3))


def stick(x0: float, y0: float, x1: float, y1: float, width: float, z: float = 0.0) -> np.ndarray:
    """A straight bar from (x0, y0) to (x1, y1), flat, facing the camera."""
    across = np.array([y0 - y1, x1 - x0]) * width / 2 / np.hypot(x1 - x0, y1 - y0)
    a, b = np.array([x0, y0]), np.array([x1, y1])
    return board([a - across, b - across, b + across, a + across], z)


def circle(x: float, y: float, radius: float, corners: int = 10) -> list[tuple[float, float]]:
    """The corners of a round shape."""
    angles = (np.arange(corners) + 0.5) * 2 * np.pi / corners
    return [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]


def inset(face: np.ndarray, left: float, right: float, low: float, high: float) -> np.ndarray:
    """A patch on a four-cornered face (first edge = bottom), its sides given as shares of the face."""
    a, b, c, d = face if face[0][1] + face[1][1] <= face[2][1] + face[3][1] else np.roll(face, 2, axis=0)
    if abs(a[1] - b[1]) > abs(a[1] - d[1]):  # the first edge runs upwards: turn the face by one corner
        a, b, c, d = (b, c, d, a) if b[1] < a[1] else (d, a, b, c)

    def point(s: float, t: float) -> np.ndarray:
        return (1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * d + s * c)

    return np.array([point(left, low), point(right, low), point(right, high), point(left, high)])


# ------------------------------------------------------------------------------------------ ground, buildings


def slab(label: int, material: int, shadow: bool = False) -> Model:
    """A block of side 1 that a street stretches to size: ground, houses, walls, fences, hedges."""
    return stack([Part(face, label, FIRST, material) for face in block(0, 1, 0, 1, 0, 1)], shadow, block=True)


def roof() -> Model:
    """A pitched roof of side 1, its ridge along the street: two slopes and two gables."""
    flanks = prism([(0, 0), (1, 0), (0.5, 1)], 0, 1)  # gables at x0, x1: turn it so that the ridge runs along z
    faces = [outward(face[:, [2, 1, 0]], (0.5, 0.3, 0.5)) for face in flanks]
    return stack(
        [
            Part(face, BUILDING, FIRST if index < 2 else SECOND, PLAIN if index < 2 else TILES)
            for index, face in enumerate(faces)
        ],
        shadow=False,
        block=True,
    )


# --------------------------------------------------------------------------------------------------- vehicles


def wheels(label: int, half_width: float, axles: Sequence[float], radius: float = 0.32) -> list[Part]:
    """Discs on both flanks and, under the body, the treads seen from the front and the back."""
    parts = []
    for z in axles:
        for side in (-1, 1):
            x = side * half_width
            for size, colour in ((radius, BLACK), (0.55 * radius, GREY)):
                disc = [(x, v, u) for u, v in circle(z, radius, size)]
                parts.append(Part(outward(disc, (0, radius, z)), label, colour, detail=size < radius))
    for z, behind in ((min(axles) - radius, 1), (max(axles) + radius, -1)):
        for x in (-half_width + 0.02, half_width - 0.26):
            tread = [(x, 0, z), (x + 0.24, 0, z), (x + 0.24, radius, z), (x, radius, z)]
            parts.append(Part(outward(tread, (0, radius, z + behind)), label, BLACK, detail=True))
    return parts


def lamps(
    label: int, face: np.ndarray, colour: tuple[float, float, float], low: float = 0.55, high: float = 0.8
) -> list[Part]:
    """A pair of lamps and a number plate on the front or the back of a vehicle."""
    return [
        Part(inset(face, 0.04, 0.22, low, high), label, colour, detail=True),
        Part(inset(face, 0.78, 0.96, low, high), label, colour, detail=True),
        Part(inset(face, 0.36, 0.64, 0.3, 0.48), label, WHITE, detail=True),
    ]


def car(length: float = 4.3, height: float = 1.48, bonnet: float = 0.95, boot: float = 0.45, label: int = CAR) -> Model:
    """A body with a cabin on it, which leaves `bonnet` and `boot` metres free. Palette: paint."""
    front, back, belt = length / 2, -length / 2, 0.62 * height
    profile = [
        (back + 0.05, 0.26),
        (front - 0.05, 0.26),
        (front, 0.55),
        (front - 0.12, 0.72),
        (front - bonnet, belt),
        (back + 0.08, belt),
        (back, 0.6),
    ]
    body = prism(profile, -0.88, 0.88)
    foot = (-0.86, 0.86, back + max(boot - 0.35, 0.06), front - bonnet)
    cabin = frustum(foot, (-0.68, 0.68, back + boot, front - bonnet - 0.75), belt, height)
    parts = [Part(face, label, FIRST) for face in [*body, *cabin]]
    parts += [Part(inset(cabin[i], 0.07, 0.93, 0.08, 0.9), label, WINDOW, GLASS) for i in (0, 2)]
    for i in (1, 3):
        parts += [Part(inset(cabin[i], s, s + 0.4, 0.08, 0.88), label, WINDOW, GLASS) for s in (0.08, 0.52)]
    rear = outward([(-0.88, 0.26, back), (0.88, 0.26, back), (0.88, belt, back), (-0.88, belt, back)], (0, 0.5, 0))
    nose = outward([(-0.88, 0.26, front), (0.88, 0.26, front), (0.88, 0.72, front), (-0.88, 0.72, front)], (0, 0.5, 0))
    rear[:, 2] -= 0.01
    nose[:, 2] += 0.01
    parts += lamps(label, rear, RED, 0.62, 0.86) + lamps(label, nose, WHITE)
    parts.append(Part(inset(rear, 0.0, 1.0, 0.0, 0.25), label, DARK, detail=True))
    parts.append(Part(inset(nose, 0.25, 0.75, 0.5, 0.8), label, DARK, detail=True))
    return stack(parts + wheels(label, 0.885, (0.3 * length, -0.3 * length)))


def coach(
    label: int,
    length: float,
    width: float,
    height: float,
    window_low: float,
    window_high: float,
    panes: int,
    floor: float = 0.3,
) -> Model:
    """A box with a row of windows: a bus or a tram. Palette: body, stripe."""
    half, end = width / 2, length / 2
    faces = block(-half, half, floor, height, -end, end)
    parts = [Part(face, label, FIRST) for face in faces]
    for i in (1, 3):
        parts.append(Part(inset(faces[i], 0, 1, 0.0, 0.18), label, SECOND))
        for pane in range(panes):
            left = (pane + 0.08) / panes
            parts.append(
                Part(inset(faces[i], left, left + 0.86 / panes, window_low, window_high), label, WINDOW, GLASS)
            )
    for i, colour in ((0, RED), (2, WHITE)):
        parts.append(Part(inset(faces[i], 0.06, 0.94, 0.4, 0.85), label, WINDOW, GLASS))
        parts.append(Part(inset(faces[i], 0.25, 0.75, 0.88, 0.97), label, AMBER, detail=True))
        parts.append(Part(inset(faces[i], 0.0, 1.0, 0.0, 0.18), label, SECOND))
        parts += lamps(label, faces[i], colour, 0.2, 0.28)
    return stack(parts + wheels(label, half + 0.005, (0.32 * length, -0.3 * length), 0.45))


def truck() -> Model:
    """A cab and a box behind it. Palette: cab, box."""
    cab, box = block(-1.15, 1.15, 0.5, 2.7, 1.9, 3.9), block(-1.25, 1.25, 0.9, 3.4, -3.9, 1.7)
    parts = [Part(face, TRUCK, FIRST) for face in cab] + [Part(face, TRUCK, SECOND) for face in box]
    parts += [Part(inset(cab[i], 0.08, 0.92, 0.5, 0.88), TRUCK, WINDOW, GLASS) for i in (1, 2, 3)]
    parts += lamps(TRUCK, cab[2], WHITE, 0.1, 0.25)
    parts.append(Part(inset(box[0], 0.485, 0.515, 0.03, 0.97), TRUCK, DARK, detail=True))
    chassis = block(-1.1, 1.1, 0.45, 0.9, -3.85, 1.9)
    parts += [Part(face, TRUCK, DARK) for face in chassis[:4]] + lamps(TRUCK, chassis[0], RED, 0.3, 0.8)
    return stack(parts + wheels(TRUCK, 1.16, (2.9, -2.4), 0.5))


# ------------------------------------------------------------------------------------ people, bicycles, trees


def torso(x: float, hip: float, lean: float, label: int) -> list[Part]:
    """Upper body, arm, head and hair above the point (x, hip). Palette: shirt."""
    neck, shoulder = hip + 0.56, x + lean
    chest = [
        (x - 0.16, hip),
        (x + 0.16, hip),
        (shoulder + 0.23, neck - 0.08),
        (shoulder + 0.1, neck),
        (shoulder - 0.1, neck),
        (shoulder - 0.23, neck - 0.08),
    ]
    head = shoulder + 0.25 * lean
    return [
        Part(board(chest), label, FIRST),
        Part(board(circle(head, neck + 0.12, 0.125, 8)), label, SKIN),
        Part(
            board(
                [
                    (head - 0.13, neck + 0.13),
                    (head + 0.13, neck + 0.13),
                    (head + 0.08, neck + 0.27),
                    (head - 0.08, neck + 0.27),
                ]
            ),
            label,
            THIRD,
        ),
    ]


def person(stride: float) -> Model:
    """A standing (stride 0) or walking person. Palette: shirt, trousers, hair."""
    legs = [Part(stick(side * 0.08, 0.95, side * (0.08 + stride), 0.0, 0.19), PERSON, SECOND) for side in (-1, 1)]
    shoes = [
        Part(
            board([(x - 0.1, 0.0), (x + 0.13, 0.0), (x + 0.09, 0.09), (x - 0.1, 0.09)]),
            PERSON,
            BLACK,
            detail=True,
        )
        for x in (-0.08 - stride, 0.08 + stride)
    ]
    arms = [Part(stick(side * 0.2, 1.42, side * (0.27 + 0.6 * stride), 0.85, 0.1), PERSON, FIRST) for side in (-1, 1)]
    return stack(legs + shoes + arms + torso(0, 0.9, 0, PERSON))


def cycle(label: int, ridden: bool) -> Model:
    """A bicycle or motorcycle from the side, with its rider if `ridden`. Palette: shirt, trousers, frame."""
    motor = label == MOTORCYCLE
    radius, tyre = (0.31, 0.11) if motor else (0.34, 0.05)
    parts = []
    for x in (-0.58, 0.58):
        parts.append(Part(board(circle(x, radius, radius, 12)), label, BLACK))
        parts.append(Part(board(circle(x, radius, radius - tyre, 10)), label, DARK if motor else GREY, detail=True))
    if motor:
        hull = [
            (-0.85, 0.62),
            (-0.35, 0.3),
            (0.3, 0.28),
            (0.62, 0.72),
            (0.42, 0.98),
            (0.1, 0.86),
            (-0.3, 0.74),
            (-0.9, 0.82),
        ]
        parts += [
            Part(board(hull), label, THIRD),
            Part(stick(0.6, 0.3, 0.38, 1.08, 0.09), label, GREY),
            Part(board(circle(0.0, 0.45, 0.16, 8)), label, GREY, detail=True),
        ]
    else:
        bars = [
            (-0.58, 0.34, -0.2, 0.8),
            (-0.2, 0.85, 0.4, 0.8),
            (-0.02, 0.3, 0.4, 0.8),
            (-0.02, 0.3, -0.24, 0.9),
            (-0.58, 0.34, -0.02, 0.3),
            (0.58, 0.34, 0.38, 1.0),
        ]
        parts += [Part(stick(*bar, 0.055), label, THIRD) for bar in bars]
        parts += [
            Part(stick(-0.38, 0.93, -0.1, 0.93, 0.08), label, BLACK),
            Part(stick(0.3, 1.02, 0.5, 1.02, 0.06), label, BLACK),
        ]
    if ridden:
        hip = 0.8 if motor else 0.92
        parts += torso(-0.2, hip, 0.22, RIDER)
        parts += [
            Part(stick(-0.2, hip, 0.16, hip - 0.32, 0.18), RIDER, SECOND),
            Part(stick(0.16, hip - 0.28, 0.0, 0.25, 0.14), RIDER, SECOND),
            Part(stick(0.05, hip + 0.46, 0.4, hip + 0.14, 0.1), RIDER, FIRST),
        ]
        if motor:
            parts.append(Part(board(circle(0.08, hip + 0.7, 0.17, 8)), RIDER, FIRST))
    return stack(parts)


def cycle_rear(label: int) -> Model:
    """A bicycle or motorcycle with its rider, from behind. Palette: shirt, trousers, frame."""
    motor = label == MOTORCYCLE
    wide = 0.16 if motor else 0.06
    parts = [
        Part(board([(-wide / 2, 0), (wide / 2, 0), (wide / 2, 0.7), (-wide / 2, 0.7)]), label, BLACK),
        Part(stick(-0.3, 1.02, 0.3, 1.02, 0.06), label, DARK),
    ]
    if motor:
        parts += [
            Part(board([(-0.2, 0.45), (0.2, 0.45), (0.25, 0.85), (-0.25, 0.85)]), label, THIRD),
            Part(board([(-0.08, 0.68), (0.08, 0.68), (0.08, 0.76), (-0.08, 0.76)]), label, RED, detail=True),
        ]
    hip = 0.78 if motor else 0.9
    for side in (-1, 1):
        parts += [
            Part(stick(side * 0.1, hip + 0.05, side * 0.2, 0.3, 0.16), RIDER, SECOND),
            Part(stick(side * 0.2, hip + 0.48, side * 0.32, hip + 0.12, 0.1), RIDER, FIRST),
        ]
    parts += torso(0, hip, 0, RIDER)
    if motor:
        parts.append(Part(board(circle(0, hip + 0.7, 0.17, 8)), RIDER, FIRST))
    return stack(parts)


def clump(rng: np.random.Generator, centre: Sequence[float], radius: float, roundness: float = 0.8) -> list[np.ndarray]:
    """A bumpy ball of 20 triangles: an icosahedron whose corners are moved at random."""
    turn = np.arange(5) * 2 * np.pi / 5
    upper = np.stack([0.9 * np.cos(turn), np.full(5, 0.5), 0.9 * np.sin(turn)], axis=1)
    lower = np.stack([0.9 * np.cos(turn + 0.63), np.full(5, -0.5), 0.9 * np.sin(turn + 0.63)], axis=1)
    points = np.concatenate([upper, lower, [(0, 1, 0), (0, -1, 0)]]) * (1 + 0.22 * rng.uniform(-1, 1, (12, 1)))
    points = np.array(centre) + radius * points * [1, roundness, 1]
    faces = []
    for k, n in zip(range(5), (1, 2, 3, 4, 0), strict=True):
        faces += [(10, k, n), (k, 5 + k, n), (5 + k, 5 + n, n), (11, 5 + n, 5 + k)]
    return [outward(points[list(face)], centre) for face in faces]


def far_clump(rng: np.random.Generator, centre: Sequence[float], radius: float) -> list[np.ndarray]:
    """The same of 12 faces, for far away: a wide ring below and a narrow one above, each with a lid."""
    turn = np.arange(5) * 2 * np.pi / 5
    rings = []
    for angle, height, width in ((0, -0.5, 0.95), (0.63, 0.8, 0.6)):
        wide = width * rng.uniform(0.8, 1.15, 5)
        ring = np.stack([wide * np.cos(turn + angle), np.full(5, height), wide * np.sin(turn + angle)], axis=1)
        rings.append(np.array(centre) + radius * ring)
    lower, upper = rings
    faces = [lower, upper]
    for k, n in zip(range(5), (1, 2, 3, 4, 0), strict=True):
        faces += [[lower[k], lower[n], upper[k]], [upper[k], upper[n], lower[n]]]
    return [outward(face, centre) for face in faces]


def tree(seed: int) -> Model:
    """A trunk and a crown of three leafy clumps, 1 high and about 0.6 wide. Palette: leaves."""
    rng = np.random.default_rng(seed)
    parts = [Part(face, VEGETATION, BARK, TILES) for face in block(-0.02, 0.02, 0, 0.5, -0.02, 0.02)[:4]]
    parts += [Part(face, VEGETATION, FIRST, FOLIAGE) for face in clump(rng, (0, 0.66, 0), 0.32, 1.0)]
    for angle in rng.uniform(0, 2 * np.pi) + np.array([0.0, 2.4]):
        centre = (0.17 * np.cos(angle), rng.uniform(0.5, 0.68), 0.17 * np.sin(angle))
        parts += [Part(face, VEGETATION, FIRST, FOLIAGE, detail=True) for face in clump(rng, centre, 0.22)]
    return stack(parts)


def far_tree(seed: int) -> Model:
    """A tree for the distance."""
    crown = far_clump(np.random.default_rng(seed), (0, 0.65, 0), 0.33)
    trunk = board([(-0.02, 0), (0.02, 0), (0.02, 0.5), (-0.02, 0.5)])
    return stack([Part(trunk, VEGETATION, BARK, TILES)] + [Part(face, VEGETATION, FIRST, FOLIAGE) for face in crown])


def bush() -> Model:
    """One leafy clump on the ground, 1 high."""
    faces = clump(np.random.default_rng(5), (0, 0.45, 0), 0.6)
    return stack([Part(face, VEGETATION, FIRST, FOLIAGE) for face in faces])


# ------------------------------------------------------------------------------------------- street furniture


def lamp_post(arm: float) -> Model:
    """A street lamp 7 m high whose arm reaches `arm` metres to the side."""
    return stack(
        [
            Part(board([(-0.07, 0), (0.07, 0), (0.04, 7), (-0.04, 7)]), POLE, FIRST),
            Part(stick(0, 6.95, arm, 7.25, 0.09), POLE, FIRST),
            Part(stick(arm, 7.22, 1.35 * arm, 7.25, 0.16), POLE, DARK),
        ]
    )


def post(height: float, width: float) -> list[Part]:
    return [Part(board([(-width / 2, 0), (width / 2, 0), (width / 2, height), (-width / 2, height)]), POLE, GREY)]


def traffic_light(lit: int) -> Model:
    """A signal head on a post; `lit` is the lamp that shines: 0 red, 1 amber, 2 green."""
    head = [(-0.19, 2.4), (0.19, 2.4), (0.19, 3.4), (-0.19, 3.4)]
    parts = [*post(2.6, 0.11), Part(board(head, -0.1), TRAFFIC_LIGHT, BLACK)]
    for lamp, colour in enumerate((RED, AMBER, GREEN)):
        shade = colour if lamp == lit else tuple(0.2 * c for c in colour)
        parts.append(Part(board(circle(0, 3.22 - 0.32 * lamp, 0.13, 8), -0.1), TRAFFIC_LIGHT, shade))
    return stack(parts)


def sign(kind: str) -> Model:
    """A traffic sign on a post: ban, warning, order, priority or a direction board."""
    parts = post(3.0 if kind == "direction" else 2.5, 0.07)
    if kind == "direction":
        layers = [
            ([(-0.9, 2.3), (0.9, 2.3), (0.9, 3.1), (-0.9, 3.1)], WHITE),
            ([(-0.85, 2.35), (0.85, 2.35), (0.85, 3.05), (-0.85, 3.05)], (0.1, 0.25, 0.6)),
        ]
    elif kind == "warning":
        layers = [
            ([(-0.45, 2.1), (0.45, 2.1), (0, 2.9)], RED),
            ([(-0.28, 2.2), (0.28, 2.2), (0, 2.7)], WHITE),
        ]
    elif kind == "priority":
        layers = [
            (circle(0, 2.45, 0.45, 4), WHITE),
            ([(-0.3, 2.45), (0, 2.15), (0.3, 2.45), (0, 2.75)], AMBER),
        ]
    elif kind == "order":
        layers = [(circle(0, 2.45, 0.36), WHITE), (circle(0, 2.45, 0.32), (0.1, 0.3, 0.7))]
    else:
        layers = [(circle(0, 2.45, 0.36), RED), (circle(0, 2.45, 0.25), WHITE)]
    parts += [Part(board(shape, -0.06), TRAFFIC_SIGN, colour) for shape, colour in layers]
    return stack(parts)


GROUND = {label: slab(label, material) for label, material in ((ROAD, ASPHALT), (SIDEWALK, PAVING), (TERRAIN, GRASS))}
HOUSE, ROOF = slab(BUILDING, FACADE), roof()
WALLS, FENCES, HEDGE = slab(WALL, TILES, True), slab(FENCE, PLANKS, True), slab(VEGETATION, FOLIAGE, True)
CARS = (
    car(),
    car(4.0, 1.5, 0.8, 0.2),
    car(4.6, 1.46, 1.05, 0.7),
    car(4.7, 1.75, 0.95, 0.15),
    car(4.9, 2.1, 0.6, 0.1),
)
BUS_COACH = coach(BUS, 11.5, 2.5, 3.1, 0.42, 0.85, 6)
TRAM, TRUCK_WITH_BOX = coach(TRAIN, 27.0, 2.5, 3.5, 0.45, 0.82, 12, 0.2), truck()
PEOPLE = (person(0.02), person(0.12), person(0.2))
TREES, FAR_TREES, BUSH = tuple(map(tree, range(6))), tuple(map(far_tree, range(6))), bush()
SIGNS = tuple(sign(kind) for kind in ("ban", "warning", "order", "priority", "direction"))
SIGNALS = tuple(traffic_light(lit) for lit in range(3))
LAMP_POSTS = {side: lamp_post(-side * 1.6) for side in (-1, 1)}
BICYCLE_PARKED, MOTORCYCLE_PARKED = cycle(BICYCLE, False), cycle(MOTORCYCLE, False)
CYCLISTS = (cycle(BICYCLE, True), cycle_rear(BICYCLE))
MOTORCYCLISTS = (cycle(MOTORCYCLE, True), cycle_rear(MOTORCYCLE))
