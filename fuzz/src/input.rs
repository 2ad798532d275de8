//! Bytes as decisions.

/// What is left of an input. Beyond its end everything is zero.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = bound > 256;
        let number = usize::from(self.byte())
            | if wide {
                usize::from(self.byte()) << 8
            } else {
                0
            };
        number % bound
    }

    /// A size: small ones are as likely as large ones.
    pub(crate) fn size(&mut self, most_bits: usize) -> usize {
        let bits = self.below(most_bits + 1);
        self.below(1 << bits)
    }
}
