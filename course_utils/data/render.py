"""How SynthCity draws a street: a camera, a z-buffer and light. Built in chapter 01.

The one idea: a camera with focal length f sees the point (X, Y, Z) at pixel (f X / Z, f Y / Z). On a plane
n . (X, Y, Z) = d, so with the ray r = (X / Z, Y / Z, 1) of a pixel

    1 / Z = (n . r) / d,

which is affine in the pixel's coordinates. Three numbers per polygon give the exact inverse depth of every
pixel that it covers, and the largest one wins.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from course_utils.data import props
from course_utils.data.props import MATERIALS
from course_utils.data.street import LEFT, RIGHT, Polygons, Street

NEAR = 1.5  # metres; what lies nearer is cut away
FOCAL = 2262.52 / 2048  # Cityscapes' focal length, as a share of the image's width
SHADOW_DISTANCE = 40.0  # metres up to which things throw shadows on the ground
EDGE_ON = 2e-3  # change of the inverse depth from pixel to pixel, in 1 / metres, from which on a rim is checked
SUBPIXEL = 4  # bits with which OpenCV places corners between pixels


class Camera(NamedTuple):
    """Pinhole camera. A world point p lies at rotation @ (p - position): x right, y down, z forward."""

    position: np.ndarray  # [3]
    rotation: np.ndarray  # [3, 3]
    focal: tuple[float, float]  # in pixels, across and down
    centre: tuple[float, float]  # principal point in pixels; pixel centres are whole numbers
    size: tuple[int, int]  # H, W


class Weather(NamedTuple):
    """Light and air. Colours are linear: twice the light, twice the number."""

    sun: np.ndarray  # [3] unit vector towards the sun
    sunlight: np.ndarray  # [3, 1]
    skylight: np.ndarray  # [3, 1]
    haze: np.ndarray  # [3, 1] colour of far air
    density: float  # of the haze, per metre
    clouds: float  # cover, 0..1


class Buffers(NamedTuple):
    """What is seen at each pixel."""

    surface: np.ndarray  # int32 [H, W]: polygon number, counted from 1; 0 = sky
    inverse_depth: np.ndarray  # float32 [H, W]: 1 / Z in 1 / metres; 0 = sky


def make_camera(rng: np.random.Generator, size: tuple[int, int]) -> Camera:
    """A camera behind the windscreen, looking down the street.

    The field of view is that of Cityscapes (2 : 1) for every size, as when a photograph is resized, so that a
    street shows the same things at any size.
    """
    height, width = size
    yaw, pitch, roll = rng.normal(0, (0.035, 0.010, 0.008))
    position = np.array([rng.normal(0, 0.15), rng.uniform(1.15, 1.45), 0.0])
    return Camera(
        position,
        rotation(yaw, pitch + 0.034, roll),
        (FOCAL * width, FOCAL * 2 * height),
        ((width - 1) / 2, (height - 1) / 2),
        size,
    )


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """World axes (x right, y up, z forward) to camera axes (x right, y down, z forward)."""
    (sa, ca), (sb, cb), (sc, cc) = ((np.sin(a), np.cos(a)) for a in (yaw, pitch, roll))
    turn = np.array([[ca, 0, -sa], [0, 1, 0], [sa, 0, ca]])
    nod = np.array([[1, 0, 0], [0, cb, sb], [0, -sb, cb]])
    tilt = np.array([[cc, sc, 0], [-sc, cc, 0], [0, 0, 1]])
    return np.diag([1.0, -1.0, 1.0]) @ tilt @ nod @ turn


def draw_weather(rng: np.random.Generator) -> Weather:
    """Sunny or overcast, clear or hazy."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.05)
    density = rng.uniform(0.0005, 0.004) + (rng.random() < 0.12) * rng.uniform(0.003, 0.010)
    if rng.random() < 0.35:  # overcast: the whole sky is the lamp, as if a weak sun stood overhead
        sun = (0.15 * np.cos(azimuth), 1.0, 0.15 * np.sin(azimuth))
        sunlight, skylight, haze, clouds = (0.42, 0.43, 0.45), (0.62, 0.65, 0.70), (0.74, 0.77, 0.80), 1.0
    else:
        sun = (np.cos(azimuth), np.tan(elevation), np.sin(azimuth))
        sunlight = (1.25, 1.15, 0.97) if elevation < 0.6 else (1.25, 1.2, 1.12)
        skylight, haze, clouds = (0.36, 0.42, 0.52), (0.66, 0.74, 0.84), rng.uniform(0, 0.7)
    colours = np.float32([sunlight, skylight, haze])[..., None]
    return Weather(np.float32(sun / np.linalg.norm(sun)), *colours, density, clouds)


# --------------------------------------------------------------------------------------------------- z-buffer


def face_normals(polygons: Polygons) -> np.ndarray:
    """Unit vectors [S, 3], in world coordinates, out of each polygon's front."""
    first = np.cumsum(polygons.sizes) - polygons.sizes
    corners = polygons.corners - np.repeat(polygons.corners[first], polygons.sizes, axis=0)
    following = np.roll(corners, -1, axis=0)  # after the last corner, the next polygon's first: zero, as its own
    area = np.add.reduceat(cross(corners, following), first)
    return area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-9)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of the rows of two arrays [n, 3]; several times as fast as np.cross."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def plane_distances(polygons: Polygons, normals: np.ndarray, camera: Camera) -> np.ndarray:
    """Signed distance [S] from the camera to each plane, along its normal; negative if the front is seen."""
    first = np.cumsum(polygons.sizes) - polygons.sizes
    return ((polygons.corners[first] - camera.position.astype(np.float32)) * normals).sum(axis=1)


def inverse_depth_planes(polygons: Polygons, normals: np.ndarray, camera: Camera) -> np.ndarray:
    """Coefficients [S, 3]: 1 / Z = a u + b v + c at column u and row v. Zeros where the back is seen."""
    distance = plane_distances(polygons, normals, camera)
    seen = distance < -1e-3
    n = (normals @ camera.rotation.T) / np.where(seen, distance, np.inf)[:, None]
    a, b = n[:, 0] / camera.focal[0], n[:, 1] / camera.focal[1]
    c = n[:, 2] - a * camera.centre[0] - b * camera.centre[1]
    return np.stack([a, b, c], axis=1)


def rasterise(polygons: Polygons, planes: np.ndarray, camera: Camera) -> Buffers:
    """Draw the polygons one by one; at each pixel the one with the largest inverse depth stays."""
    height, width = camera.size
    surface, inverse_depth = np.zeros((height, width), np.int32), np.zeros((height, width), np.float32)
    filled = np.zeros((height, width), np.int32)  # the number of the polygon that was filled last
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    coefficients, edge_on = planes.tolist(), (np.abs(planes[:, :2]).max(axis=1) > EDGE_ON).tolist()
    for number, outline, (top, bottom, left, right), largest in outlines(polygons, planes, camera):
        seen = inverse_depth[top:bottom, left:right]
        if seen[(bottom - top) // 2, (right - left) // 2] > largest and seen.min() > largest:
            continue  # all hidden; a look at the middle spares most of the minima
        cv2.fillPoly(filled, [outline], number, shift=SUBPIXEL)
        a, b, c = coefficients[number - 1]
        candidate = a * columns[left:right] + (b * rows[top:bottom] + c)
        # A patch on a face (a window on a car) lies in the same plane and is drawn later: let it win the tie.
        nearer = candidate > 0.9999 * seen
        nearer &= filled[top:bottom, left:right] == number
        if edge_on[number - 1]:  # its plane leaves its range within the half pixel that fillPoly adds at the rim
            nearer &= candidate < 1.02 * largest
        np.copyto(seen, candidate, where=nearer)
        np.copyto(surface[top:bottom, left:right], number, where=nearer)
    return Buffers(surface, inverse_depth)


def outlines(polygons: Polygons, planes: np.ndarray, camera: Camera) -> Iterator[tuple]:
    """Yield what may be seen: polygon number from 1, corners in subpixels, window, largest inverse depth.

    Things come from near to far, so that most of the hidden polygons are found out before they are drawn.
    """
    height, width = camera.size
    points = (polygons.corners - camera.position) @ camera.rotation.T
    first = np.cumsum(polygons.sizes) - polygons.sizes
    nearest, farthest = np.minimum.reduceat(points[:, 2], first), np.maximum.reduceat(points[:, 2], first)
    pixels = project(np.where(points[:, 2:] > NEAR, points, 1.0), camera)
    low, high = np.minimum.reduceat(pixels, first), np.maximum.reduceat(pixels, first)

    cut = nearest <= NEAR
    outside = (high < 0).any(axis=1) | (low > (width - 1, height - 1)).any(axis=1) | ((high - low).prod(axis=1) < 1)
    seen = np.flatnonzero(planes.any(axis=1) & (farthest > NEAR) & (cut | ~outside))
    seen = seen[np.argsort(polygons.distance[seen], kind="stable")]
    subpixels, windows, largest = (
        to_subpixels(pixels),
        window(low, high, camera).tolist(),
        (1 / np.maximum(nearest, NEAR)).tolist(),
    )
    start, stop, cut = first.tolist(), (first + polygons.sizes).tolist(), cut.tolist()
    for number in seen.tolist():
        if cut[number]:
            clipped = project(clip_near(points[start[number] : stop[number]]), camera)
            bounds = window(clipped.min(axis=0), clipped.max(axis=0), camera).tolist()
            if bounds[0] < bounds[1] and bounds[2] < bounds[3]:
                yield number + 1, to_subpixels(clipped), bounds, largest[number]
        else:
            yield number + 1, subpixels[start[number] : stop[number]], windows[number], largest[number]


def window(low: np.ndarray, high: np.ndarray, camera: Camera) -> np.ndarray:
    """Top, bottom, left, right [..., 4] of the image around outlines from `low` to `high` [..., 2]."""
    height, width = camera.size
    low, high = np.floor(low), np.ceil(high) + 1
    bounds = np.stack([low[..., 1], high[..., 1], low[..., 0], high[..., 0]], axis=-1)
    return np.clip(bounds, 0, (height, height, width, width)).astype(int)


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Pixel coordinates [n, 2] of points [n, 3] in camera coordinates."""
    return points[:, :2] / points[:, 2:] * camera.focal + camera.centre


def clip_near(points: np.ndarray) -> np.ndarray:
    """Cut away the part of a polygon that lies nearer than NEAR (Sutherland and Hodgman, 1974)."""
    kept = []
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        if a[2] > NEAR:
            kept.append(a)
        if (a[2] > NEAR) != (b[2] > NEAR):
            kept.append(a + (b - a) * (NEAR - a[2]) / (b[2] - a[2]))
    return np.array(kept)


def to_subpixels(outline: np.ndarray) -> np.ndarray:
    return np.rint(outline * 2**SUBPIXEL).astype(np.int32)


# ------------------------------------------------------------------------------------------------------ light


class View(NamedTuple):
    """What the light and the textures need to know about P pixels."""

    number: np.ndarray  # int [P] polygon, counted from 0
    x: np.ndarray  # [P] the point seen, in world coordinates
    y: np.ndarray
    z: np.ndarray
    depth: np.ndarray  # [P] metres along the camera's axis
    footprint: np.ndarray  # [P] metres on the surface that a pixel covers, across the line of sight
    stretched: np.ndarray  # [P] the same along the line of sight, where a slanted surface is foreshortened


def paint(street: Street, normals: np.ndarray, buffers: Buffers, camera: Camera, weather: Weather) -> np.ndarray:
    """Colours [3, H, W], in linear light, of everything but the own car."""
    surface, ray = buffers.surface.ravel(), rays(camera)
    material = np.append(np.uint8(MATERIALS), street.polygons.materials).take(surface)  # the sky comes last
    pixels = np.argsort(material, kind="stable")  # pixels of one material stand side by side
    stops = np.cumsum(np.bincount(material, minlength=MATERIALS + 1))
    solid, sky = np.split(pixels, stops[-2:-1])

    view = look(street.polygons, normals, surface.take(solid) - 1, ray.take(solid, axis=1), buffers, solid, camera)
    colour = (street.polygons.colours.T**2).take(view.number, axis=1)
    for kind, change in TEXTURES.items():
        part = slice(stops[kind - 1], stops[kind])
        if part.start < part.stop:
            colour[:, part] = change(colour[:, part], View(*(values[part] for values in view)), street, normals)
    colour *= light(street, normals, view, solid, camera, weather)
    clear = np.exp(-weather.density * view.depth)
    colour = clear * colour + (1 - clear) * weather.haze

    picture = np.empty((3, surface.size), np.float32)
    picture[:, solid], picture[:, sky] = colour, sky_colour(ray.take(sky, axis=1), weather)
    return picture.reshape(3, *camera.size)


def rays(camera: Camera) -> np.ndarray:
    """World direction [3, H * W] in which each pixel looks; its length along the camera's axis is 1."""
    height, width = camera.size
    u = (np.arange(width, dtype=np.float32) - camera.centre[0]) / camera.focal[0]
    v = (np.arange(height, dtype=np.float32) - camera.centre[1]) / camera.focal[1]
    right, down, forward = camera.rotation.astype(np.float32)[:, :, None, None]
    return (right * u + (down * v[:, None] + forward)).reshape(3, -1)


def look(
    polygons: Polygons,
    normals: np.ndarray,
    number: np.ndarray,
    ray: np.ndarray,
    buffers: Buffers,
    solid: np.ndarray,
    camera: Camera,
) -> View:
    """Find the point that each pixel sees: the camera's position + depth * ray."""
    depth = 1 / buffers.inverse_depth.ravel().take(solid)
    x, y, z = ray * depth + camera.position.astype(np.float32)[:, None]
    footprint = depth / np.float32(camera.focal[0])
    distance = plane_distances(polygons, normals, camera)
    return View(number, x, y, z, depth, footprint, -footprint * depth / distance.take(number))


def light(
    street: Street, normals: np.ndarray, view: View, solid: np.ndarray, camera: Camera, weather: Weather
) -> np.ndarray:
    """Light [3, P] on each point: from the sun, where nothing stands before it, and from the sky."""
    toward_sun = np.maximum(normals @ weather.sun, 0) ** 0.8
    toward_sky = 0.65 + 0.35 * normals[:, 1]
    sun = toward_sun.take(view.number) * (1 - shade(street, view, solid, camera, weather))
    sky = toward_sky.take(view.number) * np.minimum(0.7 + 0.1 * view.y, 1)  # less sky is seen from deep in a street
    return sun * weather.sunlight + sky * weather.skylight


def shade(street: Street, view: View, solid: np.ndarray, camera: Camera, weather: Weather) -> np.ndarray:
    """Share of the sunlight [P] that things and houses keep away from the pixels `solid`."""
    on_ground = cast_on_ground(street.polygons, camera, weather.sun).take(solid) * (view.y < 0.25)
    return np.maximum(on_ground, house_shadow(street, view, weather.sun))


def cast_on_ground(polygons: Polygons, camera: Camera, sun: np.ndarray) -> np.ndarray:
    """Shadow mask [H, W]: each polygon slides along the sunlight onto the ground and is filled there."""
    mask = np.zeros(camera.size, np.uint8)
    slide = polygons.corners[:, 1:2] * (sun / sun[1]).astype(np.float32)
    points = (polygons.corners - slide - camera.position) @ camera.rotation.T
    first = np.cumsum(polygons.sizes) - polygons.sizes
    depth = np.minimum.reduceat(points[:, 2], first)
    casts = polygons.shadow & (depth > NEAR) & (depth < SHADOW_DISTANCE)
    pixels = to_subpixels(project(np.where(points[:, 2:] > NEAR, points, 1.0), camera))
    for start, size in zip(first[casts].tolist(), polygons.sizes[casts].tolist(), strict=True):
        cv2.fillPoly(mask, [pixels[start : start + size]], 255, shift=SUBPIXEL)
    return cv2.blur(mask, (3, 3)) * np.float32(1 / 255)


def house_shadow(street: Street, view: View, sun: np.ndarray) -> np.ndarray:
    """1 where the ray from a point to the sun meets the house front on the sun's side, below its roof."""
    side = RIGHT if sun[0] > 0 else LEFT
    heights = street.skyline[side]
    way = (street.plan.front[side] - view.x) / sun[0]
    z = view.z + way * sun[2]
    above = heights.take(z.astype(np.int32), mode="clip") - (view.y + way * sun[1])
    return np.clip(2 * above, 0, 1) * ((way > 0) & (z >= 0) & (z < len(heights)))


def sky_colour(ray: np.ndarray, weather: Weather) -> np.ndarray:
    """Haze at the horizon, blue or grey above, clouds, and a glow around the sun."""
    x, y, z = ray
    up = np.maximum(y, 0.02)
    zenith = np.float32([[0.30], [0.48], [0.80]]) * (1 - weather.clouds) + 0.75 * weather.haze * weather.clouds
    blue = np.minimum(up / 0.35, 1)
    cloud = np.clip(2 * noise(6 * x / up, 6 * z / up) - 2.3 + 2 * weather.clouds, 0, 1)
    colour = weather.haze * (1 - blue) + zenith * blue
    colour = colour * (1 - cloud) + 1.2 * weather.haze * cloud
    glow = np.maximum(weather.sun @ ray, 0) ** 24
    return colour + glow * weather.sunlight * (0.5 - 0.5 * weather.clouds)


# --------------------------------------------------------------------------------------------------- textures


@cache
def noise_tile() -> np.ndarray:
    """Smooth noise [256, 256] in 0..1 that repeats without a seam, the sum of four octaves."""
    rng = np.random.Generator(np.random.PCG64(7))
    total = np.zeros((256, 256), np.float32)
    for octave in range(2, 6):
        cells = rng.random((2**octave * 2,) * 2, np.float32)
        wide = cv2.resize(
            np.pad(cells, 2, mode="wrap"),
            None,
            fx=256 / len(cells),
            fy=256 / len(cells),
            interpolation=cv2.INTER_CUBIC,
        )
        margin = 2 * 256 // len(cells)
        total += wide[margin : margin + 256, margin : margin + 256] * 0.62**octave
    order = total.ravel().argsort().argsort()  # spread the values evenly over 0..1
    return (order.reshape(256, 256) / 65535).astype(np.float32)


def noise(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Noise at points counted in cells of the tile."""
    row, column = y.astype(np.int32) & 255, x.astype(np.int32) & 255
    return noise_tile().ravel().take(256 * row + column)


def pulses(x: np.ndarray, period: np.ndarray | float, width: np.ndarray | float, blur: np.ndarray) -> np.ndarray:
    """1 on bars of the given width in the middle of every period, else 0, averaged over `blur` metres."""
    from_middle = np.abs(x / period - np.floor(x / period) - 0.5) * period
    sharp = np.clip((width / 2 - from_middle) / blur + 0.5, 0, 1)
    fade = np.clip(2 * blur / period - 0.5, 0, 1)  # bars thinner than a pixel become their mean
    return sharp * (1 - fade) + fade * width / period


def line(distance: np.ndarray, width: np.ndarray | float, blur: np.ndarray) -> np.ndarray:
    """1 on a line, 0 off it, averaged over `blur` metres; `distance` is that from its middle."""
    return np.clip((width / 2 - np.abs(distance)) / blur + 0.5, 0, np.minimum(1, width / blur))


def asphalt(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Tar with patches, tram rails, lane markings and a zebra crossing."""
    x, z, plan = view.x, view.z, street.plan
    tar = 0.78 + 0.3 * noise(x * 9, z * 3) + 0.16 * noise(x * 40, z * 40) * np.exp(-3 * view.stretched)
    if plan.tram is not None:
        for rail in (-0.72, 0.72):
            tar *= 1 - 0.7 * line(x - plan.tram - rail, 0.12, view.footprint)
    paint_share = np.zeros_like(x)
    for place, dash in plan.markings:
        paint_share += line(x - place, 0.14, view.footprint) * (
            pulses(z, 3 * dash, dash, view.stretched) if dash else 1
        )
    open_road = z < plan.end
    if plan.crossing:
        open_road &= (z < plan.crossing[0] - 6) | (z > plan.crossing[1])
    paint_share *= open_road
    if plan.zebra is not None:
        paint_share += line(z - plan.zebra - 2, 4, view.stretched) * pulses(x, 1.0, 0.5, view.footprint)
    worn = np.clip(paint_share, 0, 1) * (0.55 + 0.4 * noise(x * 12, z * 12))
    return colour * (tar * (1 - worn)) + 0.62 * worn


def paving(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Slabs with joints; the kerb is a lighter stone."""
    x, z, kerb = view.x, view.z, street.plan.kerb
    joints = np.maximum(pulses(x, 0.6, 0.05, view.footprint), pulses(z, 0.9, 0.06, view.stretched))
    stone = (0.86 + 0.25 * noise(x * 6, z * 6)) * (1 - 0.35 * joints)
    stone *= 1 + 0.35 * (np.minimum(np.abs(x - kerb[RIGHT]), np.abs(x - kerb[LEFT])) < 0.25)
    return colour * stone


def grass(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Blades in tufts, with dry patches."""
    blades = 0.55 + 0.6 * noise(view.x * 8, view.z * 5) + 0.3 * noise(view.x * 45, view.z * 30)
    dry = noise(view.x * 2 + 50, view.z * 2) * np.float32([[0.35], [0.16], [0.04]])
    return colour * blades * (1 + dry)


def foliage(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Leaves in the light and in the dark."""
    x, y, z = view.x, view.y, view.z
    leaves = 0.3 + 0.9 * noise(x * 14 + z * 9, y * 14 + z * 5) + 0.7 * noise((x + z) * 45, y * 45)
    warm = noise(x * 3, (z + y) * 3) * np.float32([[0.5], [0.2], [0.0]])
    return colour * leaves * (1 + warm)


def facade(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Plaster with rows of windows, ledges between the storeys and shop windows on the ground."""
    origin, grain = street.polygons.origin, street.polygons.grain
    spacing, storey, seed = (grain[:, i].take(view.number) for i in range(3))
    faces_street = np.abs(normals[:, 0]).take(view.number) > 0.5
    along = np.where(faces_street, view.z - origin[:, 2].take(view.number), view.x - origin[:, 0].take(view.number))
    up, floor = view.y, np.floor(view.y / storey)
    shop = floor == 0

    wide, high = np.where(shop, 0.8, 0.36 + 0.2 * seed) * spacing, np.where(shop, 0.72, 0.52) * storey
    pane = pulses(along, spacing, wide, view.stretched) * pulses(up, storey, high, view.footprint)
    frame = pulses(along, spacing, wide + 0.3, view.stretched) * pulses(up, storey, high + 0.3, view.footprint) - pane
    ledge = pulses(up + 0.5 * storey, storey, 0.22, view.footprint)
    wall = 0.82 + 0.25 * noise(along * 5 + seed * 99, up * 5)
    wall *= 1 + 0.45 * frame * (seed * 7 % 1 > 0.4) - 0.3 * ledge * (seed > 0.35)
    wall *= np.where(shop & (seed * 13 % 1 > 0.5), 0.55, 1)

    room = np.floor(along / spacing) * 7.3 + floor * 31.7 + seed * 997
    mirrored = 0.015 + 0.16 * noise(room * 17.1, room * 5.3) ** 3 + 0.05 * noise(along * 3, up * 3)
    wall *= 1 - pane
    return colour * wall + mirrored * pane * np.float32([[0.85], [0.97], [1.15]])


def tiles(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Bricks, roof tiles, bark: stained rows with dark joints."""
    joints = pulses(view.y, 0.3, 0.06, view.footprint)
    stains = 0.75 + 0.45 * noise((view.x + view.z) * 5, view.y * 7)
    return colour * (stains * (1 - 0.4 * joints))


def planks(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Upright boards."""
    across = view.x + view.z
    gaps = pulses(across, 0.36, 0.1, view.stretched)
    return colour * ((0.8 + 0.35 * noise(across * 3, view.y)) * (1 - 0.6 * gaps))


def glass(colour: np.ndarray, view: View, street: Street, normals: np.ndarray) -> np.ndarray:
    """Dark panes that mirror a little sky."""
    shine = np.clip(0.25 + normals[:, 1], 0, 1).take(view.number) * (0.3 + 0.7 * noise(view.x * 25, view.y * 40))
    return colour + shine * np.float32([[0.28], [0.33], [0.38]])


TEXTURES = {
    props.ASPHALT: asphalt,
    props.PAVING: paving,
    props.GRASS: grass,
    props.FACADE: facade,
    props.TILES: tiles,
    props.PLANKS: planks,
    props.FOLIAGE: foliage,
    props.GLASS: glass,
}
