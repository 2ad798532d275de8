//! Closures, constructors and destructors that use the pool they run for. Every test has a watchdog: a hang is a failure.

mod constructors;
mod destructors;
mod nested;
mod walks;
