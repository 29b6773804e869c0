//! The shipped model is what anybody gets who makes it again.

use std::path::Path;
use std::process::Command;

#[test]
fn the_shipped_model_is_what_training_makes_of_the_seed_bit_for_bit() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("model.bin");
    // Minutes of work on one core in a debug build: it steps aside for all that waits on clocks.
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
}
