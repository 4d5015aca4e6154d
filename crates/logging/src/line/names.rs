//! The names of the fields that a line has, so that none stands there twice: of two, one reader of JSON takes the first, another
//! the last, and a third refuses the line.

/// What is kept of the buffer between lines: more fields than ordinary lines have. Arbitrary.
const ROOM: usize = 64;

/// Where each name starts in the line. The buffer is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Name>);

#[derive(Debug)]
struct Name {
    /// Other names mostly have others: so few are compared.
    mark: u32,
    start: usize,
}

impl Names {
    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(ROOM);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds the name, as it is written with both quotes, from `start` to the end of the line. `false` if the line has it already.
    pub(super) fn add(&mut self, line: &str, start: usize) -> bool {
        let name = line.get(start..).unwrap_or_default();
        let mark = mark(name.as_bytes());
        // Quotes within a name are escaped: what begins with all of it is all of it.
        let is_same =
            |known: &Name| known.mark == mark && line.get(known.start..).is_some_and(|it| it.starts_with(name));
        if self.0.iter().any(is_same) {
            return false;
        }
        self.0.push(Name { mark, start });
        true
    }

    /// Forgets the names that were cut off with the end of the line, from `start` on.
    pub(super) fn forget_from(&mut self, start: usize) {
        let kept = self.0.partition_point(|name| name.start < start);
        self.0.truncate(kept);
    }
}

/// The length, and three of the letters.
fn mark(name: &[u8]) -> u32 {
    let letter = |at: usize| name.get(at).copied().unwrap_or_default();
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    u32::from_be_bytes([length, letter(1), letter(name.len() / 2), letter(name.len().saturating_sub(2))])
}
