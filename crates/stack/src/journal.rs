//! Recorded inputs and facts as a file: a header with a version, then frames. Each frame is its length, its payload (postcard)
//! and eight bytes of a hash chain over everything before it, so that a flipped, lost or moved byte is found, with its place.

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::marker::PhantomData;

/// The longest frame that is read, in bytes.
const FRAME_BYTES_MAX: u32 = 1 << 28;
const LINK: usize = 8;

/// What a journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A frame is one [`crate::Input`].
    Inputs,
    /// A frame is the facts of one step.
    Facts,
}

impl Kind {
    const fn magic(self) -> &'static [u8; 16] {
        match self {
            Self::Inputs => b"cofferdam-inp-1\n",
            Self::Facts => b"cofferdam-fct-1\n",
        }
    }
}

/// What reading a journal can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Reading failed.
    #[error("reading the journal: {0}")]
    Io(#[from] io::Error),
    /// Not a journal of this kind and version.
    #[error("not a journal of {expected:?}, version 1")]
    Header {
        /// What was asked for.
        expected: Kind,
    },
    /// A frame that is not what was written.
    #[error("frame {frame} at byte {offset}: {what}")]
    Frame {
        /// The frame's number, from zero.
        frame: u64,
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// Writes frames. Call [`JournalWriter::finish`]: a journal without its end mark counts as cut off.
#[derive(Debug)]
pub struct JournalWriter<W: Write> {
    out: W,
    chain: [u8; 32],
}

impl<W: Write> JournalWriter<W> {
    /// Begins a journal.
    pub fn new(mut out: W, kind: Kind) -> io::Result<Self> {
        out.write_all(kind.magic())?;
        Ok(Self { out, chain: Sha256::digest(kind.magic()).into() })
    }

    /// Appends a frame.
    pub fn append<T: Serialize>(&mut self, item: &T) -> io::Result<()> {
        let payload = postcard::to_allocvec(item).map_err(io::Error::other)?;
        self.frame(&payload)
    }

    fn frame(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        self.chain = link(&self.chain, payload);
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(payload)?;
        self.out.write_all(self.chain.get(..LINK).unwrap_or_default())
    }

    /// Writes the end mark (an empty frame) and flushes.
    pub fn finish(mut self) -> io::Result<()> {
        self.frame(&[])?;
        self.out.flush()
    }
}

fn link(chain: &[u8; 32], payload: &[u8]) -> [u8; 32] {
    let mut h = Sha256::new();
    h.update(chain);
    h.update(payload);
    h.finalize().into()
}

/// Reads frames, checking each against the chain.
#[derive(Debug)]
pub struct JournalReader<R: Read, T> {
    from: R,
    chain: [u8; 32],
    frame: u64,
    offset: u64,
    ended: bool,
    of: PhantomData<T>,
}

impl<R: Read, T: DeserializeOwned> JournalReader<R, T> {
    /// Opens a journal of a kind.
    pub fn new(mut from: R, kind: Kind) -> Result<Self, JournalError> {
        let mut magic = [0_u8; 16];
        from.read_exact(&mut magic).map_err(|_| JournalError::Header { expected: kind })?;
        if &magic != kind.magic() {
            return Err(JournalError::Header { expected: kind });
        }
        Ok(Self {
            from,
            chain: Sha256::digest(magic).into(),
            frame: 0,
            offset: 16,
            ended: false,
            of: PhantomData,
        })
    }

    /// The number of frames read so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frame
    }

    fn fault(&self, what: &'static str) -> JournalError {
        JournalError::Frame { frame: self.frame, offset: self.offset, what }
    }

    fn read(&mut self) -> Result<Option<T>, JournalError> {
        let mut length = [0_u8; 4];
        self.from.read_exact(&mut length).map_err(|_| self.fault("the journal ends without its end mark"))?;
        let length = u32::from_le_bytes(length);
        if length > FRAME_BYTES_MAX {
            return Err(self.fault("a frame longer than any that is written"));
        }
        let mut payload = Vec::new();
        let got = self.from.by_ref().take(u64::from(length)).read_to_end(&mut payload)?;
        let mut chained = [0_u8; LINK];
        let whole =
            u32::try_from(got).is_ok_and(|g| g == length) && self.from.read_exact(&mut chained).is_ok();
        if !whole {
            return Err(self.fault("the frame is cut off"));
        }
        let chain = link(&self.chain, &payload);
        if chain.get(..LINK) != Some(chained.as_slice()) {
            return Err(self.fault("the bytes are not those that were written"));
        }
        self.chain = chain;
        if payload.is_empty() {
            let mut rest = [0_u8; 1];
            return match self.from.read(&mut rest)? {
                0 => Ok(None),
                _ => Err(self.fault("bytes after the end mark")),
            };
        }
        let item = postcard::from_bytes(&payload).map_err(|_| self.fault("the frame does not decode"))?;
        self.frame = self.frame.saturating_add(1);
        self.offset = self.offset.saturating_add(u64::from(length)).saturating_add(12);
        Ok(Some(item))
    }
}

impl<R: Read, T: DeserializeOwned> Iterator for JournalReader<R, T> {
    type Item = Result<T, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut w = JournalWriter::new(&mut bytes, Kind::Facts).unwrap();
        for i in 0..5_u64 {
            w.append(&vec![i; 3]).unwrap();
        }
        w.finish().unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u64>>, JournalError> {
        JournalReader::new(bytes, Kind::Facts)?.collect()
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read(&sample()).unwrap().len(), 5);
        assert!(JournalReader::<_, Vec<u64>>::new(&sample()[..], Kind::Inputs).is_err());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let good = sample();
        for i in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[i] ^= 1 << bit;
                assert!(read(&bad).is_err(), "byte {i} bit {bit}");
            }
            assert!(read(&good[..i]).is_err(), "cut at {i}");
        }
        let mut longer = good;
        longer.push(0);
        assert!(read(&longer).is_err());
    }
}
