//! Mistakes a user can make: a clear message, exit status 2, nothing lost.

mod common;

use common::Place;
use std::net::TcpListener;
use std::path::Path;

const HEADER: &str = "lesion_id,image_id,dx,dx_type,age,sex,localization\n";

fn write(directory: &Path, metadata: &str) {
    std::fs::create_dir_all(directory.join("images")).unwrap();
    std::fs::write(directory.join("metadata.csv"), metadata).unwrap();
}

#[test]
fn unknown_flags_and_values_are_refused() {
    let place = Place::new();
    let said = place.mistake(&["up", "--ronds", "3"]);
    assert!(said.contains("--rounds"), "{said}");
    let said = place.mistake(&["up", "--block-time", "1h"]);
    assert!(said.contains("use ms or s"), "{said}");
    assert!(place.mistake(&["up", "--rounds", "0"]).contains("rounds"));
    assert!(!place.path(".agon").exists());
}

#[test]
fn bad_data_directories_are_explained() {
    let place = Place::new();
    let said = place.mistake(&["up", "--data", "nowhere"]);
    assert!(said.contains("nowhere"), "{said}");

    let data = place.path("data");
    write(&data, "lesion_id,image_id,dx,age,sex\n");
    let said = place.mistake(&["up", "--data", "data"]);
    assert!(said.contains("localization"), "{said}");

    write(&data, &format!("{HEADER}L1,I1,nv,histo,40,male,back\n"));
    let said = place.mistake(&["up", "--data", "data"]);
    assert!(said.contains("I1"), "{said}");

    // Nothing is lost, not even with --fresh.
    let kept = place.path(".agon").join("store");
    std::fs::create_dir_all(&kept).unwrap();
    place.mistake(&["up", "--fresh", "--data", "data"]);
    assert!(kept.exists());
}

#[test]
fn an_unreadable_image_is_named() {
    let place = Place::new();
    let data = place.path("data");
    let rows: String = (0..60)
        .map(|i| format!("L{i},I{i},{},histo,40,male,back\n", ["nv", "mel"][i % 2]))
        .collect();
    write(&data, &format!("{HEADER}{rows}"));
    for i in 0..60 {
        std::fs::write(data.join("images").join(format!("I{i}.jpg")), b"no image").unwrap();
    }
    let arguments = [
        "up",
        "--data",
        "data",
        "--block-time",
        "50ms",
        "--rounds",
        "1",
    ];
    let said = place.mistake(&arguments);
    assert!(
        said.contains(".jpg") && said.contains("unreadable"),
        "{said}"
    );
}

#[test]
fn a_port_in_use_is_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = place.mistake(&["up", "--port", &port]);
    assert!(said.contains(&port) && said.contains("in use"), "{said}");
}

#[test]
fn a_home_in_use_is_named() {
    let place = Place::new();
    let home = place.path(".agon");
    std::fs::create_dir_all(&home).unwrap();
    let lock = std::fs::File::create(home.join("lock")).unwrap();
    lock.lock().unwrap();
    let said = place.mistake(&["up"]);
    assert!(said.contains("another agon"), "{said}");
}
