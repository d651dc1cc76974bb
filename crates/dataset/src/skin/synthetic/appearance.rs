//! What the generated classes look like, and which patients have them.
//!
//! The numbers are drawn from the usual descriptions of dermatoscopy (melanoma: asymmetric, ragged, several colours;
//! basal cell carcinoma: pink with branching vessels; dermatofibroma: pale centre …), not fitted to any data.

use rand::Rng;
use rand::RngExt;

use super::weighted;

/// The look of a lesion. Colours are red, green, blue in 0 to 255; structures are strengths in 0 to 1.
#[derive(Debug, Clone)]
pub(super) struct Appearance {
    /// Radius, as a fraction of the image's height.
    pub radius: f32,
    /// How far the outline is from an ellipse.
    pub irregularity: f32,
    /// How far the second colour lies to one side.
    pub asymmetry: f32,
    /// Width of the edge, as a fraction of the radius.
    pub softness: f32,
    /// Colour of most of the lesion.
    pub main: [f32; 3],
    /// Colour of its patches.
    pub second: [f32; 3],
    /// How much of it is patches.
    pub patches: f32,
    /// Fine brown net.
    pub network: f32,
    /// Small dots, dark and light.
    pub dots: f32,
    /// Red branching lines.
    pub vessels: f32,
    /// White scales.
    pub scales: f32,
    /// Pale centre.
    pub pale_centre: f32,
    /// Round red lakes.
    pub lakes: f32,
}

/// A class as it is drawn.
pub(super) struct Kind {
    /// Its name in the column `dx`.
    pub dx: &'static str,
    /// Share of the lesions.
    share: f32,
    /// The typical look.
    appearance: Appearance,
    /// Mean age in years.
    age: f32,
    /// Probability that the patient is male.
    male: f32,
    /// Weights of [`LOCALIZATIONS`].
    sites: [f32; 9],
}

const LOCALIZATIONS: [&str; 9] = [
    "back",
    "trunk",
    "abdomen",
    "lower extremity",
    "upper extremity",
    "face",
    "scalp",
    "foot",
    "hand",
];

/// The seven classes of HAM10000.
pub(super) const KINDS: [Kind; 7] = [
    Kind {
        dx: "akiec",
        share: 0.10,
        appearance: Appearance {
            radius: 0.30,
            irregularity: 0.16,
            asymmetry: 0.2,
            softness: 0.45,
            main: [196.0, 104.0, 92.0],
            second: [170.0, 112.0, 84.0],
            patches: 0.35,
            network: 0.0,
            dots: 0.2,
            vessels: 0.1,
            scales: 0.75,
            pale_centre: 0.0,
            lakes: 0.0,
        },
        age: 67.0,
        male: 0.62,
        sites: [1.0, 1.0, 0.5, 2.0, 2.5, 4.0, 1.5, 0.2, 1.5],
    },
    Kind {
        dx: "bcc",
        share: 0.12,
        appearance: Appearance {
            radius: 0.24,
            irregularity: 0.10,
            asymmetry: 0.25,
            softness: 0.30,
            main: [214.0, 138.0, 130.0],
            second: [112.0, 98.0, 112.0],
            patches: 0.22,
            network: 0.0,
            dots: 0.3,
            vessels: 0.8,
            scales: 0.1,
            pale_centre: 0.1,
            lakes: 0.0,
        },
        age: 66.0,
        male: 0.6,
        sites: [3.0, 1.5, 0.7, 1.5, 1.5, 4.0, 1.0, 0.2, 0.2],
    },
    Kind {
        dx: "bkl",
        share: 0.14,
        appearance: Appearance {
            radius: 0.29,
            irregularity: 0.09,
            asymmetry: 0.15,
            softness: 0.10,
            main: [150.0, 110.0, 76.0],
            second: [112.0, 82.0, 62.0],
            patches: 0.35,
            network: 0.15,
            dots: 0.75,
            vessels: 0.0,
            scales: 0.2,
            pale_centre: 0.0,
            lakes: 0.0,
        },
        age: 63.0,
        male: 0.56,
        sites: [3.0, 2.0, 1.0, 2.0, 1.5, 2.5, 0.7, 0.2, 0.4],
    },
    Kind {
        dx: "df",
        share: 0.07,
        appearance: Appearance {
            radius: 0.20,
            irregularity: 0.05,
            asymmetry: 0.1,
            softness: 0.40,
            main: [160.0, 108.0, 86.0],
            second: [182.0, 122.0, 106.0],
            patches: 0.2,
            network: 0.4,
            dots: 0.1,
            vessels: 0.05,
            scales: 0.1,
            pale_centre: 0.8,
            lakes: 0.0,
        },
        age: 52.0,
        male: 0.42,
        sites: [0.6, 0.4, 0.3, 6.0, 2.0, 0.1, 0.1, 0.4, 0.1],
    },
    Kind {
        dx: "mel",
        share: 0.16,
        appearance: Appearance {
            radius: 0.32,
            irregularity: 0.20,
            asymmetry: 0.6,
            softness: 0.15,
            main: [86.0, 56.0, 46.0],
            second: [92.0, 98.0, 118.0],
            patches: 0.45,
            network: 0.35,
            dots: 0.3,
            vessels: 0.1,
            scales: 0.05,
            pale_centre: 0.0,
            lakes: 0.0,
        },
        age: 61.0,
        male: 0.6,
        sites: [4.0, 2.0, 1.0, 2.5, 2.0, 1.2, 0.5, 0.5, 0.2],
    },
    Kind {
        dx: "nv",
        share: 0.34,
        appearance: Appearance {
            radius: 0.23,
            irregularity: 0.06,
            asymmetry: 0.1,
            softness: 0.22,
            main: [124.0, 82.0, 60.0],
            second: [98.0, 64.0, 50.0],
            patches: 0.3,
            network: 0.55,
            dots: 0.1,
            vessels: 0.0,
            scales: 0.0,
            pale_centre: 0.0,
            lakes: 0.0,
        },
        age: 46.0,
        male: 0.5,
        sites: [3.0, 3.0, 1.8, 3.2, 1.6, 0.4, 0.2, 0.7, 0.1],
    },
    Kind {
        dx: "vasc",
        share: 0.07,
        appearance: Appearance {
            radius: 0.17,
            irregularity: 0.07,
            asymmetry: 0.15,
            softness: 0.12,
            main: [168.0, 52.0, 74.0],
            second: [104.0, 42.0, 84.0],
            patches: 0.35,
            network: 0.0,
            dots: 0.05,
            vessels: 0.1,
            scales: 0.0,
            pale_centre: 0.0,
            lakes: 0.85,
        },
        age: 51.0,
        male: 0.48,
        sites: [2.0, 2.5, 1.0, 1.5, 1.0, 0.8, 0.2, 0.4, 0.3],
    },
];

/// A lesion with its patient; several images may show it.
#[derive(Clone)]
pub(super) struct Lesion {
    pub kind: &'static Kind,
    pub appearance: Appearance,
    /// Long to short axis.
    pub elongation: f32,
    /// Identity of its outline and patches.
    pub shape: u64,
    /// Colour of the skin around it.
    pub skin: [f32; 3],
    /// Years, in steps of five.
    pub age: Option<f32>,
    pub sex: &'static str,
    pub localization: &'static str,
}

/// Lightest, medium and darkest skin.
const SKIN: [[f32; 3]; 3] = [
    [236.0, 202.0, 184.0],
    [222.0, 170.0, 146.0],
    [176.0, 130.0, 106.0],
];

impl Lesion {
    pub fn draw(random: &mut impl Rng) -> Self {
        let kind = &KINDS[weighted(KINDS.iter().map(|kind| kind.share), random)];
        // Some lesions lean towards another class; most hardly.
        let other = &KINDS[random.random_range(0..KINDS.len())];
        let leaning = 0.55 * random.random::<f32>().powi(3);
        let mut appearance = kind.appearance.mixed(&other.appearance, leaning);
        appearance.vary(random);
        let tone = random.random::<f32>().powi(2) * 2.0;
        let (lighter, share) = (tone as usize, tone.fract());
        let mut skin = mix(SKIN[lighter], SKIN[(lighter + 1).min(2)], share);
        // Redness and yellowness of the skin and of the camera.
        skin[1] += 7.0 * normal(random);
        skin[2] += 11.0 * normal(random);
        let age = (kind.age + 15.0 * normal(random)).clamp(5.0, 85.0);
        Self {
            kind,
            appearance,
            elongation: 1.0 + 0.25 * normal(random).abs(),
            shape: random.random(),
            skin,
            age: (random.random::<f32>() >= 0.01).then_some((age / 5.0).round() * 5.0),
            sex: match random.random::<f32>() {
                share if share < 0.01 => "unknown",
                share if share < 0.01 + 0.99 * kind.male => "male",
                _ => "female",
            },
            localization: if random.random::<f32>() < 0.02 {
                "unknown"
            } else {
                LOCALIZATIONS[weighted(kind.sites.iter().copied(), random)]
            },
        }
    }
}

impl Appearance {
    fn mixed(&self, other: &Self, share: f32) -> Self {
        let between = |own: f32, others: f32| own + (others - own) * share;
        Self {
            radius: between(self.radius, other.radius),
            irregularity: between(self.irregularity, other.irregularity),
            asymmetry: between(self.asymmetry, other.asymmetry),
            softness: between(self.softness, other.softness),
            main: mix(self.main, other.main, share),
            second: mix(self.second, other.second, share),
            patches: between(self.patches, other.patches),
            network: between(self.network, other.network),
            dots: between(self.dots, other.dots),
            vessels: between(self.vessels, other.vessels),
            scales: between(self.scales, other.scales),
            pale_centre: between(self.pale_centre, other.pale_centre),
            lakes: between(self.lakes, other.lakes),
        }
    }

    /// Spreads one lesion around the typical one.
    fn vary(&mut self, random: &mut impl Rng) {
        for length in [
            &mut self.radius,
            &mut self.irregularity,
            &mut self.asymmetry,
            &mut self.softness,
        ] {
            *length *= (0.3 * normal(random)).exp();
        }
        self.radius = self.radius.clamp(0.08, 0.45);
        for strength in [
            &mut self.patches,
            &mut self.network,
            &mut self.dots,
            &mut self.vessels,
            &mut self.scales,
            &mut self.pale_centre,
            &mut self.lakes,
        ] {
            *strength = (*strength * (1.0 + 0.4 * normal(random))).clamp(0.0, 1.0);
        }
        // Lighter or darker as a whole, then each channel a little.
        let depth = 20.0 * normal(random);
        for colour in [&mut self.main, &mut self.second] {
            for channel in colour {
                *channel = (*channel + depth + 6.0 * normal(random)).clamp(15.0, 245.0);
            }
        }
    }
}

/// `from` to `to`, by share.
pub(super) fn mix(from: [f32; 3], to: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

/// A standard normal number (Box and Muller 1958).
pub(super) fn normal(random: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}
