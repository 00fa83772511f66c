//! Contexts: made, used, overridden, deleted; a token travels and is never shown.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use crate::fake::{Fake, Run, command};

/// Runs the binary with this context file and no other word on where to act.
async fn run(file: &Path, arguments: &[&str]) -> Run {
    let output = command("")
        .env_remove("TIDEGATE_SERVER")
        .env("TIDEGATE_CONFIG", file)
        .args(arguments)
        .output()
        .await
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn a_context_says_where_commands_act_and_options_go_before_it() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("contexts.toml");
    let set = run(
        &file,
        &[
            "context",
            "set",
            "near",
            "--server",
            &fake.address,
            "-e",
            "staging",
            "--token",
            "s3cret",
        ],
    )
    .await;
    assert_eq!(
        set.out,
        format!(
            "near: staging at {}; use it with: tidegate context use near\n",
            fake.address
        ),
        "{set:?}"
    );
    assert_eq!(run(&file, &["context", "use", "near"]).await.code, 0);
    assert_eq!(run(&file, &["create", "a"]).await.code, 0);
    assert_eq!(run(&file, &["disable", "a", "-e", "production"]).await.code, 0);
    let environments: Vec<String> = fake.state().calls.iter().map(|call| call.2.clone()).collect();
    assert_eq!(environments, ["staging", "production"]);
    assert_eq!(fake.state().authorizations, ["Bearer s3cret", "Bearer s3cret"]);

    let show = run(&file, &["context", "show"]).await;
    for part in ["context near", "staging", "(not shown)"] {
        assert!(show.out.contains(part), "{show:?}");
    }
    let list = run(&file, &["context", "list"]).await;
    assert!(list.out.lines().nth(1).unwrap().starts_with("*  near"), "{list:?}");
    for output in [
        &set,
        &show,
        &list,
        &run(&file, &["context", "list", "-o", "yaml"]).await,
    ] {
        assert!(!format!("{output:?}").contains("s3cret"), "{output:?}");
    }
}

#[tokio::test]
async fn one_command_may_use_another_context() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("contexts.toml");
    run(
        &file,
        &["context", "set", "nowhere", "--server", "127.0.0.1:1", "--use"],
    )
    .await;
    run(&file, &["context", "set", "near", "--server", &fake.address]).await;
    assert_eq!(run(&file, &["list"]).await.code, 4);
    assert_eq!(run(&file, &["list", "--context-name", "near"]).await.code, 0);
    assert_eq!(run(&file, &["list", "--server", &fake.address]).await.code, 0);
    let missing = run(&file, &["list", "--context-name", "neer"]).await;
    assert!(
        missing.code == 2 && missing.err.contains("did you mean near?"),
        "{missing:?}"
    );
    let deleted = run(&file, &["context", "delete", "nowhere"]).await;
    assert_eq!(deleted.out, "nowhere: deleted; no context is in use now\n");
}

#[tokio::test]
async fn a_token_file_is_named_and_read_when_it_is_needed() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, token) = (folder.path().join("contexts.toml"), folder.path().join("token"));
    fs::write(&token, "from-file\n").unwrap();
    let path = token.to_str().unwrap();
    run(
        &file,
        &[
            "context",
            "set",
            "a",
            "--server",
            &fake.address,
            "--token-file",
            path,
            "--use",
        ],
    )
    .await;
    assert!(
        fs::read_to_string(&file).unwrap().contains(path),
        "the name, not the token"
    );
    run(&file, &["create", "a"]).await;
    assert_eq!(fake.state().authorizations, ["Bearer from-file"]);
    fs::remove_file(&token).unwrap();
    let gone = run(&file, &["list"]).await;
    assert!(gone.code == 2 && gone.err.contains("token of the context"), "{gone:?}");
}

#[tokio::test]
async fn what_is_wrong_with_contexts_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("contexts.toml");
    let cases: [(&[&str], &str); 4] = [
        (&["context", "use", "a"], "make one with: tidegate context set a"),
        (&["context", "set", "a"], "give --server or --environment"),
        (
            &["context", "set", "a", "--server", "https://x"],
            "write http://HOST:PORT",
        ),
        (&["context", "delete", "a"], "no context a"),
    ];
    for (line, part) in cases {
        let refused = run(&file, line).await;
        assert!(refused.code == 2 && refused.err.contains(part), "{refused:?}");
    }
    fs::write(&file, "[contexts.a]\nserve = \"x\"\n").unwrap();
    let broken = run(&file, &["list"]).await;
    assert!(
        broken.code == 2 && broken.err.contains("line 2: unknown field `serve`"),
        "{broken:?}"
    );
}
