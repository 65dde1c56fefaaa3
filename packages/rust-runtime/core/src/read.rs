//! The ModelSpec reader: every rule of `docs/model_spec.md`, every problem reported at once.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Arguments;

use crate::error::Error;
use crate::json::Json;
use crate::link::Link;
use crate::spec::{
    Feature, MAX_DEGREE, MAX_FEATURES, MAX_JSON_BYTES, MAX_MAGNITUDE, MAX_RESPONSES, MAX_TERMS,
    ModelSpec, PLAIN_VERSION, Producer, SPEC_VERSION, Side, Term, TermKind, When,
};

/// After this many problems the list is cut: a hostile document must not make a hostile message.
const MAX_PROBLEMS: usize = 20;

impl ModelSpec {
    /// Read and check a JSON document.
    ///
    /// Returns the model and warnings. A newer minor version warns, and there keys this reader
    /// does not know are ignored; in its own version they are problems.
    pub fn from_json(bytes: &[u8]) -> Result<(Self, Vec<String>), Error> {
        if bytes.len() > MAX_JSON_BYTES {
            return Err(Error::LimitExceeded(format!(
                "the model has {} bytes, the limit is {MAX_JSON_BYTES}; is it a ModelSpec?",
                bytes.len()
            )));
        }
        let document: Json = serde_json::from_slice(bytes)
            .map_err(|error| Error::MalformedSpec(error.to_string()))?;
        let Json::Object(entries) = document else {
            return Err(Error::InvalidSpec(vec![format!(
                "the document is {}, expected an object",
                document.type_name()
            )]));
        };
        let mut reader = Reader {
            lenient: false,
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        reader.version(&entries)?;
        let spec = reader.model(&entries);
        match (spec, reader.problems.is_empty()) {
            (Some(spec), true) => Ok((spec, reader.warnings)),
            _ => Err(Error::InvalidSpec(reader.problems)),
        }
    }
}

type Entries<'d> = [(Cow<'d, str>, Json<'d>)];

struct Reader {
    lenient: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Reader {
    fn problem(&mut self, message: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(message);
        } else if self.problems.len() == MAX_PROBLEMS {
            self.problems.push("and more".to_owned());
        }
    }

    /// Compare versions before anything else: another major may mean something else by any key.
    fn version(&mut self, entries: &Entries) -> Result<(), Error> {
        let known = parse_version(SPEC_VERSION);
        let Some(Json::Text(text)) = find(entries, "spec_version") else {
            return Err(Error::InvalidSpec(vec![format!(
                "spec_version: expected a string such as {SPEC_VERSION:?}"
            )]));
        };
        let (Some((major, minor)), Some((known_major, known_minor))) = (parse_version(text), known)
        else {
            return Err(Error::InvalidSpec(vec![format!(
                "spec_version: {:?} is not of the form major.minor",
                shorten(text)
            )]));
        };
        if major != known_major {
            return Err(Error::UnsupportedVersion {
                found: shorten(text),
            });
        }
        if minor > known_minor {
            self.lenient = true;
            self.warnings.push(format!(
                "the model has spec_version {text}, newer than {SPEC_VERSION}; unknown keys are ignored"
            ));
        }
        Ok(())
    }

    fn model(&mut self, entries: &Entries) -> Option<ModelSpec> {
        const KEYS: [&str; 8] = [
            "spec_version",
            "producer",
            "allow_missing",
            "features",
            "responses",
            "link",
            "terms",
            "fit",
        ];
        self.unknown_keys(format_args!(""), entries, &KEYS);
        let spec_version = self.text(format_args!(""), entries, "spec_version");
        let producer = find(entries, "producer").map(|value| self.producer(value));
        let allow_missing = match find(entries, "allow_missing") {
            Some(Json::Bool(value)) => Some(*value),
            other => self.expected(format_args!("allow_missing"), "true or false", other),
        };
        let features = self.features(entries);
        let responses = self.responses(entries);
        let terms = match (&features, &responses) {
            (Some(features), Some(responses)) => self.terms(entries, features, responses.len()),
            _ => None,
        };
        let link = self.link(entries, responses.as_ref().map_or(0, Vec::len));
        let fit = self.fit(entries);
        Some(ModelSpec {
            spec_version: spec_version?.to_owned(),
            producer: match producer {
                Some(producer) => Some(producer?),
                None => None,
            },
            allow_missing: allow_missing?,
            features: features?,
            responses: responses?,
            link: link?,
            terms: terms?,
            fit: fit?,
        })
    }

    fn producer(&mut self, value: &Json) -> Option<Producer> {
        let entries = self.object(format_args!("producer"), value)?;
        self.unknown_keys(format_args!("producer."), entries, &["name", "version"]);
        Some(Producer {
            name: self
                .text(format_args!("producer."), entries, "name")?
                .to_owned(),
            version: self
                .text(format_args!("producer."), entries, "version")?
                .to_owned(),
        })
    }

    fn features(&mut self, entries: &Entries) -> Option<Vec<Feature>> {
        let items = self.array(
            format_args!("features"),
            find(entries, "features"),
            1,
            MAX_FEATURES,
        )?;
        let mut seen = HashSet::with_capacity(items.len());
        let mut features = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let Some(feature) = self.feature(format_args!("features[{i}]"), item) else {
                continue;
            };
            if !seen.insert(feature.name.clone()) {
                self.problem(format!(
                    "features[{i}].name: {:?} is given twice",
                    shorten(&feature.name)
                ));
            }
            features.push(feature);
        }
        (features.len() == items.len()).then_some(features)
    }

    fn feature(&mut self, path: Arguments, item: &Json) -> Option<Feature> {
        let entries = self.object(path, item)?;
        self.unknown_keys(
            format_args!("{path}."),
            entries,
            &["name", "categories", "impute"],
        );
        let name = self.text(format_args!("{path}."), entries, "name");
        let categories = match find(entries, "categories") {
            Some(value) => Some(self.labels(format_args!("{path}.categories"), value)?),
            None => None,
        };
        let impute = match find(entries, "impute") {
            Some(value) => Some(self.number(format_args!("{path}.impute"), value)?),
            None => None,
        };
        if let (Some(categories), Some(code)) = (&categories, impute) {
            if code.fract() != 0.0 || code < 0.0 || code >= categories.len() as f64 {
                self.problem(format!(
                    "{path}.impute: {code} is not the position of one of {} categories",
                    categories.len()
                ));
                return None;
            }
        }
        Some(Feature {
            name: name?.to_owned(),
            categories,
            impute,
        })
    }

    fn responses(&mut self, entries: &Entries) -> Option<Vec<String>> {
        let items = self.array(
            format_args!("responses"),
            find(entries, "responses"),
            1,
            MAX_RESPONSES,
        )?;
        self.distinct_texts(format_args!("responses"), items)
    }

    /// The link, new in version 1.1: a reader of 1.0 must not meet it in a document of its version.
    fn link(&mut self, entries: &Entries, n_responses: usize) -> Option<Option<Link>> {
        let Some(value) = find(entries, "link") else {
            return Some(None);
        };
        let Json::Text(name) = value else {
            return self.expected(format_args!("link"), "a string", Some(value));
        };
        let Ok(link) = Link::named(name) else {
            self.problem(format!(
                "link: {:?} is unknown; expected {}",
                shorten(name),
                Link::names()
            ));
            return None;
        };
        if matches!(find(entries, "spec_version"), Some(Json::Text(text)) if text == PLAIN_VERSION)
        {
            self.problem(format!("link: needs spec_version {SPEC_VERSION}"));
        }
        if link == Link::Softmax && n_responses == 1 {
            self.problem("link: softmax needs two responses or more".to_owned());
        }
        Some(Some(link))
    }

    fn labels(&mut self, path: Arguments, value: &Json) -> Option<Vec<String>> {
        let items = self.array(path, Some(value), 1, MAX_FEATURES)?;
        self.distinct_texts(path, items)
    }

    fn distinct_texts(&mut self, path: Arguments, items: &[Json]) -> Option<Vec<String>> {
        let mut seen = HashSet::with_capacity(items.len());
        let mut texts = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            match item {
                Json::Text(text) if text.is_empty() => {
                    self.problem(format!("{path}[{i}]: is empty"));
                }
                Json::Text(text) if !seen.insert(text.as_ref()) => {
                    self.problem(format!("{path}[{i}]: {:?} is given twice", shorten(text)));
                }
                Json::Text(text) => texts.push(text.to_string()),
                other => {
                    self.expected::<()>(format_args!("{path}[{i}]"), "a string", Some(other));
                }
            }
        }
        (texts.len() == items.len()).then_some(texts)
    }

    fn terms(
        &mut self,
        entries: &Entries,
        features: &[Feature],
        n_responses: usize,
    ) -> Option<Vec<Term>> {
        let items = self.array(format_args!("terms"), find(entries, "terms"), 1, MAX_TERMS)?;
        let mut terms: Vec<Term> = Vec::with_capacity(items.len());
        let mut degrees: Vec<usize> = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            // Later terms refer to this position, so the first broken term ends the walk.
            let term = self.term(format_args!("terms[{i}]"), item, i, features, n_responses)?;
            let degree = degree(&term, &degrees);
            if degree > MAX_DEGREE {
                self.problem(format!("terms[{i}]: has more than {MAX_DEGREE} factors"));
                return None;
            }
            degrees.push(degree);
            terms.push(term);
        }
        if terms.iter().all(|term| term.coefficients.is_none()) {
            self.problem("terms: none has coefficients, so there is nothing to replay".to_owned());
        }
        Some(terms)
    }

    fn term(
        &mut self,
        path: Arguments,
        item: &Json,
        position: usize,
        features: &[Feature],
        n_responses: usize,
    ) -> Option<Term> {
        let entries = self.object(path, item)?;
        let kind_name = self.text(format_args!("{path}."), entries, "kind")?;
        let keys: &[&str] = match kind_name {
            "constant" => &["kind", "coefficients"],
            "linear" => &["kind", "feature", "parent", "coefficients"],
            "hinge" => &["kind", "feature", "knot", "side", "parent", "coefficients"],
            "categorical" => &["kind", "feature", "levels", "parent", "coefficients"],
            "missingness" => &["kind", "feature", "when", "parent", "coefficients"],
            "interaction" => &["kind", "parents", "coefficients"],
            other => {
                self.problem(format!(
                    "{path}.kind: {:?} is unknown; expected constant, linear, hinge, categorical, \
                     missingness or interaction",
                    shorten(other)
                ));
                return None;
            }
        };
        self.unknown_keys(format_args!("{path}."), entries, keys);
        let feature = match find(entries, "feature") {
            _ if !keys.contains(&"feature") => 0,
            Some(value) => self.index(
                format_args!("{path}.feature"),
                value,
                features.len(),
                "feature",
            )?,
            None => return self.expected(format_args!("{path}.feature"), "a position", None),
        };
        let categories = features[feature].categories.as_deref();
        if matches!(kind_name, "linear" | "hinge") && categories.is_some() {
            self.problem(format!(
                "{path}.feature: {feature} is categorical, expected a number"
            ));
            return None;
        }
        let kind = match kind_name {
            "constant" => TermKind::Constant,
            "linear" => TermKind::Linear { feature },
            "hinge" => TermKind::Hinge {
                feature,
                knot: match find(entries, "knot") {
                    Some(value) => self.number(format_args!("{path}.knot"), value)?,
                    None => return self.expected(format_args!("{path}.knot"), "a number", None),
                },
                side: match self.text(format_args!("{path}."), entries, "side")? {
                    "right" => Side::Right,
                    "left" => Side::Left,
                    other => return self.choice(path, "side", other, "right or left"),
                },
            },
            "categorical" => {
                let Some(categories) = categories else {
                    self.problem(format!("{path}.feature: {feature} has no categories"));
                    return None;
                };
                let Some(value) = find(entries, "levels") else {
                    return self.expected(
                        format_args!("{path}.levels"),
                        "an array of strings",
                        None,
                    );
                };
                let levels = self.labels(format_args!("{path}.levels"), value)?;
                for level in &levels {
                    if !categories.contains(level) {
                        self.problem(format!(
                            "{path}.levels: {:?} is not a category of feature {feature}",
                            shorten(level)
                        ));
                    }
                }
                TermKind::Categorical { feature, levels }
            }
            "missingness" => TermKind::Missingness {
                feature,
                when: match self.text(format_args!("{path}."), entries, "when")? {
                    "missing" => When::Missing,
                    "present" => When::Present,
                    other => return self.choice(path, "when", other, "missing or present"),
                },
            },
            _ => {
                let value = find(entries, "parents");
                let items = self.array(format_args!("{path}.parents"), value, 2, MAX_DEGREE)?;
                let mut parents = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    parents.push(self.parent(
                        format_args!("{path}.parents[{i}]"),
                        item,
                        position,
                    )?);
                }
                TermKind::Interaction { parents }
            }
        };
        let parent = match find(entries, "parent") {
            Some(value) if keys.contains(&"parent") => {
                Some(self.parent(format_args!("{path}.parent"), value, position)?)
            }
            _ => None,
        };
        let coefficients = match find(entries, "coefficients") {
            Some(value) => {
                let items = self.array(
                    format_args!("{path}.coefficients"),
                    Some(value),
                    n_responses,
                    n_responses,
                )?;
                let mut numbers = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    numbers.push(self.number(format_args!("{path}.coefficients[{i}]"), item)?);
                }
                Some(numbers)
            }
            None => None,
        };
        Some(Term {
            kind,
            parent,
            coefficients,
        })
    }

    /// A parent stands before its child; this alone rules out cycles and self-reference.
    fn parent(&mut self, path: Arguments, value: &Json, position: usize) -> Option<usize> {
        self.index(path, value, position, "earlier term")
    }

    fn fit(&mut self, entries: &Entries) -> Option<Vec<(String, f64)>> {
        let Some(value) = find(entries, "fit") else {
            return Some(Vec::new());
        };
        let entries = self.object(format_args!("fit"), value)?;
        let mut figures = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match value {
                Json::Number(number) => figures.push((key.to_string(), *number)),
                other => {
                    let path = format!("fit.{}", shorten(key));
                    self.expected::<()>(format_args!("{path}"), "a number", Some(other));
                }
            }
        }
        Some(figures)
    }

    fn unknown_keys(&mut self, prefix: Arguments, entries: &Entries, known: &[&str]) {
        if self.lenient {
            return;
        }
        for (key, _) in entries {
            if !known.contains(&key.as_ref()) {
                self.problem(format!(
                    "{prefix}{}: unknown key; known are {}",
                    shorten(key),
                    known.join(", ")
                ));
            }
        }
    }

    fn object<'j, 'd>(&mut self, path: Arguments, value: &'j Json<'d>) -> Option<&'j Entries<'d>> {
        match value {
            Json::Object(entries) => Some(entries),
            other => self.expected(path, "an object", Some(other)),
        }
    }

    fn array<'j, 'd>(
        &mut self,
        path: Arguments,
        value: Option<&'j Json<'d>>,
        least: usize,
        most: usize,
    ) -> Option<&'j [Json<'d>]> {
        match value {
            Some(Json::Array(items)) if (least..=most).contains(&items.len()) => Some(items),
            Some(Json::Array(items)) => {
                let wanted = if least == most {
                    format!("{least}")
                } else {
                    format!("{least} to {most}")
                };
                self.problem(format!(
                    "{path}: has {} items, expected {wanted}",
                    items.len()
                ));
                None
            }
            other => self.expected(path, "an array", other),
        }
    }

    fn text<'j>(&mut self, prefix: Arguments, entries: &'j Entries, key: &str) -> Option<&'j str> {
        match find(entries, key) {
            Some(Json::Text(text)) if !text.is_empty() => Some(text),
            Some(Json::Text(_)) => {
                self.problem(format!("{prefix}{key}: is empty"));
                None
            }
            other => self.expected(format_args!("{prefix}{key}"), "a string", other),
        }
    }

    fn number(&mut self, path: Arguments, value: &Json) -> Option<f64> {
        match value {
            Json::Number(number) if number.abs() <= MAX_MAGNITUDE => Some(*number),
            Json::Number(number) => {
                self.problem(format!(
                    "{path}: {number:e} is beyond {MAX_MAGNITUDE:e}, products of terms would overflow"
                ));
                None
            }
            other => self.expected(path, "a number", Some(other)),
        }
    }

    fn index(&mut self, path: Arguments, value: &Json, below: usize, what: &str) -> Option<usize> {
        match value {
            Json::Number(number)
                if number.fract() == 0.0 && *number >= 0.0 && *number < below as f64 =>
            {
                Some(*number as usize)
            }
            Json::Number(number) => {
                self.problem(format!(
                    "{path}: {number} is not the position of one of {below} {what}s"
                ));
                None
            }
            other => self.expected(path, "a position", Some(other)),
        }
    }

    fn choice<T>(&mut self, path: Arguments, key: &str, found: &str, wanted: &str) -> Option<T> {
        self.problem(format!(
            "{path}.{key}: {:?} is unknown; expected {wanted}",
            shorten(found)
        ));
        None
    }

    fn expected<T>(&mut self, path: Arguments, wanted: &str, found: Option<&Json>) -> Option<T> {
        let found = found.map_or("nothing", Json::type_name);
        self.problem(format!("{path}: expected {wanted}, found {found}"));
        None
    }
}

fn find<'j, 'd>(entries: &'j Entries<'d>, key: &str) -> Option<&'j Json<'d>> {
    entries
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

/// Number of non-constant factors; `known` holds those of earlier terms.
fn degree(term: &Term, known: &[usize]) -> usize {
    let own = match &term.kind {
        TermKind::Constant => 0,
        TermKind::Interaction { parents } => parents.iter().map(|&parent| known[parent]).sum(),
        _ => 1,
    };
    own + term.parent.map_or(0, |parent| known[parent])
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    let digits = |part: &str| {
        let plain = !part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit());
        if plain { part.parse().ok() } else { None }
    };
    Some((digits(major)?, digits(minor)?))
}

/// Keep a message readable whatever the document holds.
fn shorten(text: &str) -> String {
    const LIMIT: usize = 40;
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LIMIT).collect();
    short.push_str("...");
    short
}
