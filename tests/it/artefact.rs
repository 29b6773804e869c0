//! The shipped model is what anybody gets who makes it again.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

#[test]
fn the_shipped_model_is_what_training_makes_of_the_seed_bit_for_bit() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Training is minutes of work in a debug build, and its outcome hangs on nothing but the tree: what was shown of this
    // very tree in this build folder stands.
    let shown = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("model-of-{}", everything_it_is_made_of(home)));
    if shown.exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("model.bin");
    let done = Command::new("nice")
        .args(["-n", "19", env!("CARGO_BIN_EXE_lyhord"), "train", "--out"])
        .arg(&made)
        .current_dir(home)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(std::fs::metadata(&made).unwrap().len() <= 4_000_000, "the model is at most 4 MB");
    assert!(
        std::fs::read(&made).unwrap() == std::fs::read(home.join("src/classification/model.bin")).unwrap(),
        "the seed, the lexicon or the training has changed: run `lyhord train --out src/classification/model.bin`"
    );
    std::fs::write(shown, "").unwrap();
}

/// One number for the whole program, its configuration, its libraries and the model itself.
fn everything_it_is_made_of(home: &Path) -> String {
    let mut files = vec![home.join("Cargo.lock"), home.join("Cargo.toml")];
    for room in ["src", "jobs", "config", "migrations"] {
        files_below(&home.join(room), &mut files);
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.strip_prefix(home).unwrap().to_string_lossy().as_bytes());
        hash.update(Sha256::digest(std::fs::read(&file).unwrap()));
    }
    lyhord::hex::hex(&hash.finalize())
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path) }
    }
}
