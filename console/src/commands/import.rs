//! What other systems wrote, brought in exactly or not at all.

use crate::{
    args::{FlagdArgs, Global, ImportArgs, ImportCommand},
    bundle::Bundle,
    commands::{apply, export},
    document,
    error::Error,
    flag_document::FlagDocument,
    import::flagd::{self, Leniency},
    print::{self, Format},
    segment_document::SegmentDocument,
};

/// Runs one of the imports.
pub(super) async fn run(global: &Global, command: ImportCommand) -> Result<(), Error> {
    match command {
        ImportCommand::Flagd(options) => {
            let text = document::text(&options.import.file)?;
            flagd(global, &options, &text).await
        }
        ImportCommand::Simple(options) => {
            let text = document::text(&options.file)?;
            simple(global, &options, &text).await
        }
        ImportCommand::Auto(options) => {
            let text = document::text(&options.import.file)?;
            if flagd::looks_like(&text) {
                flagd(global, &options, &text).await
            } else {
                simple(global, &options.import, &text).await
            }
        }
    }
}

/// Files in our own form, with the older words too.
async fn simple(global: &Global, options: &ImportArgs, text: &str) -> Result<(), Error> {
    let mut bundle = Bundle::default();
    bundle.add(&options.file.display().to_string(), text);
    finish(global, options, bundle.finish()?).await
}

async fn flagd(global: &Global, options: &FlagdArgs, text: &str) -> Result<(), Error> {
    let file = options.import.file.display().to_string();
    let leniency = Leniency {
        rebucket: options.rebucket,
        strict_types: options.strict_types,
    };
    let imported = flagd::read(&file, text, leniency).map_err(Error::Usage)?;
    apply::notes(&imported.notes);
    if !imported.refusals.is_empty() {
        if !options.skip_unmappable {
            let mut problems = imported.refusals;
            let mappable = imported.flags.len();
            problems.push(format!(
                "nothing was written; the flags that can be mapped ({mappable}) are imported alone with --skip-unmappable"
            ));
            return Err(Error::Usage(problems));
        }
        let skipped = imported.refusals.iter().map(|refusal| format!("skipped: {refusal}"));
        apply::notes(&skipped.collect::<Vec<_>>());
    }
    finish(global, &options.import, Bundle::of(imported.flags)).await
}

async fn finish(global: &Global, options: &ImportArgs, mut bundle: Bundle) -> Result<(), Error> {
    if let Some(set) = &options.flag_set {
        for flag in &mut bundle.flags {
            flag.flag_set = set.to_string();
        }
    }
    if bundle.flags.is_empty() && bundle.segments.is_empty() {
        return Err(Error::usage("no flags in the file that can be imported"));
    }
    if options.dry_run {
        apply::notes(&bundle.notes);
        let segments = bundle.segments.iter();
        let segments =
            segments.map(|segment| export::with_kind("segment", &SegmentDocument::from_wire(segment).into_tree()));
        let flags = bundle.flags.iter();
        let flags = flags.map(|flag| export::with_kind("flag", &FlagDocument::from_wire(flag).into_tree()));
        let trees: Vec<_> = segments.chain(flags).collect();
        let format = match global.output {
            Format::Json => Format::Json,
            Format::Yaml | Format::Table => Format::Yaml,
        };
        return print::line(export::trees_text(&trees, format)?.trim_end());
    }
    apply::notes(&bundle.notes);
    apply::import(global, bundle).await
}
