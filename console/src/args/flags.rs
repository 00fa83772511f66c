//! Options of the commands that write flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use evaluation::{Buckets, Key};
use proto::v1;

use super::global::{key, percent};
use crate::rule;

/// What `create --help` teaches.
pub(super) const CREATE_EXAMPLES: &str = "\
Examples:
  tidegate create checkout-v2 --owner payments --tag web
  tidegate create checkout-v2 --percent 5 --allow user-7 --rule 'staff: email ends_with @acme.com -> on'
  tidegate create theme --type string --variant light=light --variant dark=dark --default light
  tidegate create -f flag.yaml";
/// What `set --help` teaches.
pub(super) const SET_EXAMPLES: &str = "\
Examples:
  tidegate set checkout-v2 on                              everybody
  tidegate set checkout-v2 on --percent 25                 a quarter; the rest keeps what it had
  tidegate set checkout-v2 on --percent 25 --allow user-7 --deny user-8 -e production
  tidegate set checkout-v3 on --percent 5 --create         make it if it is not there";
/// What `list --help` teaches.
pub(super) const LIST_EXAMPLES: &str = "\
Examples:
  tidegate list --tag web --owner payments
  tidegate list --text checkout --type boolean
  tidegate list --archived only -o json";

/// One flag.
#[derive(Debug, Args)]
pub(crate) struct FlagKey {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

/// A flag to delete.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Which flags. Filters that are given must all fit.
#[derive(Debug, Default, Args)]
pub(crate) struct ListFlagsArgs {
    /// Only flags with this tag; given several times, with all of them
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tag: Vec<String>,
    /// Only flags of this owner
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) owner: Option<String>,
    /// Only flags with this text in key, description, owner or tags, without regard to case
    #[arg(long, visible_alias = "search", value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) text: Option<String>,
    /// Only flags of this type
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub(crate) flag_type: Option<TypeArg>,
    /// Only flags of this flag set
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) flag_set: Option<Key>,
    /// Archived flags as well, or only them
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, default_missing_value = "included")]
    pub(crate) archived: Option<ArchivedArg>,
}

/// Which archived flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchivedArg {
    /// All flags, archived or not
    Included,
    /// Only archived flags
    Only,
}

/// A new flag, from options or from a document.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The flag's key; with a document, the key that it must have
    #[arg(value_parser = key, required_unless_present = "file")]
    pub(crate) key: Option<Key>,
    /// A YAML or JSON document of one flag; - reads standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "flag_type", "variant", "default", "percent", "off", "description", "owner", "tag", "flag_set", "salt",
        "disabled", "allow", "deny", "rule",
    ])]
    pub(crate) file: Option<PathBuf>,
    /// The type of the variants' values
    #[arg(long = "type", value_enum, value_name = "TYPE", default_value_t = TypeArg::Boolean)]
    pub(crate) flag_type: TypeArg,
    /// A variant and its value; a boolean flag without any gets on=true and off=false
    #[arg(long, value_name = "NAME=VALUE", value_parser = variant)]
    pub(crate) variant: Vec<VariantArg>,
    /// The variant that is served; of a boolean flag, the false one if not given
    #[arg(long, value_name = "VARIANT")]
    pub(crate) default: Option<String>,
    /// Serve the default (of a boolean flag: the true variant) to this percentage, the off variant to the rest
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    pub(crate) percent: Option<Buckets>,
    /// The variant for a disabled or killed flag and for denied units; of a boolean flag, the false one if not given
    #[arg(long, value_name = "VARIANT")]
    pub(crate) off: Option<String>,
    /// What the flag is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
    /// Who answers for the flag
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) owner: String,
    /// A free label; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tag: Vec<String>,
    /// The flag set that the flag belongs to
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) flag_set: Option<Key>,
    /// Draws units into buckets; one is drawn if not given
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) salt: String,
    /// Create it turned off
    #[arg(long)]
    pub(crate) disabled: bool,
    /// Units that always get a variant: UNIT (of a boolean flag: the true variant) or VARIANT=UNIT
    #[arg(long, value_name = "UNIT", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) allow: Vec<String>,
    #[command(flatten)]
    pub(crate) listed: Listed,
}

/// A change of what a flag serves.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The flag's key
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// The variant to serve
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) variant: String,
    /// Serve it to this percentage only; the rest gets the previous default, else the off variant
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    pub(crate) percent: Option<Buckets>,
    /// The variant for the rest
    #[arg(long, value_name = "VARIANT", requires = "percent")]
    pub(crate) rest: Option<String>,
    /// Units that always get this variant; they leave other lists
    #[arg(long, value_name = "UNIT", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) allow: Vec<String>,
    #[command(flatten)]
    pub(crate) listed: Listed,
    /// Create the flag (boolean, on and off) if it does not exist
    #[arg(long)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

/// What the writer knows of the flag's rollouts and wants all the same.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConsentArgs {
    /// End the rollout that holds the flag, by this edit; needs --reason
    #[arg(long)]
    pub(crate) supersede: bool,
    /// Serve what this aborted rollout took away to more units, because that is meant: its name, such as checkout#3
    #[arg(long, value_name = "RUN")]
    pub(crate) acknowledge_abort: Option<String>,
}

/// Denied units and rules, which are written alike wherever they are written.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// Units that always get the off variant
    #[arg(long, value_name = "UNIT", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) deny: Vec<String>,
    /// A rule, such as 'eu: country=DE,AT and paying=true -> on'; quotes make text of true, 42 or "a b"
    ///
    /// NAME: CONDITION [and CONDITION]... -> VARIANT, or none for the caller's default, or a split: on 25%, off 75%.
    ///
    /// A condition is [not] ATTRIBUTE OPERATOR VALUE[,VALUE]; ATTRIBUTE may be a path: address.country. Operators:
    /// = != (one of); == < <= > >= between 1,5 (numbers); contains starts_with ends_with matches (text); version
    /// = < <= > >= ~ ^; before after (dates); in_network; type_is; exists; any_of all_of none_of and size (lists). /i
    /// after = != contains starts_with ends_with any_of all_of none_of ignores case. Without an attribute: in_segment
    /// KEY[,KEY] and flag KEY=VARIANT[,VARIANT].
    ///
    /// 'staff: email ends_with/i @example.org and not role=guest -> on'
    #[arg(long, value_name = "RULE", value_parser = rule::parse)]
    pub(crate) rule: Vec<v1::Rule>,
}

/// The type of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeArg {
    /// true or false
    Boolean,
    /// Text
    String,
    /// A whole number of 64 bits
    Integer,
    /// A number
    Float,
    /// A JSON object
    Object,
}

/// A variant as it is written: `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VariantArg {
    /// Not empty.
    pub(crate) name: String,
    /// Text of a value of the flag's type.
    pub(crate) value: String,
}

fn variant(text: &str) -> Result<VariantArg, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(VariantArg {
            name: name.into(),
            value: value.into(),
        }),
        Some(_) | None => Err("write NAME=VALUE".into()),
    }
}
