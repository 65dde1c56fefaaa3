//! A model on Arrow batches: columns by name, labels by text, one batch in and one out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use mars_earth_core::{
    Error as CoreError, Feature, ModelSpec, Output, Plan, Rows, Source as Table, replay,
};

use crate::batch::{Batch, Column, Values};
use crate::convert::{collect, recode};
use crate::error::Error;
use crate::export::{Frame, Source, export_stream};
use crate::ffi::{ArrowArrayStream, ArrowSchema};

/// A model with what to compute; cheap to clone.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Names and labels.
    pub spec: Arc<ModelSpec>,
    /// The model as it is meant.
    pub plan: Arc<Plan>,
    /// What to compute.
    pub output: Output,
    /// Most threads to use (H1, not claimed).
    pub threads: usize,
}

impl Replay {
    /// Names of the columns that come out.
    pub fn names(&self) -> Vec<String> {
        match self.output {
            Output::Responses | Output::LinearPredictor => self.spec.responses.clone(),
            Output::DesignMatrix => (0..self.plan.n_columns())
                .map(|k| format!("column_{k}"))
                .collect(),
        }
    }

    /// Replay one batch; its columns may stand in any order, and further ones are not read.
    ///
    /// # Errors
    /// A column that is missing, twice there or of a type without numbers, a label the model does
    /// not know, and what the core refuses.
    pub fn batch(&self, batch: &Batch) -> Result<Frame, Error> {
        let columns = select(&self.spec, batch)?;
        let rows = Rows::from_source(&columns, batch.n_rows(), columns.0.len());
        let width = self.output.width(&self.plan);
        let size = batch.n_rows().checked_mul(width);
        let size = size.ok_or_else(|| Error::batch("rows x outputs do not fit into memory"))?;
        let mut out = collect((0..size).map(|_| 0.0))?;
        replay(&self.plan, &rows, self.output, self.threads, &mut out)?;
        let columns = if width == 1 {
            vec![Arc::new(out)]
        } else {
            let column = |k| Arc::new(out.iter().skip(k).step_by(width).copied().collect());
            (0..width).map(column).collect()
        };
        Ok(Frame {
            names: self.names(),
            columns,
            n_rows: batch.n_rows(),
        })
    }

    /// Replay a stream of that schema batch by batch, each when the consumer asks for it.
    pub fn stream(self, input: ArrowArrayStream, schema: ArrowSchema) -> ArrowArrayStream {
        let names = self.names();
        export_stream(Box::new(Replayed {
            replay: self,
            input,
            schema,
            names,
        }))
    }
}

struct Replayed {
    replay: Replay,
    input: ArrowArrayStream,
    schema: ArrowSchema,
    names: Vec<String>,
}

impl Source for Replayed {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        let Some(array) = self.input.next_batch()? else {
            return Ok(None);
        };
        // SAFETY: both came from one stream, whose batches are of its schema, and both live here.
        let batch = unsafe { Batch::new(&array, &self.schema) }?;
        self.replay.batch(&batch).map(Some)
    }
}

/// Columns of a batch in the order of the model; one of float64 lies where its producer put it.
struct Columns<'a>(Vec<Cow<'a, [f64]>>);

impl Table for Columns<'_> {
    fn copy_column(&self, j: usize, from: usize, out: &mut [f64]) {
        out.copy_from_slice(&self.0[j][from..from + out.len()]);
    }
}

/// The model's columns out of a batch, labels as the model's positions.
fn select<'a>(spec: &ModelSpec, batch: &Batch<'a>) -> Result<Columns<'a>, Error> {
    if !batch.is_struct() {
        return Err(Error::batch(
            "it is one column, and a struct of columns is due",
        ));
    }
    let mut columns: HashMap<&str, (Column, usize)> = HashMap::with_capacity(batch.n_columns());
    for j in 0..batch.n_columns() {
        let column = batch.column(j)?;
        columns.entry(column.name()).or_insert((column, 0)).1 += 1;
    }
    let chosen = spec.features.iter().map(|feature| {
        let name = feature.name.as_str();
        match columns.get(name) {
            Some((column, 1)) => positions(feature, column.values()?),
            Some(_) => Err(Error::Core(CoreError::InvalidArgument(format!(
                "the column name {name:?} stands twice in the batch; rename one"
            )))),
            None => Err(Error::UnknownColumn(format!(
                "there is no column {name:?} in the batch; name its columns as those of the fit"
            ))),
        }
    });
    chosen.collect::<Result<_, _>>().map(Columns)
}

fn positions<'a>(feature: &Feature, values: Values<'a>) -> Result<Cow<'a, [f64]>, Error> {
    let name = feature.name.as_str();
    match (values, &feature.categories) {
        (Values::Numbers(values), _) => Ok(values),
        (Values::Categories { .. }, None) => Err(Error::InvalidDtype(format!(
            "column {name:?} is categorical, the model was fitted on numbers there"
        ))),
        (Values::Categories { mut codes, labels }, Some(known)) => {
            let place = |label: &String| known.iter().position(|known| known == label);
            let table: Vec<f64> = labels
                .iter()
                .map(|label| place(label).map_or(f64::INFINITY, |at| at as f64))
                .collect();
            for code in &mut codes {
                let ours = recode(&table, *code);
                if ours.is_infinite() {
                    return Err(Error::Core(CoreError::InvalidValue(format!(
                        "column {name:?} holds {:?}, which the model does not know; \
                         its categories are {known:?}",
                        labels[*code as usize]
                    ))));
                }
                *code = ours;
            }
            Ok(Cow::Owned(codes))
        }
    }
}
