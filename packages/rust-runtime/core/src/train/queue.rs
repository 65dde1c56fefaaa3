//! The queue of parents of R `earth` (after Friedman 1993, "Fast MARS").
//!
//! A step takes two slots, also when it adds one term. A slot is in the queue once there are as
//! many terms as its number, so after single terms later parents wait, and the slots that stayed
//! empty take places. What never can be a parent keeps the infinite priority it came with.

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Slot {
    /// A term.
    Term(usize),
    /// A column of zeros that counts as a term of this degree.
    Zeros(usize),
    /// Nothing.
    Dead,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    slot: Slot,
    /// Best gain when last looked at.
    gain: f64,
    /// Slots in use then.
    when: usize,
}

pub(super) struct Queue {
    entries: Vec<Entry>,
    /// How many entries are in the queue.
    entered: usize,
    /// Numbers of the entries to look at, in order.
    order: Vec<usize>,
    most: usize,
    ageing: f64,
}

/// R raises smaller bounds to this.
const LEAST: usize = 3;

impl Queue {
    /// A queue with the intercept; `fast_k` bounds the parents of a step unless it is 0.
    pub(super) fn new(fast_k: usize, ageing: f64) -> Self {
        let most = if fast_k == 0 {
            usize::MAX
        } else {
            fast_k.max(LEAST)
        };
        let mut queue = Queue {
            entries: Vec::new(),
            entered: 0,
            order: Vec::new(),
            most,
            ageing,
        };
        queue.entries.push(Entry {
            slot: Slot::Term(0),
            gain: f64::INFINITY,
            when: 1,
        });
        queue.enter(1);
        queue
    }

    /// Slots in use.
    pub(super) fn slots(&self) -> usize {
        self.entries.len()
    }

    /// Numbers of the slots to look at now, in order.
    pub(super) fn parents(&self) -> Vec<(usize, Slot)> {
        self.order
            .iter()
            .take(self.most)
            .map(|&number| (number, self.entries[number].slot))
            .collect()
    }

    /// Note the best gain found under a parent.
    pub(super) fn note(&mut self, number: usize, gain: f64) {
        let when = self.slots();
        self.entries[number].gain = gain;
        self.entries[number].when = when;
    }

    /// Take two more slots, of which `terms` (1 or 2) count.
    pub(super) fn add(&mut self, slots: [Slot; 2], terms: usize) {
        let when = self.slots();
        for slot in slots {
            self.entries.push(Entry {
                slot,
                gain: f64::INFINITY,
                when,
            });
        }
        // What enters now, be it of an earlier step, is as old as this step.
        for entry in &mut self.entries[self.entered..self.entered + terms] {
            entry.when = when;
        }
        self.enter(terms);
        self.sort(when);
    }

    fn enter(&mut self, terms: usize) {
        self.entered += terms;
        self.order = (0..self.entered).collect();
    }

    fn sort(&mut self, now: usize) {
        let by_gain = |&a: &usize, &b: &usize| {
            let gain = |number: usize| self.entries[number].gain;
            gain(b).total_cmp(&gain(a)).then(a.cmp(&b))
        };
        self.order.sort_unstable_by(by_gain);
        if self.ageing == 0.0 {
            return;
        }
        let mut ranked: Vec<(f64, usize)> = self
            .order
            .iter()
            .enumerate()
            .map(|(rank, &number)| {
                let age = (now - self.entries[number].when) as f64;
                (rank as f64 + self.ageing * age, number)
            })
            .collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| by_gain(&a.1, &b.1)));
        self.order = ranked.into_iter().map(|(_, number)| number).collect();
    }
}
