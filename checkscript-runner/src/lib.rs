//! checkscript-runner
