//! Drawing one view of a lesion.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

use super::appearance::{Appearance, Lesion, mix, normal};
use crate::seed;

/// Angles at which an outline is tabulated.
const ANGLES: usize = 128;
/// Side of a noise grid; positions beyond it repeat.
const GRID: usize = 16;

const WHITE: [f32; 3] = [238.0, 226.0, 216.0];
const BLOOD: [f32; 3] = [176.0, 40.0, 56.0];
const HAIR: [f32; 3] = [52.0, 40.0, 36.0];

/// RGB pixels `[height, width, 3]` of one view. What belongs to the lesion comes from the lesion; what differs from
/// photograph to photograph (position, turn, zoom, light, hairs, grain) comes from `view`.
pub(super) fn draw(lesion: &Lesion, height: usize, width: usize, view: &mut impl Rng) -> Vec<u8> {
    let body = Body::new(lesion);
    let camera = Camera::new(height, width, view);
    let skin_noise = Noise::new(view);
    let hairs = hairs(view);
    let mut pixels = Vec::with_capacity(height * width * 3);
    for row in 0..height {
        for column in 0..width {
            // Both run in units of the image's height, from its centre.
            let x = (column as f32 + 0.5 - width as f32 / 2.0) / height as f32;
            let y = (row as f32 + 0.5) / height as f32 - 0.5;
            let patchy =
                10.0 * skin_noise.at(x * 5.0, y * 5.0) + 6.0 * skin_noise.at(x * 17.0, y * 17.0);
            let skin = lesion.skin.map(|channel| channel + patchy);
            let (u, v) = camera.place(x, y);
            let mut colour = body.paint(u, v, skin);
            for hair in &hairs {
                colour = mix(colour, HAIR, 0.65 * hair.cover(x, y, 1.0 / height as f32));
            }
            let light = camera.light(x, y);
            let grain = 2.5 * normal(view);
            pixels.extend(
                colour.iter().zip(camera.tint).map(|(channel, tint)| {
                    (channel * light * tint + grain).clamp(0.0, 255.0) as u8
                }),
            );
        }
    }
    pixels
}

/// Where the lesion lies in the picture, and how it is lit.
struct Camera {
    centre: [f32; 2],
    sin: f32,
    cos: f32,
    zoom: f32,
    brightness: f32,
    slope: [f32; 2],
    shadow: f32,
    tint: [f32; 3],
}

impl Camera {
    fn new(height: usize, width: usize, view: &mut impl Rng) -> Self {
        let (sin, cos) = (TAU * view.random::<f32>()).sin_cos();
        let aspect = width as f32 / height as f32;
        Self {
            centre: [0.07 * aspect * normal(view), 0.07 * normal(view)],
            sin,
            cos,
            zoom: (0.12 * normal(view)).exp(),
            brightness: 1.0 + 0.07 * normal(view),
            slope: [0.12 * normal(view), 0.12 * normal(view)],
            // A quarter of the pictures show the dark rim of the lens.
            shadow: if view.random::<f32>() < 0.25 {
                1.0
            } else {
                0.0
            },
            tint: std::array::from_fn(|_| 1.0 + 0.025 * normal(view)),
        }
    }

    /// From picture to lesion.
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (x - self.centre[0], y - self.centre[1]);
        (
            (self.cos * x + self.sin * y) * self.zoom,
            (self.cos * y - self.sin * x) * self.zoom,
        )
    }

    fn light(&self, x: f32, y: f32) -> f32 {
        let even = self.brightness + self.slope[0] * x + self.slope[1] * y;
        even * (1.0 - self.shadow * smooth(0.58, 0.8, x.hypot(y)))
    }
}

/// A lesion ready to be painted.
struct Body<'a> {
    appearance: &'a Appearance,
    elongation: f32,
    /// Radius by angle, around 1.
    outline: [f32; ANGLES],
    patches: Noise,
    texture: Noise,
    vessels: Vec<Curve>,
    /// Centre, radius.
    lakes: Vec<([f32; 2], f32)>,
    /// Centre, radius, and whether dark.
    dots: Vec<([f32; 2], f32, bool)>,
}

impl<'a> Body<'a> {
    fn new(lesion: &'a Lesion) -> Self {
        let appearance = &lesion.appearance;
        let radius = appearance.radius;
        let random = &mut seed::stream("generated shape", lesion.shape, &[]);
        let waves: Vec<(f32, f32, f32)> = (2..10)
            .map(|order| {
                let order = order as f32;
                let strength = 1.6 * appearance.irregularity * normal(random) / order;
                (order, strength, TAU * random.random::<f32>())
            })
            .collect();
        let outline = std::array::from_fn(|step| {
            let angle = step as f32 * TAU / ANGLES as f32;
            let swing: f32 = waves
                .iter()
                .map(|(order, strength, phase)| strength * (order * angle + phase).sin())
                .sum();
            (1.0 + swing).max(0.3)
        });
        let within = |reach: f32, random: &mut _| {
            let (sin, cos) = (TAU * RngExt::random::<f32>(random)).sin_cos();
            let distance = reach * RngExt::random::<f32>(random).sqrt();
            [distance * cos, distance * sin]
        };
        let count = |strength: f32, most: f32| (strength * most).round() as usize;
        Self {
            appearance,
            elongation: lesion.elongation,
            outline,
            patches: Noise::new(random),
            texture: Noise::new(random),
            vessels: (0..count(appearance.vessels, 7.0))
                .map(|_| {
                    let from = within(radius, random);
                    let to = within(radius * 1.1, random);
                    Curve::new(from, to, 0.4, 0.004, random)
                })
                .collect(),
            lakes: (0..count(appearance.lakes, 9.0))
                .map(|_| {
                    let centre = within(radius * 0.85, random);
                    (centre, radius * (0.15 + 0.2 * random.random::<f32>()))
                })
                .collect(),
            dots: (0..count(appearance.dots, 22.0))
                .map(|_| {
                    let centre = within(radius * 0.9, random);
                    let size = 0.008 + 0.012 * random.random::<f32>();
                    (centre, size, random.random::<f32>() < 0.6)
                })
                .collect(),
        }
    }

    /// The colour at a place of the lesion's own plane, over the skin.
    fn paint(&self, u: f32, v: f32, skin: [f32; 3]) -> [f32; 3] {
        let look = self.appearance;
        let stretch = self.elongation.sqrt();
        let (a, b) = (u / stretch, v * stretch);
        // 1 at the outline.
        let depth = a.hypot(b) / (look.radius * self.reach(a, b));
        if depth > 2.0 {
            return skin;
        }
        let mut colour = look.main;
        // Patches: low noise, pushed to one side by the asymmetry.
        let (p, q) = (u / look.radius, v / look.radius);
        let lean = look.asymmetry * p;
        let level =
            self.patches.at(p * 1.7, q * 1.7) + 0.4 * self.patches.at(q * 4.1, p * 4.1) + lean;
        let threshold = 1.0 - 2.0 * look.patches;
        colour = mix(
            colour,
            look.second,
            smooth(threshold - 0.3, threshold + 0.3, level),
        );
        let centre = look.pale_centre * (1.0 - smooth(0.15, 0.65, depth));
        colour = mix(colour, WHITE, 0.75 * centre);
        // A pigment net: dark lines around lighter holes.
        let (warp, weft) = (
            self.texture.at(u * 9.0, v * 9.0),
            self.texture.at(v * 9.0, u * 9.0),
        );
        let mesh = ((u * 95.0 + 1.6 * warp).sin() * (v * 95.0 + 1.6 * weft).sin()).abs();
        let line = look.network * (1.0 - smooth(0.0, 0.45, mesh)) * smooth(0.0, 0.4, depth);
        colour = colour.map(|channel| channel * (1.0 - 0.35 * line));
        for (place, radius) in &self.lakes {
            let cover = 1.0
                - smooth(
                    radius * 0.7,
                    radius * 1.1,
                    (u - place[0]).hypot(v - place[1]),
                );
            colour = mix(colour, BLOOD, 0.7 * cover);
        }
        for (place, radius, dark) in &self.dots {
            let cover = 1.0
                - smooth(
                    radius * 0.5,
                    radius * 1.2,
                    (u - place[0]).hypot(v - place[1]),
                );
            let dot = if *dark {
                look.second.map(|channel| channel * 0.55)
            } else {
                WHITE
            };
            colour = mix(colour, dot, 0.75 * cover);
        }
        for vessel in &self.vessels {
            colour = mix(colour, BLOOD, 0.7 * vessel.cover(u, v, 0.012));
        }
        let scale = smooth(0.35, 0.7, self.texture.at(u * 34.0, v * 34.0));
        colour = mix(colour, WHITE, 0.8 * look.scales * scale);
        let grain = 9.0 * self.texture.at(u * 60.0, v * 60.0);
        colour = colour.map(|channel| channel + grain);
        let cover = 1.0 - smooth(1.0 - look.softness, 1.0 + look.softness, depth);
        mix(skin, colour, cover)
    }

    /// The outline's radius in this direction, around 1.
    fn reach(&self, u: f32, v: f32) -> f32 {
        let turn = v.atan2(u).rem_euclid(TAU) / TAU * ANGLES as f32;
        let step = turn as usize;
        let (from, to) = (
            self.outline[step % ANGLES],
            self.outline[(step + 1) % ANGLES],
        );
        from + (to - from) * turn.fract()
    }
}

/// A bent line, as points.
struct Curve {
    points: [[f32; 2]; 10],
    width: f32,
}

impl Curve {
    fn new(from: [f32; 2], to: [f32; 2], bend: f32, width: f32, random: &mut impl Rng) -> Self {
        // A quadratic Bézier curve whose middle handle is pushed aside.
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let push = bend * normal(random);
        let handle = [
            (from[0] + to[0]) / 2.0 - dy * push,
            (from[1] + to[1]) / 2.0 + dx * push,
        ];
        let points = std::array::from_fn(|step| {
            let t = step as f32 / 9.0;
            let at = |axis: usize| {
                (1.0 - t).powi(2) * from[axis]
                    + 2.0 * t * (1.0 - t) * handle[axis]
                    + t * t * to[axis]
            };
            [at(0), at(1)]
        });
        Self { points, width }
    }

    /// How much of the place the line covers; `blur` is the width of its edge.
    fn cover(&self, x: f32, y: f32, blur: f32) -> f32 {
        let distance = self
            .points
            .windows(2)
            .map(|ends| {
                let [from, to] = [ends[0], ends[1]];
                let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
                let along =
                    ((x - from[0]) * dx + (y - from[1]) * dy) / (dx * dx + dy * dy).max(1e-9);
                let along = along.clamp(0.0, 1.0);
                (x - from[0] - along * dx).hypot(y - from[1] - along * dy)
            })
            .fold(f32::INFINITY, f32::min);
        1.0 - smooth(self.width, self.width + blur, distance)
    }
}

/// None for most pictures, a few for some.
fn hairs(view: &mut impl Rng) -> Vec<Curve> {
    let count = if view.random::<f32>() < 0.35 {
        view.random_range(1..7)
    } else {
        0
    };
    (0..count)
        .map(|_| {
            let mut end = || {
                [
                    1.4 * view.random::<f32>() - 0.7,
                    1.0 * view.random::<f32>() - 0.5,
                ]
            };
            let (from, to) = (end(), end());
            Curve::new(from, to, 0.2, 0.001, view)
        })
        .collect()
}

/// Smooth random numbers over the plane (value noise), about -1 to 1.
struct Noise {
    grid: [f32; GRID * GRID],
}

impl Noise {
    fn new(random: &mut impl Rng) -> Self {
        Self {
            grid: std::array::from_fn(|_| 2.0 * random.random::<f32>() - 1.0),
        }
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let (column, row) = (x.floor(), y.floor());
        let (s, t) = (ease(x - column), ease(y - row));
        let value = |dx: i32, dy: i32| {
            let wrap = |place: i32| place.rem_euclid(GRID as i32) as usize;
            self.grid[wrap(row as i32 + dy) * GRID + wrap(column as i32 + dx)]
        };
        let top = value(0, 0) + (value(1, 0) - value(0, 0)) * s;
        let bottom = value(0, 1) + (value(1, 1) - value(0, 1)) * s;
        top + (bottom - top) * t
    }
}

fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// 0 below `from`, 1 above `to`, smooth between.
fn smooth(from: f32, to: f32, value: f32) -> f32 {
    ease(((value - from) / (to - from)).clamp(0.0, 1.0))
}
