//! The answers about health, rendered once for all requests of a moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::body;
use super::reply::Reply;
use crate::lifecycle::{self, Phase};
use crate::{Health, Lifecycle, Report};

/// How old an answer may be: nobody sees it, and a flood of requests costs a hundred renderings a second.
const MOMENT: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(super) struct Fresh {
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    at: Instant,
    phase: Phase,
    answers: Arc<Answers>,
}

#[derive(Debug)]
pub(super) struct Answers {
    pub(super) health: Reply,
    pub(super) health_words: Reply,
    pub(super) ready: Reply,
    pub(super) ready_words: Reply,
}

impl Fresh {
    pub(super) fn answers(&self, health: &Health, lifecycle: &Lifecycle) -> Arc<Answers> {
        let (now, phase) = (Instant::now(), lifecycle.phase());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(kept) if kept.phase == phase && now.saturating_duration_since(kept.at) < MOMENT => {
                Arc::clone(&kept.answers)
            }
            _ => {
                let answers = Arc::new(Answers::new(&health.report(), phase));
                *kept = Some(Kept { at: now, phase, answers: Arc::clone(&answers) });
                answers
            }
        }
    }
}

impl Answers {
    fn new(report: &Report, phase: Phase) -> Self {
        let reasons = lifecycle::reasons_against(phase, report);
        let reply = |works: bool, body| Reply::json(&body).status(working(works));
        let (works, is_ready) = (report.status.works(), reasons.is_empty());
        Self {
            health: reply(works, body::health(report)),
            health_words: reply(works, json!({ "status": report.status.as_str() })),
            ready: reply(is_ready, body::ready(phase, &reasons)),
            ready_words: reply(is_ready, json!({ "ready": is_ready, "phase": phase.as_str() })),
        }
    }
}

pub(super) fn working(works: bool) -> u16 {
    if works { 200 } else { 503 }
}
