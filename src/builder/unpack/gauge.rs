//! Counts bytes in and out of the decompression, against decompression bombs. It reads no archive.

use std::cell::Cell;
use std::io::{Error, Read, Result};
use std::rc::Rc;

use crate::builder::source::MAX_BYTES;

/// Most output bytes for one input byte, beyond [`FREE`].
const MAX_RATIO: u64 = 100;
/// Output bytes that are always allowed: small archives of text and padding compress better than bombs.
const FREE: u64 = 1 << 20;
/// Bytes allowed for headers and padding beside the content of files.
const OVERHEAD: u64 = 64 << 20;

/// The two counters, shared by both ends of the decompression.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    packed: Cell<u64>,
    unpacked: Cell<u64>,
    breach: Cell<Option<&'static str>>,
}

impl Gauge {
    /// Output bytes so far.
    pub(super) fn unpacked(&self) -> u64 {
        self.unpacked.get()
    }

    /// The limit that was exceeded, if any.
    pub(super) fn breach(&self) -> Option<&'static str> {
        self.breach.get()
    }

    fn judge(&self) -> Result<()> {
        let (packed, unpacked) = (self.packed.get(), self.unpacked.get());
        let breach = if unpacked > MAX_BYTES + OVERHEAD {
            "it unpacks to more than 512 MiB; leave build results and data out of it"
        } else if unpacked > FREE.max(packed.saturating_mul(MAX_RATIO)) {
            "it unpacks to more than 100 times its size, which no real source does"
        } else {
            return Ok(());
        };
        self.breach.set(Some(breach));
        Err(Error::other(breach))
    }
}

/// Counts input bytes.
#[derive(Debug)]
pub(super) struct Packed<R> {
    inner: R,
    gauge: Rc<Gauge>,
}

impl<R> Packed<R> {
    pub(super) fn new(inner: R, gauge: Rc<Gauge>) -> Self {
        Self { inner, gauge }
    }
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.inner.read(buffer)?;
        self.gauge.packed.update(|packed| packed + count as u64);
        Ok(count)
    }
}

/// Counts output bytes, and fails when a limit is exceeded.
#[derive(Debug)]
pub(super) struct Unpacked<R> {
    inner: R,
    gauge: Rc<Gauge>,
}

impl<R> Unpacked<R> {
    pub(super) fn new(inner: R, gauge: Rc<Gauge>) -> Self {
        Self { inner, gauge }
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.inner.read(buffer)?;
        self.gauge.unpacked.update(|unpacked| unpacked + count as u64);
        self.gauge.judge()?;
        Ok(count)
    }
}
