//! The context file: named places to act in, and which one is current.
//!
//! It may hold tokens, so it is written with mode 0600 in a folder of mode 0700, beside itself first and then renamed:
//! a crash leaves the old file or the new one. An unknown field is refused with its line, so that a misspelt `server`
//! never sends a command to the default one.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use evaluation::Key;
use serde::{Deserialize, Serialize};

use crate::{
    args::{key, server},
    error::Error,
    nearest::nearest,
    settings::Token,
};

/// The largest context file, in bytes.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The context in use, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// Name to context.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// A place to act in. What it does not say is the default's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// The control plane's address.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "address")]
    pub(crate) server: Option<String>,
    /// The environment.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_key",
        deserialize_with = "read_key"
    )]
    pub(crate) environment: Option<Key>,
    /// The token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
    /// A file whose first line is the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Text that is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    server(&text).map(Some).map_err(serde::de::Error::custom)
}

fn read_key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Key>, D::Error> {
    let text = String::deserialize(deserializer)?;
    key(&text).map(Some).map_err(serde::de::Error::custom)
}

fn write_key<S: serde::Serializer>(key: &Option<Key>, serializer: S) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.serialize_str(key.as_str()),
        None => serializer.serialize_none(),
    }
}

impl Context {
    /// Without a token.
    #[cfg(test)]
    pub(crate) fn of(server: Option<&str>, environment: Option<&str>) -> Self {
        Self {
            server: server.map(str::to_owned),
            environment: environment.and_then(|environment| key(environment).ok()),
            token: None,
            token_file: None,
        }
    }

    /// Whether a token belongs to it, and where it is; never the token itself.
    pub(crate) fn token_place(&self) -> Option<String> {
        match (&self.token, &self.token_file) {
            (Some(_), _) => Some("in the context file".into()),
            (None, Some(file)) => Some(format!("in {}", file.display())),
            (None, None) => None,
        }
    }

    /// The token, if there is one.
    pub(crate) fn token(&self) -> Result<Option<Token>, Error> {
        let token = match (&self.token, &self.token_file) {
            (Some(Secret(text)), _) => Token::parse(text),
            (None, Some(file)) => Token::read(file),
            (None, None) => return Ok(None),
        };
        token
            .map(Some)
            .map_err(|problem| Error::usage(format!("token of the context: {problem}")))
    }

    /// Puts a token in the place of whatever was there.
    pub(crate) fn set_token(&mut self, token: &Token) {
        self.token = Some(Secret(token.secret().to_owned()));
        self.token_file = None;
    }

    /// Has no token any more.
    pub(crate) fn forget_token(&mut self) {
        self.token = None;
        self.token_file = None;
    }

    /// Names a file in the place of whatever was there.
    pub(crate) fn set_token_file(&mut self, file: PathBuf) {
        self.token = None;
        self.token_file = Some(file);
    }
}

impl Contexts {
    /// The contexts in the file; none if there is no file.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let wrong = |problem: String| Error::usage(format!("{}: {problem}", path.display()));
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
            Ok(file) if file.len() > LIMIT_BYTES => return Err(wrong(format!("larger than {LIMIT_BYTES} bytes"))),
            Ok(_) => {}
        }
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let contexts: Self = toml::from_str(&text).map_err(|error| wrong(located(&text, &error)))?;
        match &contexts.current {
            Some(name) if !contexts.contexts.contains_key(name) => Err(wrong(format!(
                "current = {name:?}, and there is no such context; choose one with: tidegate context use NAME"
            ))),
            Some(_) | None => Ok(contexts),
        }
    }

    /// Replaces the file.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|error| Error::usage(error.to_string()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        write(folder.unwrap_or(Path::new(".")), path, &text)
            .map_err(|error| Error::usage(format!("{}: {error}", path.display())))
    }

    /// The context of this name, else what there is instead.
    pub(crate) fn get(&self, name: &str) -> Result<&Context, Error> {
        self.contexts.get(name).ok_or_else(|| self.missing(name))
    }

    /// That there is no such context, and what to do.
    pub(crate) fn missing(&self, name: &str) -> Error {
        let mut problems = vec![format!("no context {name}")];
        match nearest(name, self.contexts.keys().map(String::as_str)) {
            Some(near) => problems.push(format!("did you mean {near}?")),
            None if self.contexts.is_empty() => problems.push(format!(
                "there are none; make one with: tidegate context set {name} --server URL --environment KEY"
            )),
            None => problems.push(format!(
                "there are {}",
                self.contexts.keys().cloned().collect::<Vec<_>>().join(", ")
            )),
        }
        Error::Usage(problems)
    }
}

/// `line 3: what is wrong`.
fn located(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    match error.span() {
        Some(span) => {
            let line = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

/// Writes beside the file, for the owner's eyes only, and renames.
fn write(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut directory = fs::DirBuilder::new();
    directory.recursive(true);
    let mut file = fs::OpenOptions::new();
    file.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        directory.mode(0o700);
        file.mode(0o600);
    }
    directory.create(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = folder.join(name);
    // A file left behind by a killed process of the same number would keep its mode.
    let _ = fs::remove_file(&beside);
    let written = file.open(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contexts.toml");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn what_is_saved_is_loaded_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper").join("contexts.toml");
        let mut context = Context::of(Some("http://gate:7420"), Some("staging"));
        context.set_token(&Token::parse("secret").unwrap());
        let contexts = Contexts {
            current: Some("a".into()),
            contexts: BTreeMap::from([("a".into(), context), ("b".into(), Context::default())]),
        };
        contexts.save(&path).unwrap();
        assert_eq!(Contexts::load(&path).unwrap(), contexts);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(!format!("{contexts:?}").contains("secret"));
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "nothing is left beside it");
    }

    #[test]
    fn a_missing_file_has_no_contexts() {
        assert_eq!(
            Contexts::load(Path::new("no/such/file.toml")).unwrap(),
            Contexts::default()
        );
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_line() {
        let cases = [
            ("[contexts.a]\nserved = \"x\"", "line 2: unknown field `served`"),
            ("current = \"a\"", "no such context"),
            (
                "[contexts.a]\n\nserver = \"https://x\"",
                "line 3: write http://HOST:PORT",
            ),
            ("[contexts.a]\nenvironment = \"a b\"", "line 2: a key has ASCII letters"),
            ("current = 5", "line 1: invalid type"),
            ("a\nb", "line 1: "),
        ];
        for (text, part) in cases {
            let (_folder, path) = file(text);
            let error = Contexts::load(&path).unwrap_err().to_string();
            assert!(
                error.contains("contexts.toml") && error.contains(part),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_missing_context_names_the_nearest() {
        let contexts = Contexts {
            current: None,
            contexts: BTreeMap::from([("production".into(), Context::default())]),
        };
        assert!(
            contexts
                .get("prodction")
                .unwrap_err()
                .to_string()
                .contains("did you mean production?")
        );
        assert!(
            contexts
                .get("x")
                .unwrap_err()
                .to_string()
                .contains("there are production")
        );
        let none = Contexts::default().get("x").unwrap_err().to_string();
        assert!(none.contains("tidegate context set x"), "{none}");
    }
}
