//! Reads the output of a program line by line, however long its lines are.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Passes every line to `seen`, also a last one without its end. Drops bytes of a line beyond `limit`.
pub(in crate::builder) async fn each_line(
    mut reader: impl AsyncRead + Unpin,
    limit: usize,
    mut seen: impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut line = Vec::new();
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        for &byte in &buffer[..count] {
            if byte == b'\n' {
                seen(&line);
                line.clear();
            } else if line.len() < limit {
                line.push(byte);
            }
        }
    }
    if !line.is_empty() {
        seen(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Bad input 106: line of 300,000 characters
    #[tokio::test]
    async fn endless_lines_are_cut_off_and_the_next_line_is_kept() {
        let mut text = vec![b'x'; 300_000];
        text.extend_from_slice(b"\n\nnext\nlast without newline");
        let mut seen = Vec::new();
        each_line(&text[..], 4096, |line| seen.push(line.len())).await;
        assert_eq!(seen, [4096, 0, 4, 20]);
    }
}
