//! Looking at an instance that another process may own: for standing by, for taking over, and for commands that only read.
//!
//! ```text
//!   owner ──lock, cuts──> sink <──owner(), state(), tests()── Watch        the lock is never taken, nothing is written
//!     └── sees that somebody asks (Sink::heir) <──ask()──────┘             a request dies with who asks
//! ```

use super::{SinkError, SinkState, TestRow};

pub trait Watch: Send {
    /// Who owns the instance now, for people; None when nobody does.
    fn owner(&mut self) -> Result<Option<String>, SinkError>;

    /// What it has published, as of one cut; None before the first.
    fn state(&mut self) -> Result<Option<SinkState>, SinkError>;

    /// The maintained tests at the current cut.
    fn tests(&mut self) -> Result<Vec<TestRow>, SinkError>;

    /// Asks the owner to let go, for as long as this value lives. Refused while somebody else asks.
    fn ask(&mut self, heir: &str) -> Result<(), SinkError>;

    /// Ends the hold of an owner that does not answer, where the sink can fence it.
    fn depose(&mut self) -> Result<(), SinkError>;
}
