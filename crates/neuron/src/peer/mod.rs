//! What neurons say to each other over HTTP: two protocols of signed requests, and tensors as values in them.
//!
//! Nothing here knows a socket, a clock or who is registered. The server's side is [`crate::axon`], the client's
//! [`crate::dendrite`].

pub mod btauth;
pub mod headers;
pub mod python;
pub mod tensor;

/// This program's version as a number, as the Python SDK writes its own: 1.2.3 is 1002003. Those servers want at least
/// 7.2.0 for the meaning of a nonce, so this is what the program speaks rather than what it is.
pub const VERSION: u32 = 10_005_000;

/// 64 bytes from `0x` and 128 hexadecimal digits; the `0x` may be missing.
pub(crate) fn signature(text: &str) -> Option<[u8; 64]> {
    let mut signature = [0; 64];
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_to_slice(digits, &mut signature).ok()?;
    Some(signature)
}
