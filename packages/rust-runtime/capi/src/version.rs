//! Versions, and whether caller and library fit.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use crate::status::{Failure, MARS_EARTH_UNSUPPORTED_ABI, Message, answer, mars_earth_status};

/// Changes when a caller must be compiled anew; the soname carries it (H2, not claimed).
pub const MARS_EARTH_ABI_MAJOR: u32 = 1;
/// Grows when functions are added.
pub const MARS_EARTH_ABI_MINOR: u32 = 0;

/// Version of the C interface of this library: major * 65536 + minor.
#[unsafe(no_mangle)]
pub extern "C" fn mars_earth_abi_version() -> u32 {
    MARS_EARTH_ABI_MAJOR << 16 | MARS_EARTH_ABI_MINOR
}

/// Say whether this library has what a caller was compiled for.
///
/// Pass the version of your header, `MARS_EARTH_ABI_VERSION` (H2, not claimed). The library serves
/// callers of its own major version whose minor version is not above its own (H2, not claimed);
/// others get `MARS_EARTH_UNSUPPORTED_ABI` (H2, not claimed).
///
/// # Safety
/// `message` is NULL, or `capacity` bytes from it may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_negotiate(
    wanted: u32,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        let (major, minor) = (wanted >> 16, wanted & 0xffff);
        if major == MARS_EARTH_ABI_MAJOR && (0..=MARS_EARTH_ABI_MINOR).contains(&minor) {
            return Ok(());
        }
        Err(Failure::new(
            MARS_EARTH_UNSUPPORTED_ABI,
            format!(
                "the caller wants version {major}.{minor} of the C interface, this library has \
                 {MARS_EARTH_ABI_MAJOR}.{MARS_EARTH_ABI_MINOR}; use a library of that major \
                 version, as new as the header"
            ),
        ))
    })
}

/// Version of the library, such as "2.0.0".
#[unsafe(no_mangle)]
pub extern "C" fn mars_earth_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Newest version of the ModelSpec format that the library reads, such as "1.1".
#[unsafe(no_mangle)]
pub extern "C" fn mars_earth_spec_version() -> *const c_char {
    static TEXT: OnceLock<CString> = OnceLock::new();
    TEXT.get_or_init(|| CString::new(mars_earth_core::SPEC_VERSION).unwrap_or_default())
        .as_ptr()
}
