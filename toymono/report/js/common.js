// Reading the page's data, the theme, and showing charts.

const byId = (id) => document.getElementById(id);
const parsed = new Map();

function read(id) {
  if (!parsed.has(id)) parsed.set(id, JSON.parse(byId(id).textContent));
  return parsed.get(id);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'class') made.className = value;
    else if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function options(select, choices, chosen) {
  select.replaceChildren(...choices.map(([value, text]) => element('option', { value }, text)));
  if (chosen !== undefined) select.value = chosen;
}

function shortNumber(value) {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value)) return String(value).replace('-', '−');
  const size = Math.abs(value);
  const text = size >= 1e-3 && size < 1e5 ? Number(value.toPrecision(4)) : value.toExponential(2);
  return String(text).replace('-', '−');
}

const inSteps = (count) => `${count.toLocaleString('en')} step${count === 1 ? '' : 's'}`;

// The inverse of `packed` in detail.py: numbers with their shape, read by index.
function unpack({ shape, scale, bytes, data }) {
  const raw = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer;
  const whole = bytes === 4 ? new Int32Array(raw) : new Int16Array(raw);
  const width = shape.slice(2).reduce((a, b) => a * b, 1);
  const at = (c, s) => (c * shape[1] + s) * width;
  return {
    number: (c, s) => whole[at(c, s)] * scale,
    list: (c, s) => Array.from(whole.subarray(at(c, s), at(c, s) + width), (v) => v * scale),
    range: () => {
      let low = Infinity;
      let high = -Infinity;
      for (const value of whole) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
      return [low * scale, high * scale];
    },
  };
}

const dark = () => document.documentElement.dataset.theme === 'dark';

function applyTheme() {
  const wanted = byId('theme').value;
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  document.documentElement.dataset.theme = wanted === 'auto' ? system : wanted;
}

function vegaConfig() {
  const style = getComputedStyle(document.documentElement);
  const [page, text, soft, line] = ['--page', '--text', '--soft', '--line'].map((name) =>
    style.getPropertyValue(name).trim());
  return {
    background: page,
    font: 'system-ui, "DejaVu Sans", sans-serif',
    view: { stroke: line },
    axis: {
      labelColor: soft, titleColor: text, gridColor: line, tickColor: line, domainColor: line,
      labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500, gridOpacity: 0.6,
      labelFlush: true, labelOverlap: 'greedy',
    },
    legend: { labelColor: text, titleColor: text, labelFontSize: 11, titleFontWeight: 500, symbolLimit: 24 },
  };
}

const views = new Map();

// Shows a chart in a place, replacing the one before; returns its view.
async function show(place, spec, description) {
  const before = views.get(place);
  const ticket = {};
  place.ticket = ticket;
  const result = await vegaEmbed(place, { ...spec, description }, {
    renderer: 'canvas',
    config: vegaConfig(),
    tooltip: { theme: dark() ? 'dark' : 'light' },
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: `toymono-${description.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 60)}`,
  });
  if (place.ticket !== ticket) {
    result.finalize();
    return views.get(place).view;
  }
  if (before) before.finalize();
  views.set(place, result);
  place.querySelector('summary').setAttribute('aria-label', `Save chart: ${description}`);
  return result.view;
}
