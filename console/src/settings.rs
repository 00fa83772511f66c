//! Where a command acts and with which token: an option, else an environment variable, else the context, else the
//! default. The only place that reads environment variables.
//!
//! The context file is read only if something is left to it, so that a broken one never stands in the way of options
//! that say everything. Where each setting came from is kept: `context show` and `doctor` say it.

use std::{
    env, fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use evaluation::Key;
use tonic::metadata::{Ascii, MetadataValue};

use crate::{
    args::{Global, key, said, server},
    contexts::{Context, Contexts},
    error::Error,
};

/// Where a control plane is unless told.
const SERVER: &str = "http://127.0.0.1:7420";
/// The environment unless told.
const ENVIRONMENT: &str = "production";
/// The longest token, in bytes.
const TOKEN_BYTES: u64 = 8_192;

/// Reads one environment variable: none if it is not set or empty.
pub(crate) type Variable<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// An option of the command line.
    Option,
    /// This environment variable.
    Variable(&'static str),
    /// This context.
    Context(String),
    /// Nothing said otherwise.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("option"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Context(name) => write!(f, "context {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// What it is.
    pub(crate) value: T,
    /// Who said so.
    pub(crate) source: Source,
}

/// A secret: it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Printable ASCII without spaces, at most 8 KiB.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the token is empty".into());
        }
        if text.len() as u64 > TOKEN_BYTES {
            return Err("a token has at most 8,192 bytes".into());
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a token has printable ASCII characters only, and no spaces".into());
        }
        Ok(Self(text.to_owned()))
    }

    /// The token in `file`: its first line.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let mut text = String::new();
        let read = fs::File::open(file).and_then(|file| file.take(TOKEN_BYTES + 1).read_to_string(&mut text));
        read.map_err(|error: io::Error| format!("{}: {error}", file.display()))?;
        Self::parse(text.lines().next().unwrap_or_default()).map_err(|problem| format!("{}: {problem}", file.display()))
    }

    /// As the metadata `authorization` carries it. It is marked as sensitive.
    pub(crate) fn metadata(&self) -> Option<MetadataValue<Ascii>> {
        let mut value = MetadataValue::try_from(format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The secret itself, to be kept in the context file.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

/// Where a command acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The context that was used, if one was.
    pub(crate) context: Option<Setting<String>>,
    /// The control plane's address.
    pub(crate) server: Setting<String>,
    /// The environment.
    pub(crate) environment: Setting<Key>,
    /// The token, if there is one.
    pub(crate) token: Option<Setting<Token>>,
}

impl Settings {
    /// The settings of a command of this process.
    pub(crate) fn load(global: &Global) -> Result<Self, Error> {
        // Without a home, as in a container, there are no contexts; that keeps nobody from naming a server.
        Self::resolve(global, &variable, || match contexts_path(&variable) {
            Ok(path) => Contexts::load(&path),
            Err(_) => Ok(Contexts::default()),
        })
    }

    /// The settings from options, variables and contexts. A variable that is wrong is named.
    pub(crate) fn resolve(
        global: &Global,
        variable: Variable<'_>,
        contexts: impl FnOnce() -> Result<Contexts, Error>,
    ) -> Result<Self, Error> {
        let all_given = global.server.is_some() && global.environment.is_some();
        let token = token(global, variable)?;
        let named = match (&global.context_name, variable("TIDEGATE_CONTEXT")) {
            (Some(name), _) => Some((name.to_string(), Source::Option)),
            (None, Some(name)) => Some((name, Source::Variable("TIDEGATE_CONTEXT"))),
            (None, None) => None,
        };
        let contexts = match named.is_some() || !all_given || token.is_none() {
            true => contexts()?,
            false => Contexts::default(),
        };
        let (name, context) = used(named, &contexts)?;
        let from = |name: &Option<Setting<String>>| {
            Source::Context(name.as_ref().map(|name| name.value.clone()).unwrap_or_default())
        };
        Ok(Self {
            server: pick(&global.server, "TIDEGATE_SERVER", variable, server)?
                .or_else(|| Some(setting(context.server.clone()?, from(&name))))
                .unwrap_or_else(|| setting(SERVER.to_owned(), Source::Default)),
            environment: pick(&global.environment, "TIDEGATE_ENVIRONMENT", variable, key)?
                .or_else(|| Some(setting(context.environment.clone()?, from(&name))))
                .map_or_else(default_environment, Ok)?,
            token: match token {
                Some(token) => Some(token),
                None => context.token()?.map(|token| setting(token, from(&name))),
            },
            context: name,
        })
    }
}

fn default_environment() -> Result<Setting<Key>, Error> {
    let key = key(ENVIRONMENT).map_err(Error::usage)?;
    Ok(setting(key, Source::Default))
}

fn setting<T>(value: T, source: Source) -> Setting<T> {
    Setting { value, source }
}

/// The context that was named, else the current one, else an empty one.
fn used(named: Option<(String, Source)>, contexts: &Contexts) -> Result<(Option<Setting<String>>, Context), Error> {
    let chosen = named.or_else(|| Some((contexts.current.clone()?, Source::Default)));
    match chosen {
        Some((name, source)) => {
            let context = contexts.get(&name)?.clone();
            Ok((Some(setting(name, source)), context))
        }
        None => Ok((None, Context::default())),
    }
}

/// What the option says, else the variable.
fn pick<T: Clone>(
    option: &Option<T>,
    name: &'static str,
    variable: Variable<'_>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Setting<T>>, Error> {
    if let Some(value) = option {
        return Ok(Some(setting(value.clone(), Source::Option)));
    }
    let parsed = variable(name).map(|text| parse(&text).map_err(|problem| format!("{name}: {problem}")));
    Ok(parsed
        .transpose()
        .map_err(Error::usage)?
        .map(|value| setting(value, Source::Variable(name))))
}

/// The token of the options, else of the variables.
fn token(global: &Global, variable: Variable<'_>) -> Result<Option<Setting<Token>>, Error> {
    let (read, source) = if let Some(text) = &global.token {
        (
            Token::parse(text).map_err(|problem| format!("--token: {problem}")),
            Source::Option,
        )
    } else if let Some(file) = &global.token_file {
        (
            Token::read(file).map_err(|problem| format!("--token-file: {problem}")),
            Source::Option,
        )
    } else if let Some(text) = variable("TIDEGATE_TOKEN") {
        let token = Token::parse(&text).map_err(|problem| format!("TIDEGATE_TOKEN: {problem}"));
        (token, Source::Variable("TIDEGATE_TOKEN"))
    } else if let Some(file) = variable("TIDEGATE_TOKEN_FILE") {
        let token = Token::read(Path::new(&file)).map_err(|problem| format!("TIDEGATE_TOKEN_FILE: {problem}"));
        (token, Source::Variable("TIDEGATE_TOKEN_FILE"))
    } else {
        return Ok(None);
    };
    Ok(Some(setting(read.map_err(Error::usage)?, source)))
}

/// Where the context file is: as TIDEGATE_CONFIG says, else in the user's folder for settings.
pub(crate) fn contexts_path(variable: Variable<'_>) -> Result<PathBuf, Error> {
    if let Some(path) = variable("TIDEGATE_CONFIG") {
        return Ok(path.into());
    }
    let folder = match (variable("XDG_CONFIG_HOME"), variable("HOME")) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(home)) => Path::new(&home).join(".config"),
        (None, None) => {
            return Err(Error::usage(
                "no place for the context file: set HOME, or name the file in TIDEGATE_CONFIG",
            ));
        }
    };
    Ok(folder.join("tidegate").join("contexts.toml"))
}

/// An environment variable of this process; none if it is not set, empty or not UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads settings")]
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Who acts: as the option says, else TIDEGATE_ACTOR, else user@host.
pub(crate) fn actor(global: &Global, variable: Variable<'_>) -> Result<String, Error> {
    match pick(&global.actor, "TIDEGATE_ACTOR", variable, said)? {
        Some(actor) => Ok(actor.value),
        None => Ok(said(&user_at_host()).unwrap_or_else(|_| "unknown".into())),
    }
}

fn user_at_host() -> String {
    let file = |path| {
        fs::read_to_string(path)
            .ok()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
    };
    let user = variable("USER")
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| "unknown".into());
    let host = file("/proc/sys/kernel/hostname")
        .or_else(|| file("/etc/hostname"))
        .or_else(|| variable("HOSTNAME"));
    format!("{user}@{}", host.unwrap_or_else(|| "localhost".into()))
}

#[cfg(test)]
mod tests;
