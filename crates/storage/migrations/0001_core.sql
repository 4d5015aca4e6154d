-- Amounts are scaled integers: money, prices and percentages at 6 decimals, quantities at 9.
-- Times are microseconds since 1970 in UTC, days are 'YYYY-MM-DD'.
-- No list is written as IN (...): SQLite would build a tree of it for each row that is checked, which made inserting a trade
-- three times as slow.

CREATE TABLE record (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    instance_id TEXT    NOT NULL CHECK (length(instance_id) = 32),
    created_at  INTEGER NOT NULL,
    -- If it was filled with made-up trades, from this seed.
    sample_seed INTEGER
) STRICT;

CREATE TABLE agents (
    id           TEXT    PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name         TEXT    NOT NULL CHECK (name <> ''),
    type         TEXT    NOT NULL CHECK (type <> ''),
    enabled      INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at   INTEGER NOT NULL,
    last_updated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trades (
    id                INTEGER PRIMARY KEY,
    client_order_id   TEXT    NOT NULL CHECK (length(client_order_id) BETWEEN 1 AND 48),
    agent_id          TEXT    NOT NULL REFERENCES agents (id),
    ticker            TEXT    NOT NULL CHECK (length(ticker) BETWEEN 1 AND 16),
    side              TEXT    NOT NULL CHECK (side = 'buy' OR side = 'sell'),
    order_type        TEXT    NOT NULL CHECK (
        order_type = 'market' OR order_type = 'limit' OR order_type = 'stop' OR order_type = 'stop_limit'
        OR order_type = 'trailing_stop'),
    quantity          INTEGER NOT NULL CHECK (quantity > 0),
    price             INTEGER          CHECK (price > 0),
    executed_price    INTEGER          CHECK (executed_price > 0),
    order_status      TEXT    NOT NULL CHECK (
        order_status = 'filled' OR order_status = 'new' OR order_status = 'accepted'
        OR order_status = 'pending_new' OR order_status = 'accepted_for_bidding'
        OR order_status = 'partially_filled' OR order_status = 'done_for_day' OR order_status = 'canceled'
        OR order_status = 'expired' OR order_status = 'replaced' OR order_status = 'pending_cancel'
        OR order_status = 'pending_replace' OR order_status = 'stopped' OR order_status = 'rejected'
        OR order_status = 'suspended' OR order_status = 'calculated' OR order_status = 'held'),
    alpaca_order_id   TEXT             CHECK (alpaca_order_id <> ''),
    source_politician TEXT             CHECK (source_politician <> ''),
    source_trade_date TEXT             CHECK (source_trade_date GLOB '????-??-??'),
    trade_date        TEXT    NOT NULL CHECK (trade_date GLOB '????-??-??'),
    execution_date    INTEGER,
    created_at        INTEGER NOT NULL,
    last_updated      INTEGER NOT NULL,
    -- The last of its events.
    event             INTEGER NOT NULL CHECK (event > 0)
) STRICT;

-- An order is recorded once. No constraint of the table, so that it can be dropped and made anew around a bulk load.
CREATE UNIQUE INDEX trades_by_client_order_id ON trades (client_order_id);

-- One index for each query that exists. A page is newest first by id, which every index ends with.
CREATE INDEX trades_of_agent ON trades (agent_id);
CREATE INDEX trades_of_ticker ON trades (ticker);
CREATE INDEX trades_of_day ON trades (trade_date);
CREATE INDEX trades_by_time ON trades (created_at);
CREATE INDEX trades_by_status ON trades (order_status);
CREATE INDEX trades_open ON trades (id)
    WHERE order_status <> 'filled' AND order_status <> 'canceled' AND order_status <> 'expired'
        AND order_status <> 'replaced' AND order_status <> 'rejected';

-- A trade is a fact: it may change its state, and it never goes away.
CREATE TRIGGER trades_are_kept BEFORE DELETE ON trades
BEGIN
    SELECT RAISE (ABORT, 'trades are never deleted');
END;

CREATE TRIGGER trades_keep_their_intent
BEFORE UPDATE OF id, client_order_id, agent_id, ticker, side, order_type, quantity, price, source_politician, source_trade_date,
    trade_date, created_at ON trades
BEGIN
    SELECT RAISE (ABORT, 'what an order asked for is never changed');
END;

-- What a trade was after each change of it. The hash covers the event, the order that the trade records, and the hash
-- before, so that no past event can be changed without all later ones.
CREATE TABLE trade_events (
    sequence        INTEGER PRIMARY KEY CHECK (sequence > 0),
    trade_id        INTEGER NOT NULL REFERENCES trades (id),
    -- The event of this trade before. Followed from the last one on, instead of an index that each event would go into.
    previous        INTEGER,
    order_status    TEXT    NOT NULL,
    executed_price  INTEGER,
    alpaca_order_id TEXT,
    execution_date  INTEGER,
    recorded_at     INTEGER NOT NULL,
    hash            BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER trade_events_are_kept BEFORE DELETE ON trade_events
BEGIN
    SELECT RAISE (ABORT, 'events are never deleted');
END;

CREATE TRIGGER trade_events_are_not_changed BEFORE UPDATE ON trade_events
BEGIN
    SELECT RAISE (ABORT, 'events are never changed');
END;

CREATE TABLE agent_positions (
    agent_id       TEXT    NOT NULL REFERENCES agents (id),
    ticker         TEXT    NOT NULL CHECK (length(ticker) BETWEEN 1 AND 16),
    quantity       INTEGER NOT NULL,
    avg_cost       INTEGER NOT NULL CHECK (avg_cost >= 0),
    current_price  INTEGER NOT NULL CHECK (current_price >= 0),
    market_value   INTEGER NOT NULL,
    unrealized_pnl INTEGER NOT NULL,
    last_updated   INTEGER NOT NULL,
    PRIMARY KEY (agent_id, ticker)
) STRICT, WITHOUT ROWID;

CREATE INDEX agent_positions_by_value ON agent_positions (agent_id, market_value DESC, ticker);

CREATE TABLE daily_performance (
    agent_id         TEXT    NOT NULL REFERENCES agents (id),
    date             TEXT    NOT NULL CHECK (date GLOB '????-??-??'),
    total_value      INTEGER NOT NULL,
    daily_return_pct INTEGER NOT NULL,
    total_return_pct INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    PRIMARY KEY (agent_id, date)
) STRICT, WITHOUT ROWID;

-- The tables as people read them.
CREATE VIEW trades_view AS
SELECT id, agent_id, ticker, side, order_type,
       format('%d.%09d', quantity / 1000000000, quantity % 1000000000) AS quantity,
       iif(price IS NULL, NULL, format('%d.%06d', price / 1000000, price % 1000000)) AS price,
       iif(executed_price IS NULL, NULL, format('%d.%06d', executed_price / 1000000, executed_price % 1000000))
           AS executed_price,
       order_status, alpaca_order_id, client_order_id, source_politician, source_trade_date, trade_date,
       strftime('%Y-%m-%dT%H:%M:%fZ', execution_date / 1e6, 'unixepoch') AS execution_date,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', last_updated / 1e6, 'unixepoch') AS last_updated,
       event
FROM trades;

CREATE VIEW agent_positions_view AS
SELECT agent_id, ticker,
       format('%s%d.%09d', iif(quantity < 0, '-', ''), abs(quantity) / 1000000000, abs(quantity) % 1000000000) AS quantity,
       format('%d.%06d', avg_cost / 1000000, avg_cost % 1000000) AS avg_cost,
       format('%d.%06d', current_price / 1000000, current_price % 1000000) AS current_price,
       format('%s%d.%06d', iif(market_value < 0, '-', ''), abs(market_value) / 1000000, abs(market_value) % 1000000)
           AS market_value,
       format('%s%d.%06d', iif(unrealized_pnl < 0, '-', ''), abs(unrealized_pnl) / 1000000, abs(unrealized_pnl) % 1000000)
           AS unrealized_pnl,
       strftime('%Y-%m-%dT%H:%M:%fZ', last_updated / 1e6, 'unixepoch') AS last_updated
FROM agent_positions;

CREATE VIEW daily_performance_view AS
SELECT agent_id, date,
       format('%s%d.%06d', iif(total_value < 0, '-', ''), abs(total_value) / 1000000, abs(total_value) % 1000000)
           AS total_value,
       format('%s%d.%06d', iif(daily_return_pct < 0, '-', ''), abs(daily_return_pct) / 1000000,
           abs(daily_return_pct) % 1000000) AS daily_return_pct,
       format('%s%d.%06d', iif(total_return_pct < 0, '-', ''), abs(total_return_pct) / 1000000,
           abs(total_return_pct) % 1000000) AS total_return_pct,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created_at
FROM daily_performance;

CREATE VIEW trade_events_view AS
SELECT sequence, trade_id, previous, order_status,
       iif(executed_price IS NULL, NULL, format('%d.%06d', executed_price / 1000000, executed_price % 1000000))
           AS executed_price,
       alpaca_order_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', execution_date / 1e6, 'unixepoch') AS execution_date,
       strftime('%Y-%m-%dT%H:%M:%fZ', recorded_at / 1e6, 'unixepoch') AS recorded_at,
       lower(hex(hash)) AS hash
FROM trade_events;
