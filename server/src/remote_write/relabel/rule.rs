//! One rule: what it checks when it is read, and what it does.

use std::borrow::Cow;

use regex::{Captures, Regex};
use silverback_query::parse::translate_pattern;

use super::{Pairs, RuleText, md5};

const SEPARATOR: &str = ";";
const REPLACEMENT: &str = "$1";
const REGEX: &str = "(.*)";

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    action: Action,
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    /// Whether the file has no regex, so that an empty text is replaced without looking.
    matches_all: bool,
    modulus: u64,
    target_label: String,
    replacement: String,
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

impl Action {
    const NAMES: [(&str, Self); 11] = [
        ("replace", Self::Replace),
        ("keep", Self::Keep),
        ("drop", Self::Drop),
        ("keepequal", Self::KeepEqual),
        ("dropequal", Self::DropEqual),
        ("hashmod", Self::HashMod),
        ("labelmap", Self::LabelMap),
        ("labeldrop", Self::LabelDrop),
        ("labelkeep", Self::LabelKeep),
        ("lowercase", Self::Lowercase),
        ("uppercase", Self::Uppercase),
    ];

    fn of(text: &str) -> Result<Self, String> {
        let lower = text.to_lowercase();
        let found = Self::NAMES.iter().find(|(name, _)| *name == lower);
        found
            .map(|(_, action)| *action)
            .ok_or_else(|| format!("unknown relabel action {text:?}"))
    }

    fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, action)| *action == self);
        found.map_or("", |(name, _)| name)
    }
}

impl Rule {
    /// Checks a rule as Prometheus does, in its words.
    pub(super) fn new(text: RuleText) -> Result<Self, String> {
        let action = text
            .action
            .as_deref()
            .map_or(Ok(Action::Replace), Action::of)?;
        check(action, &text)?;
        let pattern = text.regex.as_deref().unwrap_or(REGEX);
        let translated = translate_pattern(pattern)?;
        let regex = Regex::new(&format!("^(?s:{translated})$"))
            .map_err(|error| format!("regex {pattern:?} is not valid: {error}"))?;
        Ok(Self {
            action,
            regex,
            matches_all: text.regex.is_none(),
            source_labels: text.source_labels.unwrap_or_default(),
            separator: text.separator.unwrap_or_else(|| SEPARATOR.to_owned()),
            modulus: text.modulus.unwrap_or(0),
            target_label: text.target_label.unwrap_or_default(),
            replacement: text.replacement.unwrap_or_else(|| REPLACEMENT.to_owned()),
        })
    }

    /// Applies the rule; false where it drops the series.
    pub(super) fn apply(&self, labels: &mut Pairs<'_>) -> bool {
        let source = self.source(labels);
        match self.action {
            Action::Drop => !self.regex.is_match(&source),
            Action::Keep => self.regex.is_match(&source),
            Action::DropEqual => get(labels, &self.target_label) != source,
            Action::KeepEqual => get(labels, &self.target_label) == source,
            Action::Replace => {
                self.replace(labels, &source);
                true
            }
            Action::Lowercase => {
                set(labels, &self.target_label, source.to_lowercase());
                true
            }
            Action::Uppercase => {
                set(labels, &self.target_label, source.to_uppercase());
                true
            }
            Action::HashMod => {
                // Checked to be more than 0.
                let rest = md5::last_half(source.as_bytes()).checked_rem(self.modulus);
                set(labels, &self.target_label, rest.unwrap_or(0).to_string());
                true
            }
            Action::LabelMap => {
                self.map(labels);
                true
            }
            Action::LabelDrop => {
                labels.retain(|(name, _)| !self.regex.is_match(name));
                true
            }
            Action::LabelKeep => {
                labels.retain(|(name, _)| self.regex.is_match(name));
                true
            }
        }
    }

    fn source(&self, labels: &Pairs<'_>) -> String {
        let values = self.source_labels.iter().map(|name| get(labels, name));
        values.collect::<Vec<_>>().join(&self.separator)
    }

    fn replace(&self, labels: &mut Pairs<'_>, source: &str) {
        let is_plain = |text: &str| !text.contains('$');
        if source.is_empty()
            && self.matches_all
            && is_plain(&self.target_label)
            && is_plain(&self.replacement)
        {
            return set(labels, &self.target_label, self.replacement.clone());
        }
        let Some(captures) = self.regex.captures(source) else {
            return;
        };
        let target = expand(&captures, &self.target_label);
        if !target.is_empty() {
            set(labels, &target, expand(&captures, &self.replacement));
        }
    }

    fn map(&self, labels: &mut Pairs<'_>) {
        // What a new label is made of are those before the rule.
        let mut mapped = Vec::new();
        for (name, value) in labels.iter() {
            if let Some(captures) = self.regex.captures(name) {
                mapped.push((expand(&captures, &self.replacement), value.to_string()));
            }
        }
        for (name, value) in mapped {
            set(labels, &name, value);
        }
    }
}

fn expand(captures: &Captures<'_>, template: &str) -> String {
    let mut text = String::new();
    captures.expand(template, &mut text);
    text
}

fn get<'l>(labels: &'l Pairs<'_>, name: &str) -> &'l str {
    let found = labels.iter().find(|label| label.0 == name);
    found.map_or("", |label| &label.1)
}

/// An empty value takes the label away.
fn set(labels: &mut Pairs<'_>, name: &str, value: String) {
    let at = labels.iter().position(|label| label.0 == name);
    match (at, value.is_empty()) {
        (Some(at), true) => drop(labels.remove(at)),
        (None, true) => {}
        (Some(at), false) => {
            if let Some(label) = labels.get_mut(at) {
                label.1 = Cow::Owned(value);
            }
        }
        (None, false) => labels.push((Cow::Owned(name.to_owned()), Cow::Owned(value))),
    }
}

/// Whether the rule has what its action needs, and nothing that means nothing to it.
fn check(action: Action, text: &RuleText) -> Result<(), String> {
    use Action::{
        DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace,
        Uppercase,
    };
    let name = action.name();
    let target_label = text.target_label.as_deref().unwrap_or_default();
    let has = |given: Option<&str>, default: &str| given.is_some_and(|given| given != default);
    let has_modulus = text.modulus.is_some_and(|modulus| modulus != 0);
    let has_separator = has(text.separator.as_deref(), SEPARATOR);
    let has_replacement = has(text.replacement.as_deref(), REPLACEMENT);
    if action == HashMod && !has_modulus {
        return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
    }
    let needs_target = [Replace, HashMod, Lowercase, Uppercase, KeepEqual, DropEqual];
    if needs_target.contains(&action) && target_label.is_empty() {
        return Err(format!(
            "relabel configuration for {name} action requires 'target_label' value"
        ));
    }
    if [Lowercase, Uppercase, KeepEqual, DropEqual].contains(&action) && has_replacement {
        return Err(format!("'replacement' can not be set for {name} action"));
    }
    if action == LabelMap && text.replacement.as_deref() == Some("") {
        return Err(format!("\"\" is invalid 'replacement' for {name} action"));
    }
    if [DropEqual, KeepEqual].contains(&action)
        && (text.regex.is_some() || has_modulus || has_separator)
    {
        return Err(format!(
            "{name} action requires only 'source_labels' and `target_label`, and no other fields"
        ));
    }
    let has_more = text.source_labels.is_some()
        || !target_label.is_empty()
        || has_modulus
        || has_separator
        || has_replacement;
    if [LabelDrop, LabelKeep].contains(&action) && has_more {
        return Err(format!(
            "{name} action requires only 'regex', and no other fields"
        ));
    }
    Ok(())
}
