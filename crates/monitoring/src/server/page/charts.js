"use strict";
// Small charts of lines over time. Everything is made of nodes and set as text; nothing is markup.
const Charts = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 300;
  const HEIGHT = 100;
  const BUCKETS = 48;

  function node(name, classes) {
    const made = document.createElementNS(SVG, name);
    if (classes) made.setAttribute("class", classes);
    return made;
  }

  // A figure with its unit, short enough for a label.
  function figure(value, unit) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    if (unit === "seconds" || unit === "s") {
      const size = Math.abs(value);
      if (size === 0) return "0 s";
      if (size < 1e-3) return `${digits(value * 1e6)} µs`;
      if (size < 1) return `${digits(value * 1e3)} ms`;
      if (size < 120) return `${digits(value)} s`;
      if (size < 7200) return `${digits(value / 60)} min`;
      if (size < 172800) return `${digits(value / 3600)} h`;
      return `${digits(value / 86400)} d`;
    }
    if (unit === "bytes") {
      let size = value;
      for (const prefix of ["B", "kB", "MB", "GB"]) {
        if (Math.abs(size) < 1000) return `${digits(size)} ${prefix}`;
        size /= 1000;
      }
      return `${digits(size)} TB`;
    }
    if (unit === "date") {
      return new Date(value * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    }
    if (unit === "ratio") return `${whole(value * 100)} %`;
    if (unit === "percent" || unit === "%") return `${whole(value)} %`;
    return unit ? `${whole(value)} ${unit}` : whole(value);
  }

  // Where the unit grows with the figure, three digits say enough; elsewhere cents count, whatever is before them.
  function whole(value) {
    return Math.abs(value) < 1 ? digits(value) : value.toLocaleString("en", { maximumFractionDigits: 2 });
  }

  function digits(value) {
    const size = Math.abs(value);
    const most = size >= 100 ? 0 : size >= 10 ? 1 : 2;
    return value.toLocaleString("en", size !== 0 && size < 0.1 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: most });
  }

  function clock(ms, span) {
    const days = span > 36 * 3600e3;
    const options = days ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit" };
    return new Date(ms).toLocaleString("en-GB", options);
  }

  // The quantiles of samples [[ms, value], …] in equal stretches of time.
  function quantiles(samples, from, to) {
    const stretches = Array.from({ length: BUCKETS }, () => []);
    const width = (to - from) / BUCKETS;
    for (const [at, value] of samples) {
      const place = Math.min(BUCKETS - 1, Math.floor((at - from) / width));
      if (place >= 0) stretches[place].push(value);
    }
    const line = (name, quantile) => ({
      name,
      points: stretches.map((values, place) => {
        const sorted = values.sort((a, b) => a - b);
        const rank = Math.max(0, Math.ceil(quantile * sorted.length) - 1);
        return [from + (place + 0.5) * width, sorted.length ? sorted[rank] : null];
      }),
    });
    return [line("p50", 0.5), line("p95", 0.95), line("p99", 0.99)];
  }

  // Nothing is joined to it: behind it there is nothing, or where lines break, nothing at once.
  function isAlone(points, place, bridging) {
    const rest = bridging ? points.slice(place + 1) : points.slice(place + 1, place + 2);
    return !rest.some((point) => point[1] !== null && Number.isFinite(point[1]));
  }

  // On to a point: straight, or as a value that holds until the next is known.
  const onTo = (steps, x, y) => (steps ? `H${x}V${y}` : `L${x} ${y}`);

  // What is below a line that is the only one.
  function area({ points, steps }, x, y) {
    const known = points.filter((point) => point[1] !== null && Number.isFinite(point[1]));
    if (known.length < 2) return "";
    const along = known.map(([at, value], place) => onTo(steps && place > 0, x(at).toFixed(1), y(value).toFixed(1))).join("");
    return `M${x(known[0][0]).toFixed(1)} ${HEIGHT}${along}L${x(known[known.length - 1][0]).toFixed(1)} ${HEIGHT}Z`;
  }

  // A line breaks where there is nothing, and one point alone is still seen.
  function path({ points, steps }, x, y, bridging) {
    let text = "";
    let open = false;
    points.forEach(([at, value], place) => {
      if (value === null || !Number.isFinite(value)) {
        open = open && bridging;
        return;
      }
      const [across, down] = [x(at).toFixed(1), y(value).toFixed(1)];
      text += open ? onTo(steps, across, down) : `M${across} ${down}`;
      if (!open && isAlone(points, place, bridging)) text += `m-2 0h4`;
      open = true;
    });
    return text;
  }

  // A chart that is updated in place.
  class Chart {
    constructor(small) {
      this.root = document.createElement("div");
      this.svg = node("svg", small ? "chart small" : "chart");
      this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      this.svg.setAttribute("preserveAspectRatio", "none");
      this.svg.setAttribute("role", "img");
      const axis = node("path", "axis");
      axis.setAttribute("d", small ? `M0 ${HEIGHT}H${WIDTH}` : `M0 ${HEIGHT}H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 0H${WIDTH}`);
      this.area = node("path", "area");
      this.svg.append(axis, this.area);
      this.paths = [];
      this.small = small;
      const made = (name, classes) => Object.assign(document.createElement(name), { className: classes });
      this.plot = made("div", small ? "plot small" : "plot");
      this.plot.append(this.svg);
      // What its label says in words, for those who see it.
      [this.high, this.low] = ["high", "low"].map((end) => made("span", `scale ${end}`));
      this.ends = made("div", "ends");
      this.ends.append(made("span", ""), made("span", ""));
      this.legend = made("div", "legend");
      if (!small) this.plot.append(this.high, this.low);
      this.root.append(this.plot);
      if (!small) this.root.append(this.ends, this.legend);
    }

    draw(name, unit, lines, span, bridging = true) {
      const values = lines.flatMap((line) => line.points).filter((point) => Number.isFinite(point[1]) && point[1] !== null);
      const [from, to] = span || [Math.min(...values.map((point) => point[0])), Math.max(...values.map((point) => point[0]))];
      let low = 0;
      let high = 0;
      if (values.length) {
        low = values.reduce((least, point) => Math.min(least, point[1]), Infinity);
        high = values.reduce((most, point) => Math.max(most, point[1]), -Infinity);
        // From zero, unless the line would be flat then.
        if (unit === "date") high = Math.max(high, low + 3600);
        else if (low > 0 && (high - low) > high * 0.1) low = 0;
        else if (low > 0) { const room = (high - low) || high * 0.1; low -= room; high += room; }
      }
      if (high === low) high = low + 1;
      const x = (at) => (to === from ? WIDTH / 2 : ((at - from) / (to - from)) * WIDTH);
      const y = (value) => HEIGHT - ((value - low) / (high - low)) * HEIGHT;
      while (this.paths.length > lines.length) {
        this.paths.pop().remove();
        this.legend.lastChild.remove();
      }
      lines.forEach((line, place) => {
        if (!this.paths[place]) {
          this.paths[place] = node("path", `line-${place + 1}`);
          this.svg.append(this.paths[place]);
          const label = document.createElement("span");
          label.className = `line-${place + 1}`;
          this.legend.append(label);
        }
        const d = path(line, x, y, bridging);
        if (this.paths[place].getAttribute("d") !== d) this.paths[place].setAttribute("d", d);
      });
      const under = lines.length === 1 ? area(lines[0], x, y) : "";
      if (this.area.getAttribute("d") !== under) this.area.setAttribute("d", under);
      const says = lines.map((line) => {
        const known = line.points.filter((point) => point[1] !== null);
        return `${line.name} ${known.length ? figure(known[known.length - 1][1], unit) : "–"}`.trim();
      });
      says.forEach((text, place) => set(this.legend.children[place], text));
      const label = values.length ? `${name}: ${says.join(", ")}; at most ${figure(high, unit)}` : `${name}: nothing yet`;
      if (this.svg.getAttribute("aria-label") !== label) this.svg.setAttribute("aria-label", label);
      const range = to - from;
      set(this.high, values.length ? figure(high, unit) : "");
      set(this.low, values.length ? figure(low, unit) : "nothing yet");
      set(this.ends.children[0], values.length ? clock(from, range) : "");
      set(this.ends.children[1], values.length ? clock(to, range) : "");
    }
  }

  // Only what changed is touched, so that nothing flickers and no selection is lost.
  function set(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  return { Chart, figure, quantiles, set };
})();
