//! Contexts: made, listed, chosen, deleted; and where commands act now. A token is never written to the output.

use serde::Serialize;

use crate::{
    args::{ContextCommand, ContextSetArgs, Global},
    contexts::{Context, Contexts},
    error::Error,
    print,
    settings::{self, Setting, Settings, Token, contexts_path},
};

/// One context, for programs.
#[derive(Debug, Serialize)]
struct ContextView {
    name: String,
    current: bool,
    server: Option<String>,
    environment: Option<String>,
    token: Option<String>,
}

/// Where commands act, for programs.
#[derive(Debug, Serialize)]
struct SettingsView {
    file: String,
    context: Option<SettingView>,
    server: SettingView,
    environment: SettingView,
    token: Option<SettingView>,
}

/// A setting and what says so, for programs.
#[derive(Debug, Serialize)]
struct SettingView {
    value: String,
    source: String,
}

impl SettingView {
    fn of<T: ToString>(setting: &Setting<T>) -> Self {
        Self {
            value: setting.value.to_string(),
            source: setting.source.to_string(),
        }
    }
}

/// Runs one of the commands.
pub(super) fn run(global: &Global, command: ContextCommand) -> Result<(), Error> {
    match command {
        ContextCommand::Use(context) => choose(global, context.name.as_str()),
        ContextCommand::List => list(global),
        ContextCommand::Set(options) => set(global, &options),
        ContextCommand::Delete(context) => delete(global, context.name.as_str()),
        ContextCommand::Show => show(global),
    }
}

fn load() -> Result<Contexts, Error> {
    Contexts::load(&contexts_path(&settings::variable)?)
}

fn save(contexts: &Contexts) -> Result<(), Error> {
    contexts.save(&contexts_path(&settings::variable)?)
}

fn view(contexts: &Contexts, name: &str, context: &Context) -> ContextView {
    ContextView {
        name: name.to_owned(),
        current: contexts.current.as_deref() == Some(name),
        server: context.server.clone(),
        environment: context.environment.as_ref().map(ToString::to_string),
        token: context.token_place(),
    }
}

fn choose(global: &Global, name: &str) -> Result<(), Error> {
    let mut contexts = load()?;
    let context = contexts.get(name)?.clone();
    contexts.current = Some(name.to_owned());
    save(&contexts)?;
    print::show(global.output, &view(&contexts, name, &context), || {
        format!("{name} is used from now on: {}", words(&context))
    })
}

fn words(context: &Context) -> String {
    let server = context.server.as_deref().unwrap_or("the default server");
    match &context.environment {
        Some(environment) => format!("{environment} at {server}"),
        None => format!("the default environment at {server}"),
    }
}

fn list(global: &Global) -> Result<(), Error> {
    let contexts = load()?;
    let all = contexts.contexts.iter();
    let views: Vec<ContextView> = all.map(|(name, context)| view(&contexts, name, context)).collect();
    print::show(global.output, &views, || {
        if views.is_empty() {
            return "no contexts; make one with: tidegate context set NAME --server URL --environment KEY".into();
        }
        let rows = views.iter().map(|view| {
            [
                if view.current { "*" } else { "" }.to_owned(),
                view.name.clone(),
                view.server.clone().unwrap_or_default(),
                view.environment.clone().unwrap_or_default(),
                view.token.clone().unwrap_or_default(),
            ]
        });
        print::table(["", "NAME", "SERVER", "ENVIRONMENT", "TOKEN"], rows)
    })
}

/// Writes what was given on the command line; environment variables are not meant.
fn set(global: &Global, options: &ContextSetArgs) -> Result<(), Error> {
    let mut contexts = load()?;
    let name = options.name.to_string();
    let mut context = contexts.contexts.get(&name).cloned().unwrap_or_default();
    if let Some(server) = &global.server {
        context.server = Some(server.clone());
    }
    if let Some(environment) = &global.environment {
        context.environment = Some(environment.clone());
    }
    if let Some(token) = &global.token {
        let token = Token::parse(token).map_err(|problem| Error::usage(format!("--token: {problem}")))?;
        context.set_token(&token);
    }
    if let Some(file) = &global.token_file {
        Token::read(file).map_err(|problem| Error::usage(format!("--token-file: {problem}")))?;
        let file = std::path::absolute(file).map_err(|error| Error::usage(format!("--token-file: {error}")))?;
        context.set_token_file(file);
    }
    if options.no_token {
        context.forget_token();
    }
    if context == Context::default() {
        return Err(Error::usage("a context says something: give --server or --environment"));
    }
    if options.use_it {
        contexts.current = Some(name.clone());
    }
    contexts.contexts.insert(name.clone(), context.clone());
    save(&contexts)?;
    let view = view(&contexts, &name, &context);
    print::show(global.output, &view, || {
        let hint = if view.current {
            String::new()
        } else {
            format!("; use it with: tidegate context use {name}")
        };
        format!("{name}: {}{hint}", words(&context))
    })
}

fn delete(global: &Global, name: &str) -> Result<(), Error> {
    let mut contexts = load()?;
    let context = contexts.get(name)?.clone();
    let view = view(&contexts, name, &context);
    contexts.contexts.remove(name);
    if view.current {
        contexts.current = None;
    }
    save(&contexts)?;
    print::show(global.output, &view, || {
        let hint = if view.current { "; no context is in use now" } else { "" };
        format!("{name}: deleted{hint}")
    })
}

fn show(global: &Global) -> Result<(), Error> {
    let settings = Settings::load(global)?;
    let value = SettingsView {
        file: contexts_path(&settings::variable)?.display().to_string(),
        context: settings.context.as_ref().map(SettingView::of),
        server: SettingView::of(&settings.server),
        environment: SettingView::of(&settings.environment),
        token: settings.token.as_ref().map(|token| SettingView {
            value: "(not shown)".into(),
            source: token.source.to_string(),
        }),
    };
    print::show(global.output, &value, || {
        let none = || SettingView {
            value: "(none)".into(),
            source: String::new(),
        };
        let context = value.context.as_ref().map(|context| context.value.clone());
        let row = |name: &str, setting: &SettingView| [name.to_owned(), setting.value.clone(), setting.source.clone()];
        let token = value.token.as_ref();
        let rows = [
            [
                "context".into(),
                context.unwrap_or_else(|| "(none)".into()),
                value.file.clone(),
            ],
            row("server", &value.server),
            row("environment", &value.environment),
            token.map_or_else(|| row("token", &none()), |token| row("token", token)),
        ];
        print::table(["SETTING", "VALUE", "FROM"], rows)
    })
}
