"use strict";
// Asks the server every few seconds and updates what is there, in place. Every text of the server becomes a text node.
(() => {
  const REFRESH_MS = 5000;
  const HIDDEN_MS = 30e3;
  const ANSWER_MS = 4000;
  const CHARTS_MAX = 60;
  const KEPT_MS = 3600e3;
  const { Chart, figure, quantiles, set } = Charts;
  const get = (id) => document.getElementById(id);

  const token = () => sessionStorage.getItem("token");
  let answered = null;
  let chartsAsked = 0;
  let notBefore = 0;
  let unlocking = false;

  // ---- asking

  class Refused extends Error {}
  class Later extends Error {}

  async function ask(path, ms = ANSWER_MS) {
    const headers = { Accept: "application/json" };
    if (token()) headers.Authorization = `Bearer ${token()}`;
    const reply = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(ms) });
    const body = await reply.json();
    if (reply.status === 401) throw new Refused(body.error);
    if (reply.status === 429) {
      notBefore = Date.now() + 1000 * (Number(reply.headers.get("retry-after")) || 60);
      throw new Later(body.error);
    }
    return body;
  }

  // ---- nodes

  function make(name, classes, text) {
    const made = document.createElement(name);
    if (classes) made.className = classes;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function attribute(element, name, value) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  // Keeps one child for each item, by its key, and moves none that is in its place.
  function sync(parent, items, key, create, update) {
    const known = parent.known || (parent.known = new Map());
    const wanted = new Set(items.map(key));
    for (const [name, child] of known) {
      if (!wanted.has(name)) {
        child.remove();
        known.delete(name);
      }
    }
    items.forEach((item, place) => {
      const name = key(item);
      if (!known.has(name)) known.set(name, create(item));
      const child = known.get(name);
      if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] || null);
      update(child, item);
    });
  }

  function facts(list, pairs) {
    sync(list, pairs, (pair) => pair[0], ([name]) => {
      const fact = make("div");
      fact.append(make("dt", "", name), make("dd"));
      return fact;
    }, (fact, [, value]) => set(fact.lastChild, String(value)));
  }

  // ---- texts

  function ago(ms) {
    if (ms === null || ms === undefined) return "never";
    const seconds = Math.round(ms / 1000);
    if (seconds < 1) return "now";
    if (seconds < 120) return `${seconds} s ago`;
    if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
    if (seconds < 172800) return `${Math.round(seconds / 3600)} h ago`;
    return `${Math.round(seconds / 86400)} d ago`;
  }

  const when = (time) => new Date(time).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const plain = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));
  const VERDICTS = { healthy: "All is well", degraded: "It works, but look at it", unhealthy: "It does not work", unknown: "Nobody knows yet" };

  function badge(element, status) {
    attribute(element, "data-status", status);
    set(element, status);
  }

  const MARKS = { healthy: "✓", degraded: "!", unhealthy: "✕" };

  // ---- the verdict

  const WORST_FIRST = ["unhealthy", "degraded", "unknown"];

  function showCulprits(components) {
    const culprits = Object.entries(components || {})
      .filter(([, { status }]) => status !== "healthy")
      .sort(([, a], [, b]) => WORST_FIRST.indexOf(a.status) - WORST_FIRST.indexOf(b.status));
    sync(get("culprits"), culprits, ([name]) => name, ([name]) => {
      const item = make("li");
      const link = make("a");
      link.href = `#${encodeURIComponent(`component-${name}`)}`;
      item.append(link);
      return item;
    }, (item, [name, { status }]) => {
      set(item.firstChild, `${name}: ${status}`);
      attribute(item.firstChild, "data-status", status);
    });
    get("culprits").hidden = culprits.length === 0;
  }

  // All that the page says itself is in the reader's zone; texts of the program may have a time in UTC.
  function showZone() {
    const minutes = -new Date().getTimezoneOffset();
    const size = Math.abs(minutes);
    const rest = size % 60 ? `:${String(size % 60).padStart(2, "0")}` : "";
    const offset = `${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
    set(get("zone"), minutes === 0 ? "times are UTC" : `times are local (UTC${offset}); those that end in Z are UTC`);
  }

  function showVerdict(health, ready) {
    attribute(get("verdict"), "data-status", health.status);
    set(get("overall"), `${VERDICTS[health.status] || VERDICTS.unknown} (${health.status})`);
    const reasons = ready.reasons && ready.reasons.length ? `: ${ready.reasons.join("; ")}` : "";
    set(get("phase"), ready.ready ? "Ready for work." : `Not ready for work${reasons}.`);
    document.title = `${MARKS[health.status] || "?"} ${health.status}`;
    showCulprits(health.components);
    showZone();
  }

  // ---- components

  function createComponent({ name, critical }) {
    const item = make("li", "card");
    const details = make("details");
    const summary = make("summary");
    summary.id = `component-${name}`;
    const title = make("span", "name", name);
    if (critical) title.append(" ", make("small", "", "critical"));
    summary.append(make("span", "badge"), title, make("span", "message"), make("span", "history"), make("span", "age quiet number"));
    const more = make("div", "more");
    more.append(make("dl", "facts"), make("h3", "", "Last results"), make("ol"));
    details.append(summary, more);
    item.append(details);
    return item;
  }

  function updateComponent(item, { status, message, age_ms, duration_ms, details, history }) {
    const [summary, more] = item.firstChild.children;
    const [word, , text, strip, age] = summary.children;
    badge(word, status);
    set(text, message);
    set(age, ago(age_ms));
    attribute(strip, "role", "img");
    if (!history) return;
    const failed = history.filter((past) => past.status !== "healthy").length;
    attribute(strip, "aria-label", `last ${history.length} results, ${failed} of them not healthy`);
    const shown = history.slice(-50);
    while (strip.children.length > shown.length) strip.lastChild.remove();
    while (strip.children.length < shown.length) strip.append(make("i"));
    shown.forEach((past, place) => attribute(strip.children[place], "data-status", past.status));
    if (!item.firstChild.open) return;
    const took = [["took", duration_ms === null ? "–" : `${duration_ms} ms`]];
    facts(more.children[0], took.concat(Object.entries(details).map(([name, value]) => [name, plain(value)])));
    sync(more.children[2], history.slice(-20).reverse(), (past) => past.time, () => make("li"), (line, past) =>
      set(line, `${when(past.time)}: ${past.status}, ${past.duration_ms} ms. ${past.message}`));
  }

  async function showComponents(components) {
    const names = Object.keys(components);
    const whole = await Promise.all(names.map((name) => ask(`health/${encodeURIComponent(name)}`)));
    sync(get("components"), whole, (component) => component.name, (component) => {
      const item = createComponent(component);
      item.firstChild.addEventListener("toggle", () => updateComponent(item, item.latest));
      return item;
    }, (item, component) => {
      item.latest = component;
      updateComponent(item, component);
    });
  }

  // ---- the machine

  const past = {};

  function createMeter({ name }) {
    const card = make("div", "card");
    const meter = make("div", "meter");
    meter.append(make("i"));
    card.chart = new Chart(true);
    card.append(make("h3", "", name), make("p", "figure"), meter, card.chart.root, make("p", "quiet"));
    attribute(meter, "role", "meter");
    attribute(meter, "aria-label", name);
    attribute(meter, "aria-valuemin", "0");
    attribute(meter, "aria-valuemax", "100");
    return card;
  }

  // What the server has of the hour before this page was opened.
  async function remember({ memory, disk }) {
    const total = disk.used_bytes + disk.free_bytes;
    const sources = [
      ["Processors", "system_cpu_usage_ratio", (ratio) => ratio * 100],
      ["Memory", "system_memory_available_bytes", (bytes) => (1 - bytes / memory.total_bytes) * 100],
      ["Disk", "system_disk_free_bytes", (bytes) => (1 - bytes / total) * 100],
    ];
    await Promise.all(sources.map(async ([name, metric, percent]) => {
      const { series } = await ask(`metrics?format=json&metric=${metric}&hours=1`);
      past[name] = series && series.length ? series[0].samples.map(([at, value]) => [at, percent(value)]) : [];
    }));
  }

  // A processor that is busy does its work; memory and disk that are full are the end of it.
  function level(name, part) {
    if (part < (name === "Processors" ? 95 : 85)) return "well";
    return part < 95 || name === "Processors" ? "high" : "full";
  }

  function updateMeter(card, { name, percent, says, at }) {
    const [, number, meter, , quiet] = card.children;
    set(number, percent === null ? "–" : figure(percent, "percent"));
    const part = percent === null ? 0 : Math.max(0, Math.min(100, percent));
    attribute(meter, "aria-valuenow", part.toFixed(0));
    meter.firstChild.style.width = `${part.toFixed(1)}%`;
    attribute(meter.firstChild, "data-level", level(name, part));
    set(quiet, says);
    const points = past[name] || (past[name] = []);
    if (percent !== null && (!points.length || points[points.length - 1][0] < at)) points.push([at, percent]);
    while (points.length && points[0][0] < at - KEPT_MS) points.shift();
    card.chart.draw(`${name} over the last hour`, "percent", [{ name, points }]);
  }

  async function showSystem(system) {
    if (!past.Processors) await remember(system);
    const { sampled_at, cpu, memory, swap, disk, process } = system;
    const at = Date.parse(sampled_at);
    const bytes = (amount) => figure(amount, "bytes");
    const share = (used, total) => (total ? (used / total) * 100 : null);
    const load = cpu.load ? `load ${[cpu.load.one, cpu.load.five, cpu.load.fifteen].map((one) => figure(one, "")).join(", ")}; ` : "";
    const limit = ({ limited_by }) => (limited_by === "host" ? "" : `, the limit of its ${limited_by}`);
    const free = disk.error === null ? `${bytes(disk.free_bytes)} of ${bytes(disk.used_bytes + disk.free_bytes)} free at ${disk.path}` : disk.error;
    sync(get("system"), [
      { name: "Processors", percent: cpu.percent, says: `${load}${figure(cpu.cores, "")} cores${limit(cpu)}`, at },
      { name: "Memory", percent: share(memory.used_bytes, memory.total_bytes), says: `${bytes(memory.available_bytes)} of ${bytes(memory.total_bytes)} available${limit(memory)}`, at },
      { name: "Disk", percent: disk.error === null ? share(disk.used_bytes, disk.used_bytes + disk.free_bytes) : null, says: free, at },
    ], (meter) => meter.name, createMeter, updateMeter);
    facts(get("process"), [
      ["process", process.pid],
      ["running for", figure(process.uptime_seconds, "seconds")],
      ["its memory", bytes(process.resident_bytes)],
      ["its processors", process.cpu_percent === null ? "–" : figure(process.cpu_percent, "percent")],
      ["threads", process.threads ?? "–"],
      ["open files", `${process.open_fds ?? "–"} of ${process.open_fds_max ?? "–"}`],
      ["swap in use", swap.total_bytes ? `${bytes(swap.used_bytes)} of ${bytes(swap.total_bytes)}` : "none there"],
    ]);
  }

  // ---- transitions

  function showTransitions({ transitions }) {
    const latest = transitions.slice(-20).reverse();
    if (!latest.length) latest.push({ time: null });
    sync(get("transitions"), latest, (one) => `${one.time} ${one.component}`, ({ time, component, to, message }) => {
      const item = make("li");
      if (time === null) {
        item.append("None since the start.");
        return item;
      }
      const at = make("time", "", when(time));
      at.dateTime = time;
      const word = make("span", "badge");
      badge(word, to);
      item.append(at, word, make("span", "name", component), make("span", "message", message));
      return item;
    }, () => {});
  }

  // ---- panels of the program

  const isDate = (text) => /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/.test(text);
  const isNumber = (text) => /^[-+−]?[\d., ]+( ?[%$€]| [A-Z]{3})?$/.test(text);

  const KINDS = {
    text: [() => make("p"), (element, part) => set(element, part.text)],
    facts: [() => make("dl", "facts"), (element, part) => facts(element, part.facts)],
    chart: [() => {
      const chart = new Chart(false);
      chart.root.chart = chart;
      return chart.root;
    }, (element, part, title) => element.chart.draw(title, part.unit, part.lines)],
    table: [() => {
      const scroll = make("div", "scroll");
      attribute(scroll, "tabindex", "0");
      attribute(scroll, "role", "region");
      const table = make("table");
      table.append(make("thead"), make("tbody"));
      scroll.append(table, make("p", "quiet"));
      return scroll;
    }, (element, part, title) => {
      attribute(element, "aria-label", title);
      const [head, body] = element.firstChild.children;
      const numeric = part.columns.map((_, column) => part.rows.length > 0 && part.rows.every((row) => isNumber(row[column] ?? "")));
      const cells = (row, values, name) => {
        while (row.children.length > values.length) row.lastChild.remove();
        while (row.children.length < values.length) row.append(make(name));
        values.forEach((value, column) => {
          set(row.children[column], value);
          attribute(row.children[column], "class", numeric[column] ? "number" : isDate(value) ? "date" : "");
          if (name === "th") attribute(row.children[column], "scope", "col");
          else attribute(row.children[column], "data-label", part.columns[column] ?? "");
        });
      };
      if (!head.firstChild) head.append(make("tr"));
      cells(head.firstChild, part.columns, "th");
      while (body.children.length > part.rows.length) body.lastChild.remove();
      while (body.children.length < part.rows.length) body.append(make("tr"));
      part.rows.forEach((row, place) => cells(body.children[place], row, "td"));
      set(element.lastChild, part.rows.length === 0 ? "None." : part.total > part.rows.length ? `The first ${part.rows.length} of ${part.total}.` : "");
    }],
  };

  function showPanels({ panels }) {
    const numbered = panels.map((panel, place) => ({ ...panel, place }));
    sync(get("panels"), numbered, ({ place, prefix, title }) => `${place} ${prefix} ${title}`, ({ place, title }) => {
      const section = make("section", "panel");
      const heading = make("h2", "", title);
      heading.id = `panel-${place}`;
      attribute(section, "aria-labelledby", heading.id);
      section.append(heading, make("div", "card"));
      return section;
    }, (section, { title, parts, error }) => {
      const shown = error === undefined ? parts : [{ kind: "text", text: error }];
      const kinds = shown.map((part, place) => ({ part, key: `${place} ${part.kind}` }));
      sync(section.lastChild, kinds, (one) => one.key, ({ part }) => KINDS[part.kind][0](), (element, { part }) => {
        KINDS[part.kind][1](element, part, title);
        element.classList.toggle("error", error !== undefined);
      });
    });
  }

  // ---- metrics

  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.isSeen = isIntersecting;
      if (isIntersecting && !target.drawn) drawMetric(target).catch(lose);
    }
  }, { rootMargin: "200px" });

  function createMetric({ name, help }) {
    const card = make("div", "card metric");
    card.chart = new Chart(false);
    card.metric = name;
    card.chart.draw(name, "", [], [0, 0]);
    card.more = make("p", "quiet");
    card.append(make("h3", "", name), make("p", "quiet", help), card.chart.root, card.more, make("p", "quiet number"));
    seen.observe(card);
    return card;
  }

  // A moment in seconds since 1970 is no length of time.
  const unitOf = ({ name, unit }) => (/_timestamp_seconds$/.test(name) ? "date" : unit);

  function updateMetric(card, metric) {
    const { latest, mean, count, rate, covers_seconds } = metric;
    const unit = unitOf(metric);
    const per = rate === null ? "" : `, ${figure(rate, "")} a second`;
    const average = unit === "date" ? "" : `, mean ${figure(mean, unit)}`;
    const samples = `${count} ${count === 1 ? "sample" : "samples"} of the last ${figure(covers_seconds, "seconds")}`;
    set(card.lastChild, `latest ${figure(latest, unit)}${average}, ${samples}${per}`);
  }

  // What was set last still holds.
  const until = (samples, now) => (samples.length ? [...samples, [now, samples[samples.length - 1][1]]] : samples);

  async function drawMetric(card) {
    card.drawn = true;
    const hours = Number(get("hours").value);
    const metric = await ask(`metrics?format=json&metric=${encodeURIComponent(card.metric)}&hours=${hours}`);
    const samples = (metric.series || []).map((one) => one.samples);
    const all = samples.flat();
    const to = Date.now();
    const first = all.reduce((least, sample) => Math.min(least, sample[0]), to - 60e3);
    const from = Math.max(to - hours * 3600e3, first);
    const called = (labels) => Object.values(labels).join(", ") || "value";
    const lines = ["timing", "distribution"].includes(metric.kind)
      ? quantiles(all, from, to)
      : (metric.series || []).slice(0, 4).map((one) => ({ name: called(one.labels), points: until(one.samples, to), steps: true }));
    card.chart.draw(card.metric, unitOf(metric), lines, [from, to]);
    const more = metric.kind === "counter" || metric.kind === "gauge" ? (metric.series || []).length - lines.length : 0;
    set(card.more, more > 0 ? `and ${more} more series` : "");
  }

  // What every program has, and what nobody looks at first.
  const isOwn = ({ name }) => /^(process|system|http|metrics)_/.test(name);

  async function showMetrics() {
    const hours = get("hours").value;
    const { metrics } = await ask(`metrics?format=json&hours=${hours}`);
    const sought = get("find").value.trim().toLowerCase();
    const order = { timing: 0, distribution: 1, gauge: 2, counter: 3 };
    const found = metrics.filter((metric) => metric.name.toLowerCase().includes(sought)).sort((a, b) => order[a.kind] - order[b.kind]);
    // Without a sample there is no chart.
    const drawn = found.filter(({ count }) => count > 0);
    const idle = found.filter(({ count }) => count === 0);
    const [own, others] = [drawn.filter(isOwn), drawn.filter((metric) => !isOwn(metric))];
    sync(get("metrics"), others.slice(0, CHARTS_MAX), (metric) => metric.name, createMetric, updateMetric);
    sync(get("own"), own, (metric) => metric.name, createMetric, updateMetric);
    facts(get("idle"), idle.map((metric) => [metric.name, figure(metric.latest, unitOf(metric))]));
    for (const [part, { length }] of [["own", own], ["idle", idle]]) {
      set(get(`${part}-count`), `(${length})`);
      get(`${part}-part`).hidden = length === 0;
      if (sought && length) get(`${part}-part`).open = true;
    }
    const none = sought ? "None of that name." : "The program has recorded none yet.";
    set(get("more"), others.length > CHARTS_MAX ? `${others.length - CHARTS_MAX} more: find them by name.` : found.length && (others.length || idle.length || sought) ? "" : none);
    await Promise.all([...document.querySelectorAll(".metric")].filter((card) => card.isSeen).map(drawMetric));
  }

  // ---- the round

  const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
  let patience = "";

  function showLoss() {
    const lost = answered === null || Date.now() - answered > REFRESH_MS + ANSWER_MS;
    const since = answered === null ? "" : ` since ${clock(answered)} (${ago(Date.now() - answered)}). What is shown is from then`;
    if (document.body.classList.contains("stale")) set(get("lost"), patience || `The server does not answer${since}. Asking again.`);
    else if (answered !== null) set(get("updated"), lost ? "" : `updated ${ago(Date.now() - answered)}, every ${REFRESH_MS / 1000} s`);
  }

  function lose(error) {
    if (error instanceof Refused) {
      unlock(error.message);
      return;
    }
    document.body.classList.add("stale");
    get("lost").hidden = false;
    set(get("updated"), "");
    if (answered === null) set(get("overall"), "No answer");
    document.title = answered === null ? "? not updated yet" : `? not updated since ${clock(answered)}`;
    patience = error instanceof Later ? `The server says: ${error.message}. It is asked again at ${clock(notBefore)}.` : "";
    showLoss();
  }

  function unlock(sentence) {
    get("main").hidden = true;
    get("unlock").hidden = false;
    if (token()) {
      sessionStorage.removeItem("token");
      set(get("refused"), sentence);
    }
  }

  async function refresh() {
    const [health, ready] = await Promise.all([ask("health"), ask("ready")]);
    answered = Date.now();
    document.body.classList.remove("stale");
    get("lost").hidden = true;
    showVerdict(health, ready);
    // Nobody sees more than the title.
    if (document.hidden) return;
    if (!health.components) {
      unlock();
      return;
    }
    get("unlock").hidden = true;
    get("main").hidden = false;
    if (unlocking) get("verdict").focus();
    unlocking = false;
    const parts = [
      showComponents(health.components),
      ask("system").then(showSystem),
      ask("transitions").then(showTransitions),
      // The program's panels may be slow, and then say so themselves.
      ask("panels", 4 * ANSWER_MS).then(showPanels),
    ];
    if (Date.now() - chartsAsked > 2 * REFRESH_MS) {
      chartsAsked = Date.now();
      parts.push(showMetrics());
    }
    await Promise.all(parts);
    showLoss();
  }

  let underWay = false;
  let asked = 0;
  async function round() {
    const now = Date.now();
    if (underWay || now < notBefore || (document.hidden && now - asked < HIDDEN_MS)) return;
    underWay = true;
    asked = now;
    try {
      await refresh();
    } catch (error) {
      lose(error);
    } finally {
      underWay = false;
    }
  }

  get("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", get("token").value);
    get("token").value = "";
    set(get("refused"), "");
    notBefore = 0;
    unlocking = true;
    round();
  });
  const again = () => showMetrics().catch(lose);
  get("hours").addEventListener("change", again);
  get("find").addEventListener("input", again);
  document.addEventListener("visibilitychange", round);
  setInterval(round, REFRESH_MS);
  setInterval(showLoss, 1000);
  round();
})();
