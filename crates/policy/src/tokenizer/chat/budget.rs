//! What one rendering may spend: a template is a program, and may ask for any amount of time and memory.

use std::cell::Cell;

use minijinja::{Error, ErrorKind};

/// Instructions of minijinja. A long conversation takes some ten thousand.
pub(super) const FUEL: u64 = 2_000_000;
/// Bytes of texts and lists that are looked at or made. Counted beside instructions, since one of them may copy a long text.
const BYTES: u64 = 1 << 28;
/// Longest text that is made.
const LONGEST: u64 = 1 << 26;

/// What a value costs that is looked at or put into a list: about the bytes it takes.
pub(super) const VALUE: usize = 32;

thread_local! {
    /// Each rendering has a thread of its own.
    static LEFT: Cell<u64> = const { Cell::new(BYTES) };
}

/// Charges for so many bytes or items.
///
/// # Errors
/// When nothing is left, or it is too much at once.
pub(super) fn charge(amount: usize) -> Result<(), Error> {
    let amount = amount as u64 + 1;
    let left = LEFT.get().checked_sub(amount).filter(|_| amount <= LONGEST);
    let Some(left) = left else {
        let what =
            format!("the template asks for more than {LONGEST} bytes at once or {BYTES} in all");
        return Err(Error::new(ErrorKind::OutOfFuel, what));
    };
    LEFT.set(left);
    Ok(())
}
