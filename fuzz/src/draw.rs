//! Values of SCALE types drawn from bytes: any bytes make a value, and few bytes make one that means something.
//!
//! Accounts are mostly those that exist, numbers mostly small, round or extreme, lists short. The types describe
//! themselves, so a new call is drawn without a word here.

use crate::{SIGNERS, TAO, account};
use agon_runtime::RuntimeCall;
use codec::{Compact, DecodeAll, Encode};
use scale_info::{
    MetaType, PortableRegistry, Registry, TypeDef, TypeDefPrimitive as Primitive,
    form::PortableForm,
};

/// How deeply calls hold calls; below stands one that does nothing.
const DEPTH: u32 = 3;
/// The longest list of anything but bytes.
const LENGTH: u8 = 6;
/// The longest list of bytes.
const BYTES: u8 = 80;

/// The types of this chain's calls.
pub struct Calls {
    types: PortableRegistry,
    root: u32,
    nothing: Vec<u8>,
}

impl Default for Calls {
    fn default() -> Self {
        let mut registry = Registry::new();
        let root = registry.register_type(&MetaType::new::<RuntimeCall>()).id;
        let nothing = RuntimeCall::from(frame_system::Call::remark { remark: vec![] });
        Self {
            types: registry.into(),
            root,
            nothing: nothing.encode(),
        }
    }
}

impl Calls {
    /// A call, and what of the bytes is left. None where a type refuses what its description allows.
    pub fn draw<'a>(&'a self, bytes: &'a [u8]) -> Option<(RuntimeCall, &'a [u8])> {
        let mut drawing = Drawing {
            calls: self,
            bytes,
            drawn: Vec::new(),
        };
        drawing.draw(self.root, 0);
        let call = RuntimeCall::decode_all(&mut &drawing.drawn[..]).ok()?;
        Some((call, drawing.bytes))
    }
}

struct Drawing<'a> {
    calls: &'a Calls,
    bytes: &'a [u8],
    drawn: Vec<u8>,
}

impl Drawing<'_> {
    fn draw(&mut self, id: u32, depth: u32) {
        let calls = self.calls;
        let described = calls.types.resolve(id).expect("ids are the registry's own");
        match (described.path.ident().as_deref(), &described.type_def) {
            (Some("RuntimeCall"), _) if depth == DEPTH => self.drawn.extend(&calls.nothing),
            (Some("AccountId32"), _) => self.account(),
            (name, TypeDef::Variant(variants)) => {
                let depth = depth + u32::from(name == Some("RuntimeCall"));
                let count = variants.variants.len();
                // Other forms of an address than an account's are refused, which is quickly tried.
                let place = match self.byte() {
                    choice if name == Some("MultiAddress") && choice < u8::MAX => 0,
                    choice => usize::from(choice),
                };
                let Some(variant) = place.checked_rem(count).map(|at| &variants.variants[at])
                else {
                    return;
                };
                self.drawn.push(variant.index);
                for field in &variant.fields {
                    self.draw(field.ty.id, depth);
                }
            }
            (_, TypeDef::Composite(composite)) => {
                for field in &composite.fields {
                    self.draw(field.ty.id, depth);
                }
            }
            (_, TypeDef::Tuple(tuple)) => {
                for field in &tuple.fields {
                    self.draw(field.id, depth);
                }
            }
            (_, TypeDef::Sequence(sequence)) => {
                let most = if self.is_byte(sequence.type_param.id) {
                    BYTES
                } else {
                    LENGTH
                };
                let length = u32::from(self.byte() % (most + 1));
                Compact(length).encode_to(&mut self.drawn);
                for _ in 0..length {
                    self.draw(sequence.type_param.id, depth);
                }
            }
            (_, TypeDef::Array(array)) if self.is_byte(array.type_param.id) => {
                let filler = self.byte();
                self.drawn.extend(vec![filler; array.len as usize]);
            }
            (_, TypeDef::Array(array)) => {
                for _ in 0..array.len {
                    self.draw(array.type_param.id, depth);
                }
            }
            (_, TypeDef::Primitive(Primitive::Bool)) => {
                let choice = self.byte();
                self.drawn.push(choice % 2);
            }
            (_, TypeDef::Primitive(primitive)) => {
                let number = self.number(bytes(primitive));
                self.drawn.extend(&number.to_le_bytes()[..bytes(primitive)]);
            }
            (_, TypeDef::Compact(compact)) => {
                let inner = calls.types.resolve(compact.type_param.id);
                let length = inner.map_or(8, |inner| compact_bytes(&inner.type_def));
                Compact(self.number(length)).encode_to(&mut self.drawn);
            }
            (_, TypeDef::BitSequence(_)) => Compact(0_u32).encode_to(&mut self.drawn),
        }
    }

    /// The next byte; when there is none, 0.
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *byte
    }

    fn is_byte(&self, id: u32) -> bool {
        let described = self.calls.types.resolve(id);
        described.is_some_and(|described| {
            matches!(described.type_def, TypeDef::Primitive(Primitive::U8))
        })
    }

    fn account(&mut self) {
        let choice = self.byte();
        match SIGNERS.get(usize::from(choice % 8)) {
            Some(name) => account(name).encode_to(&mut self.drawn),
            None => self.drawn.extend([choice; 32]),
        }
    }

    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> u128 {
        let bits = 8 * bytes as u32;
        let most = u128::MAX >> (128 - bits);
        let choice = self.byte();
        let number = match choice {
            0..128 => u128::from(choice % 8),
            128..192 => 1 << (u32::from(choice - 128) % bits),
            192..208 => most - u128::from(choice - 192),
            208..240 => u128::from(TAO) * u128::from(self.byte()),
            240.. => (0..bytes).fold(0, |number, _| (number << 8) | u128::from(self.byte())),
        };
        number & most
    }
}

fn bytes(primitive: &Primitive) -> usize {
    match primitive {
        Primitive::U8 | Primitive::I8 => 1,
        Primitive::U16 | Primitive::I16 => 2,
        Primitive::U32 | Primitive::I32 | Primitive::Char => 4,
        Primitive::U64 | Primitive::I64 => 8,
        // No call has longer ones.
        _ => 16,
    }
}

/// The bytes of the number that a compact form stands for.
fn compact_bytes(definition: &TypeDef<PortableForm>) -> usize {
    match definition {
        TypeDef::Primitive(primitive) => bytes(primitive),
        // Such as Perbill.
        _ => 4,
    }
}
