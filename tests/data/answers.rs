//! Answers of servers that are not what was asked for, though their status says so.

use super::server::{Answer, Server};
use super::{HAM, HUB, Place, errors, kaggle, noise, refused, run, zip};

const PAGE: &[u8] = b"\n<!DOCTYPE html>\n<html><title>Log in</title></html>";

#[test]
fn a_page_in_place_of_an_archive_is_no_data_set() {
    let place = Place::new();
    let archive = zip(&[("x.jpg", &noise(1000))]);
    let api = Server::new(move |request, before| match before {
        0 => Answer::new(200, PAGE).with("content-type", "text/html"),
        _ => Answer::file(request, &archive),
    });
    let output = run(&place, &kaggle(&api.url), &HAM);
    let said = refused(&place, &output, 2);
    for what in [
        "skin-cancer-mnist-ham10000.zip",
        "the answer is no archive (a login or consent page?)",
        "rules accepted",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let left = std::fs::read_dir(place.path("datasets/.unfinished-ham10000")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [".lock"]);
    let output = run(&place, &kaggle(&api.url), &HAM);
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn a_page_in_place_of_a_table_is_no_data_set() {
    let place = Place::new();
    let server = Server::new(|request, _| match request.path.rsplit('/').next() {
        Some("MILK10k_Training_Input.zip") => Answer::file(request, &zip(&[("x.jpg", b"1")])),
        _ => Answer::new(200, PAGE),
    });
    let mirror = [("AGON_DIRECT_ENDPOINT", server.url.as_str())];
    let download = ["data", "download", "tricorder", "--dataset", "milk10k"];
    let output = run(&place, &mirror, &download);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains(".csv: the answer is a web page") && said.contains("may have moved"),
        "{said}"
    );
    assert!(!place.path("datasets/milk10k").exists());
    // An address without anything says as much.
    let server = Server::new(|_, _| Answer::new(404, ""));
    for (name, arguments) in [("AGON_DIRECT_ENDPOINT", download), ("HF_ENDPOINT", HUB)] {
        let output = run(&place, &[(name, &server.url)], &arguments);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("the address may have moved"), "{said}");
    }
}

#[test]
fn a_server_that_cannot_go_on_where_it_broke_off_is_not_asked_for_ever() {
    let place = Place::new();
    let archive = zip(&[("x.jpg", &noise(3 << 20))]);
    // Neither ranges nor anything by which a part could be continued.
    let api = Server::new(move |_, before| match before {
        0..10 => Answer::new(200, archive.clone()).breaking_after(2 << 20),
        _ => Answer::new(404, ""),
    });
    let attempts = ["--attempts", "2"];
    let output = run(&place, &kaggle(&api.url), &[&HAM[..], &attempts].concat());
    let said = refused(&place, &output, 1);
    assert!(said.contains("(2 attempts)"), "{said}");
    assert_eq!(api.seen().len(), 2);
}

#[test]
fn halves_that_never_fit_are_fetched_anew_once() {
    let place = Place::new();
    let archive = zip(&[("x.jpg", &noise(300_000))]);
    let api = Server::new(move |request, before| {
        // The MD5 of something else.
        let hash = "md5=1B2M2Y8AsgTpgAmY7PhCfg==";
        let answer = Answer::file(request, &archive).with("x-goog-hash", hash);
        match before {
            0..10 if before % 2 == 0 => answer.breaking_after(100_000),
            0..10 => answer,
            _ => Answer::new(404, ""),
        }
    });
    let output = run(&place, &kaggle(&api.url), &HAM);
    let said = refused(&place, &output, 1);
    assert!(said.contains("the MD5 is"), "{said}");
    assert_eq!(api.seen().len(), 4);
}
