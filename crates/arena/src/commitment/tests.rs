use super::*;
use proptest::prelude::*;

const ALL: [Form; 5] = [
    Form::Revision,
    Form::Snapshot,
    Form::File,
    Form::Bound,
    Form::TwoPhase,
];

const SHA: &str = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const SNAPSHOT: &str = "jELoCmuXibOkNEfoIhUnQQc8xKoItWR+DlV2+cHzZAQ=";
const BOUND: &str = "ka2TcmoKEQ2tjpTmnsrm8g1YvHmbWvsGwwFEkWPO5xQ=";

fn read(text: &str, form: Form) -> Result<Statement, ClaimError> {
    Statement::read(text.as_bytes(), &[form])
}

fn hotkey() -> AccountId {
    AccountId::from([7; 32])
}

#[test]
fn a_file_is_a_repository_a_stem_a_competition_and_a_digest() {
    let text = format!("someone/skin:lesions_v2:tricorder-3:{SHA}");
    let statement = read(&text, Form::File).unwrap();
    assert_eq!(statement.to_string(), text);
    assert_eq!(statement.competition(), Some("tricorder-3"));
    assert_eq!(statement.digest(), Some(Digest::of(b"weights")));
    let claim = statement.claim().unwrap();
    let Location::Hub(place) = &claim.location else {
        panic!("{claim:?}")
    };
    assert_eq!(
        (&*place.repository, &*place.file, &*place.revision),
        ("someone/skin", "lesions_v2.onnx", "main")
    );
    let local = read(&format!("local:model:c:{SHA}"), Form::File).unwrap();
    let local = local.claim().unwrap();
    assert_eq!(local.location, Location::Local(Digest::of(b"weights")));
    assert!(local.content.admits(Digest::of(b"weights"), &hotkey()));
    assert!(!local.content.admits(Digest::of(b"others"), &hotkey()));
}

#[test]
fn a_revision_is_fetched_pinned_and_nothing_says_what_it_holds() {
    let text = format!("someone/xray {COMMIT}");
    let statement = read(&text, Form::Revision).unwrap();
    assert_eq!(statement.to_string(), text);
    let claim = statement.claim().unwrap();
    let place = format!("someone/xray@{COMMIT}/{MODEL_FILE}");
    assert_eq!(claim.location, Location::Hub(place.parse().unwrap()));
    assert!(claim.content.admits(Digest::of(b"anything"), &hotkey()));
    assert_eq!((statement.digest(), statement.competition()), (None, None));
}

#[test]
fn a_snapshot_is_a_folder_by_its_hash() {
    for tail in ["", ":0.001", ":1e-05"] {
        let text = format!("someone:naschain:{COMMIT}:{SNAPSHOT}{tail}");
        assert!(text.len() <= MAX_BYTES, "{}", text.len());
        let statement = read(&text, Form::Snapshot).unwrap();
        assert_eq!(statement.to_string(), text);
        let content = statement.claim().unwrap().content;
        // The hash of the originals, made with Python.
        assert!(content.admits(Digest::of(b"weights"), &hotkey()));
        assert!(!content.admits(Digest::of(b"others"), &hotkey()));
    }
    let nothing = read("someone:naschain:None:None", Form::Snapshot).unwrap();
    assert_eq!(nothing.to_string(), "someone:naschain:None:None");
    assert_eq!(nothing.claim(), Err(ClaimError::NoHash));
    for rate in ["", "fast", "-1", "nan", "inf", "0"] {
        let text = format!("someone:naschain:{COMMIT}:{SNAPSHOT}:{rate}");
        assert!(read(&text, Form::Snapshot).is_err(), "{rate:?}");
    }
}

#[test]
fn a_bound_hash_is_of_use_to_one_hotkey() {
    for (tail, competition) in [(":3", Some("3")), ("", None)] {
        let text = format!("someone:m:{COMMIT}:{BOUND}{tail}");
        let statement = read(&text, Form::Bound).unwrap();
        assert_eq!(statement.to_string(), text);
        assert_eq!(statement.competition(), competition);
        // The hash of the originals, made with Python.
        let content = statement.claim().unwrap().content;
        assert!(content.admits(Digest::of(b"weights"), &hotkey()));
        assert!(!content.admits(Digest::of(b"weights"), &AccountId::from([8; 32])));
    }
}

#[test]
fn two_phases_open_one_seal_and_fit() {
    let text = format!(
        "reveal:4294967295:mhKQONmgCu0M9qfqBZylCoE0SQYauHhIzxoT6v3zOyw:AAECAwQFBgcICQoL:{}",
        "o".repeat(20) + "/" + &"n".repeat(28)
    );
    assert_eq!(text.len(), MAX_BYTES);
    let statement = read(&text, Form::TwoPhase).unwrap();
    assert_eq!(statement.to_string(), text);
    assert_eq!(statement.digest(), Some(Digest::of(b"weights")));
    let Statement::Reveal(reveal) = statement else {
        panic!("{statement:?}")
    };
    let Location::Hub(place) = reveal.location().unwrap() else {
        panic!("{reveal:?}")
    };
    assert_eq!(place.file, format!("{SHA}.onnx"));
    // SHA-256 of the parts one after the other, made with Python.
    let sealed = "seal:b8eea43e61768b4221b939b3721d6ce01e6d7b98480a9728e92a573f7b8a6dea";
    let seal = reveal.seal(&hotkey(), "tricorder");
    assert_eq!(seal.to_string(), sealed);
    assert_eq!(read(sealed, Form::TwoPhase), Ok(Statement::Seal(seal)));
    assert_eq!(Statement::Seal(seal).claim(), Err(ClaimError::Sealed));
    assert_ne!(seal, reveal.seal(&AccountId::from([8; 32]), "tricorder"));
    assert_ne!(seal, reveal.seal(&hotkey(), "others"));
}

#[test]
fn the_first_form_that_fits_is_taken_and_phases_say_what_they_are() {
    let forms = [Form::File, Form::Revision, Form::TwoPhase];
    let of = |text: &str| Statement::read(text.as_bytes(), &forms);
    assert!(matches!(
        of(&format!("a/b {COMMIT}")),
        Ok(Statement::Revision(_))
    ));
    assert!(matches!(of(&format!("seal:{SHA}")), Ok(Statement::Seal(_))));
    let said = of("reveal:1:x:y:local").unwrap_err().to_string();
    assert!(said.contains("digest"), "{said}");
    let said = of("hello").unwrap_err().to_string();
    assert!(said.contains("1 fields"), "{said}");
    assert_eq!(
        Statement::read(b"hello", &[]).unwrap_err(),
        ClaimError::NoForm
    );
}

#[test]
fn what_is_no_commitment_says_why() {
    let said = |text: &str, form| read(text, form).unwrap_err().to_string();
    let file = |text: &str| said(text, Form::File);
    assert!(file(&format!("a/b:c:d:e:{SHA}")).contains("5 fields"));
    assert!(file("local:b:c:1234").contains("64 hex digits"));
    assert!(file(&format!("a:b:c:{SHA}")).contains("owner/name"));
    assert!(file(&format!("a/b/c:b:c:{SHA}")).contains("owner/name"));
    assert!(file(&format!("a/b@main:b:c:{SHA}")).contains("owner/name"));
    assert!(file(&format!("../b:b:c:{SHA}")).contains("owner/name"));
    assert!(file(&format!("a/b:../../c:c:{SHA}")).contains("owner/name"));
    assert!(file(&format!("a/b:c::{SHA}")).contains("competition"));
    let shouted = SHA.to_uppercase();
    assert!(file(&format!("local:b:c:{shouted}")).contains("would be written"));
    assert!(said("a/b 0123", Form::Revision).contains("40 hex digits"));
    assert!(said("a:b:None:abcd", Form::Snapshot).contains("base64"));
    let late = "reveal:007:mhKQONmgCu0M9qfqBZylCoE0SQYauHhIzxoT6v3zOyw:AAECAwQFBgcICQoL:local";
    assert!(said(late, Form::TwoPhase).contains("would be written"));
    assert_eq!(
        read(&"x".repeat(129), Form::File),
        Err(ClaimError::TooLong(129))
    );
    assert_eq!(
        Statement::read(&[0xff, 0xfe], &ALL),
        Err(ClaimError::NotText)
    );
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,11}"
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn repository() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(LOCAL_REPOSITORY.to_owned()),
        (name(), name()).prop_map(|(owner, name)| format!("{owner}/{name}")),
    ]
}

/// A statement in any form, with the form.
fn statement() -> impl Strategy<Value = (Form, Statement)> {
    let commit = "[0-9a-f]{40}";
    let maybe = || proptest::option::of(commit);
    let rate = "0[.][0-9]{0,4}[1-9]";
    prop_oneof![
        (name(), name(), commit).prop_map(|(owner, name, revision)| (
            Form::Revision,
            Statement::Revision(Revision {
                repository: format!("{owner}/{name}"),
                revision
            })
        )),
        (
            name(),
            name(),
            maybe(),
            proptest::option::of(digest()),
            proptest::option::of(rate),
        )
            .prop_map(|(owner, name, revision, hash, learning_rate)| (
                Form::Snapshot,
                Statement::Snapshot(Snapshot {
                    owner,
                    name,
                    revision,
                    hash,
                    learning_rate
                })
            )),
        (repository(), name(), name(), digest()).prop_map(
            |(repository, stem, competition, digest)| (
                Form::File,
                Statement::File(File {
                    repository,
                    stem,
                    competition,
                    digest
                })
            )
        ),
        (
            name(),
            name(),
            maybe(),
            proptest::option::of(digest()),
            proptest::option::of("[a-z0-9-]{1,12}"),
        )
            .prop_map(|(owner, name, revision, hash, competition)| (
                Form::Bound,
                Statement::Bound(Bound {
                    owner,
                    name,
                    revision,
                    hash,
                    competition
                })
            )),
        digest().prop_map(|digest| (Form::TwoPhase, Statement::Seal(Seal(digest)))),
        (any::<u32>(), digest(), any::<Salt>(), repository()).prop_map(
            |(block, digest, salt, repository)| (
                Form::TwoPhase,
                Statement::Reveal(Reveal {
                    block: block.into(),
                    digest,
                    salt,
                    repository
                })
            )
        ),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back((form, statement) in statement()) {
        let text = statement.to_string();
        prop_assume!(text.len() <= MAX_BYTES);
        prop_assert_eq!(read(&text, form), Ok(statement));
    }

    #[test]
    fn strangers_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..140)) {
        for form in ALL {
            let _ = Statement::read(&bytes, &[form]);
        }
        let _ = Statement::read(&bytes, &ALL);
    }

    #[test]
    fn a_changed_text_is_refused_or_prints_as_it_stands(
        (form, statement) in statement(),
        place in any::<prop::sample::Index>(),
        sign in any::<char>(),
    ) {
        let mut text: Vec<char> = statement.to_string().chars().collect();
        let place = place.index(text.len());
        text[place] = sign;
        let text: String = text.into_iter().collect();
        if let Ok(read) = read(&text, form) {
            prop_assert_eq!(read.to_string(), text);
            // Whatever is claimed, no place outside is named.
            let _ = read.claim();
        }
    }
}
