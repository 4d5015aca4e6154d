//! Sample data: made-up trades, and the positions and performance that follow from them.

mod account;
mod market;

use chrono::NaiveDate;

use crate::{Agent, Database, Error, Transaction};

use account::Account;
use market::Market;

/// How many trades a transaction takes before it ends with the day: the write-ahead log must hold a whole transaction
/// before it can be folded into the file.
const TRANSACTION_TRADES: u64 = 20_000;

/// How many trades an agent gets when nobody says so. Arbitrary: some for each month, and few enough to look through.
const AGENT_TRADES: u64 = 80;

/// What sample data to make. The same values always make the same data.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Where all chance comes from.
    pub seed: u64,
    /// Whom the data is for; they are registered.
    pub agents: Vec<Agent>,
    /// The last day; the data covers the trading days of the year before it.
    pub last_day: NaiveDate,
    /// How many trades to make, of all agents together. `None`: 80 an agent.
    pub trades: Option<u64>,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleReport {
    /// Trades.
    pub trades: u64,
    /// Positions.
    pub positions: u64,
    /// Days of performance, counted for each agent.
    pub performance_days: u64,
}

impl Database {
    /// Fills the record with sample data.
    ///
    /// On some days an agent buys, and now and then sells, at made-up prices; on most it does nothing. Positions and
    /// performance are worked out from these trades. Made-up trades never come beside others: if any trade is recorded,
    /// nothing is done, and `None` returned.
    ///
    /// Up to 20 000 trades are one transaction. More are several, each of whole days and with the positions at their
    /// end: so the write-ahead log stays small, and an interrupted call leaves a shorter year that agrees with itself.
    /// Memory does not grow with the trades. `progress` is told after each transaction how many trades there are, of how
    /// many.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction); [`Error::Aborted`] if somebody else records a trade meanwhile.
    pub fn insert_sample(
        &self,
        sample: &Sample,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Option<SampleReport>, Error> {
        let mut year = Year::new(sample);
        loop {
            let before = year.report.trades;
            let alone = self.transaction(|tx| {
                let alone = tx.counts()?.trades == before;
                if alone {
                    tx.mark_sample(sample.seed)?;
                    year.record(tx)?;
                }
                Ok(alone)
            })?;
            if !alone && before == 0 {
                return Ok(None);
            }
            if !alone {
                return Err(Error::aborted("somebody else records trades beside the sample data"));
            }
            progress(year.report.trades, year.total);
            if year.is_over() {
                return Ok(Some(year.report));
            }
        }
    }
}

/// The agents' year, as far as it is recorded.
struct Year<'a> {
    agents: &'a [Agent],
    market: Market,
    chance: fastrand::Rng,
    accounts: Vec<Account<'a>>,
    /// How many trades there are after each agent's turn: of all agents on the first day, then on the second.
    turns: Vec<u64>,
    total: u64,
    days_done: usize,
    report: SampleReport,
}

impl<'a> Year<'a> {
    fn new(sample: &'a Sample) -> Self {
        let agents = sample.agents.as_slice();
        let mut chance = fastrand::Rng::with_seed(sample.seed);
        let market = Market::new(sample.last_day, &mut chance);
        let total = sample.trades.unwrap_or(AGENT_TRADES * agents.len() as u64);
        let turns = turns(total, market.days.len() * agents.len(), &mut chance);
        let accounts = agents.iter().map(|agent| Account::new(&agent.id)).collect();
        Self { agents, market, chance, accounts, turns, total, days_done: 0, report: SampleReport::default() }
    }

    fn is_over(&self) -> bool {
        self.days_done == self.market.days.len()
    }

    /// The next days, until these are trades enough for one transaction.
    fn record(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        self.agents.iter().try_for_each(|agent| tx.register_agent(agent))?;
        let enough = self.report.trades.saturating_add(TRANSACTION_TRADES);
        while let Some((day, quotes)) = self.market.days.get(self.days_done) {
            let turns = self.turns.iter().skip(self.days_done * self.accounts.len());
            for (account, until) in self.accounts.iter_mut().zip(turns) {
                while self.report.trades < *until {
                    self.report.trades += 1;
                    tx.insert_trade(&account.trade(*day, quotes, &mut self.chance, self.report.trades)?)?;
                }
                tx.record_performance(&account.close(*day, quotes))?;
                self.report.performance_days += 1;
            }
            self.days_done += 1;
            if self.report.trades >= enough || self.days_done == self.market.days.len() {
                self.report.positions = 0;
                for account in &self.accounts {
                    let positions = account.positions(*day, quotes)?;
                    tx.update_positions(&positions)?;
                    self.report.positions += positions.len() as u64;
                }
                break;
            }
        }
        Ok(())
    }
}

/// Deals `total` trades out to so many turns: three quarters of these get none, the others one to eight parts. Returns how
/// many trades there are after each.
fn turns(total: u64, turns: usize, chance: &mut fastrand::Rng) -> Vec<u64> {
    let mut parts = 0_u128;
    let after: Vec<u128> = (0..turns)
        .map(|turn| {
            // The first always gets a part, so that somebody does.
            parts += if turn == 0 || chance.u8(0..4) == 0 { chance.u128(1..=8) } else { 0 };
            parts
        })
        .collect();
    after
        .iter()
        .map(|after| u128::from(total) * after / parts)
        .map(|trades| u64::try_from(trades).unwrap_or(total))
        .collect()
}
