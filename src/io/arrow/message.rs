//! Messages of Arrow IPC files and streams, within the bytes of a file.

use std::ops::Range;

use arrow_ipc::{self as ipc, Block, root_as_message};

/// The start of a message, and so of a stream of them.
pub(super) const CONTINUATION: &[u8] = &[0xff; 4];

pub(super) const DAMAGED: &str = "it is truncated or damaged; copy or write it again";

/// A message, all of which is there.
pub(super) struct Message<'f> {
    metadata: &'f [u8],
    /// The place of its body in the file.
    body: Range<usize>,
    /// Bytes up to the next message.
    len: usize,
}

impl<'f> Message<'f> {
    /// The message a file's directory points to.
    pub(super) fn at(file: &'f [u8], block: &Block) -> Option<Self> {
        let start = usize::try_from(block.offset()).ok()?;
        let metadata_bytes = usize::try_from(block.metaDataLength()).ok()?;
        let message = file.get(start..)?.get(..metadata_bytes)?;
        let body = range(start + metadata_bytes, block.bodyLength()).filter(|body| body.end <= file.len())?;
        let head = if message.starts_with(CONTINUATION) { 8 } else { 4 };
        Some(Self { metadata: message.get(head..)?, len: body.end - start, body })
    }

    /// The message at a place of a stream.
    pub(super) fn first(file: &'f [u8], at: usize) -> Option<Self> {
        let (length, rest) = file.get(at..)?.strip_prefix(CONTINUATION)?.split_first_chunk()?;
        let metadata = rest.get(..usize::try_from(i32::from_le_bytes(*length)).ok()?)?;
        let body_bytes = root_as_message(metadata).ok()?.bodyLength();
        let start = at + CONTINUATION.len() + length.len() + metadata.len();
        let body = range(start, body_bytes).filter(|body| body.end <= file.len())?;
        Some(Self { metadata, len: body.end - at, body })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn header(&self) -> Option<ipc::Message<'f>> {
        root_as_message(self.metadata).ok()
    }

    /// Checks that a batch's buffers lie within the body. Looks at no byte of
    /// them.
    pub(super) fn check_buffers(&self) -> Option<()> {
        let header = self.header()?;
        let dictionary = header.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
        let batch = header.header_as_record_batch().or(dictionary)?;
        batch.buffers()?.iter().try_for_each(|buffer| self.buffer(buffer).map(drop))
    }

    /// The place of a buffer in the file.
    pub(super) fn buffer(&self, buffer: &ipc::Buffer) -> Option<Range<usize>> {
        let start = self.body.start.checked_add(usize::try_from(buffer.offset()).ok()?)?;
        range(start, buffer.length()).filter(|range| range.end <= self.body.end)
    }
}

fn range(start: usize, bytes: i64) -> Option<Range<usize>> {
    Some(start..start.checked_add(usize::try_from(bytes).ok()?)?)
}
