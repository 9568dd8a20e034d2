//! Checkpoints that are written whole or not at all, and which of them are kept.

use std::fs;
use std::path::{Path, PathBuf};

use rerec_curriculum::Curriculum;
use rerec_files::{FileSet, FolderDraft, read_json, verify};
use rerec_policy::Learner;

use crate::error::{Error, Result};
use crate::run::Kept;
use crate::state::{STATE_VERSION, State};

const PREFIX: &str = "checkpoint-";
const POLICY: &str = "policy";
const CURRICULUM: &str = "curriculum.json";
const STATE: &str = "state.json";

/// Writes the run's next checkpoint, then removes those that need not be kept: all but it and the best on validation queries.
///
/// The folder gets its name by one rename after everything in it has reached the disk, so a crash at any moment leaves the last
/// whole checkpoint in place. Each file is hashed once, while it is written: the policy's by the policy.
pub(crate) fn save(
    run: &Path,
    state: &mut State,
    curriculum: &Curriculum,
    learner: &dyn Learner,
) -> Result<()> {
    let older = list(run)?;
    // A number of its own and not that of the step: a run that was stopped may write two at one
    // step.
    let number = older.last().map_or(1, |(number, _)| number + 1);
    // The best evaluation is not in a checkpoint yet. No update came after it: these are its
    // weights.
    if let Some(best) = state.best.as_mut().filter(|best| best.checkpoint == 0) {
        best.checkpoint = number;
    }
    let draft = FolderDraft::create(&run.join(format!("{PREFIX}{number:06}")))?;
    let folder = draft.folder();
    let policy = folder.join(POLICY);
    fs::create_dir(&policy).map_err(Error::io(&policy))?;
    // In any order: nothing counts before the folder has its name.
    learner.save(&policy)?;
    curriculum.save(&folder.join(CURRICULUM))?;
    let mut files = FileSet::new(folder);
    files.json(STATE, state)?;
    files.finish()?;
    draft.finish()?;
    // Removed only now: before the rename a crash would have left the run without a checkpoint.
    let best = state.best.map(|best| best.checkpoint);
    let mut superseded = older.iter().filter(|(number, _)| Some(*number) != best);
    superseded.try_for_each(|(_, path)| fs::remove_dir_all(path).map_err(Error::io(path)))
}

/// The newest checkpoint, if the run has one: its state, its curriculum, and the policy's folder to restore from.
pub(crate) fn newest(run: &Path) -> Result<Option<(State, Curriculum, PathBuf)>> {
    let Some((_, path)) = list(run)?.pop() else {
        return Ok(None);
    };
    // The state's file. The curriculum's holds its own checksum, and the policy's folder its own
    // list.
    verify(&path, |_| true)?;
    let file = path.join(STATE);
    let state: State = read_json(&file)?;
    if state.version != STATE_VERSION {
        let what = format!("has version {}, expected {STATE_VERSION}", state.version);
        return Err(Error::InvalidFile { path: file, what });
    }
    let curriculum = Curriculum::load(&path.join(CURRICULUM))?;
    Ok(Some((state, curriculum, path.join(POLICY))))
}

/// The policy's folder in a checkpoint that the run keeps.
pub(crate) fn policy_folder(run: &Path, which: Kept) -> Result<PathBuf> {
    let checkpoints = list(run)?;
    let missing = |what| Error::NoCheckpoint {
        path: run.to_owned(),
        what,
    };
    let (_, last) = checkpoints
        .last()
        .ok_or_else(|| missing("no checkpoint yet"))?;
    let state: State = read_json(&last.join(STATE))?;
    let best = state.best.map(|best| best.checkpoint);
    let best = checkpoints.iter().find(|(number, _)| Some(*number) == best);
    let chosen = match (which, best) {
        (Kept::Best | Kept::BestOrLast, Some((_, best))) => best,
        (Kept::BestOrLast | Kept::Last, _) => last,
        (Kept::Best, None) => {
            return Err(missing(
                "no best checkpoint: none was validated yet, or checkpoints.best is not set",
            ));
        }
    };
    Ok(chosen.join(POLICY))
}

/// The whole checkpoints of a run by their numbers.
fn list(run: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(run).map_err(Error::io(run))? {
        let entry = entry.map_err(Error::io(run))?;
        let name = entry.file_name();
        // A draft such as ".checkpoint-000007.draft" does not match the prefix.
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    // By number: as a name, 1000000 would come before 999999.
    found.sort();
    Ok(found)
}
