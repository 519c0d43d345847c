// Training traces and the scatter plot of the runs that the table shows.

const MOST_TRACES = 60;
const WORD_COLORS = ['#0173b2', '#de8f05', '#029e73', '#cc78bc', '#ca9161', '#fbafe4', '#949494', '#56b4e9'];

function prepareOverview() {
  listeners.push({ table: chooseAxes, rows: () => { clearTimeout(prepareOverview.timer); prepareOverview.timer = setTimeout(drawOverview, 60); } });
  for (const id of ['quantity', 'across', 'up', 'color']) byId(id).addEventListener('change', drawOverview);
}

function chooseAxes() {
  const { table } = state;
  const numbers = table.columns.filter(({ numeric, role }) => numeric && role !== 'name');
  const choices = numbers.map(({ name, label }) => [name, label]);
  options(byId('quantity'), table.quantities.map(({ name, label }) => [name, label]));
  options(byId('across'), choices, table.axes[0]);
  options(byId('up'), choices, table.axes[1] || table.axes[0]);
  const settings = table.columns.filter(({ role, name }) => role === 'setting' && name !== 'seed');
  const varied = settings.map((column) => [column, new Set(table.rows.map((row) => row[table.columns.indexOf(column)])).size]);
  varied.sort((a, b) => b[1] - a[1]);
  const first = varied.length ? varied[0][0].name : 'seed';
  options(byId('color'), [...settings.map(({ name, label }) => [name, label]), ['seed', 'Seed']], first);
}

// The colours of a setting: an ordered scale for numbers, distinct colours for words.
function colorEncoding(column, values) {
  const present = [...new Set(values)].filter((value) => value !== null).sort((a, b) => (a < b ? -1 : 1));
  const domain = present.map((value) => cellText(column, value));
  if (values.includes(null)) domain.push('–');
  const scale = column.numeric
    ? { domain, scheme: { name: 'viridis', extent: dark() ? [0.3, 1] : [0, 0.88] } }
    : { domain, range: domain.map((_, i) => WORD_COLORS[i % WORD_COLORS.length]) };
  const width = document.documentElement.clientWidth;
  const columns = width < 600 ? 4 : width < 1100 ? 6 : 8;  // what fits below a chart
  return {
    field: 'color', type: column.numeric ? 'ordinal' : 'nominal', sort: domain, scale, title: column.label,
    legend: { orient: 'bottom', columns, titleLimit: 300, symbolOpacity: 1, symbolStrokeWidth: 3 },
  };
}

// A logarithmic axis where positive values differ by much.
function setAxis(encoding, values) {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const logarithmic = low > 0 && high > 30 * low;
  encoding.scale = logarithmic ? { type: 'log', nice: false, padding: 8 } : { zero: false };
  if (logarithmic) encoding.axis = { tickCount: 3, format: '~g' };
}

async function drawOverview() {
  const { table, rows } = state;
  const index = (name) => table.columns.findIndex((column) => column.name === name);
  const [across, up, color] = ['across', 'up', 'color'].map((id) => index(byId(id).value));
  const quantity = byId('quantity').value;
  const quantityLabel = table.quantities.find(({ name }) => name === quantity).label;
  const encoding = colorEncoding(table.columns[color], rows.map(({ row }) => row[color]));
  const described = rows.map(({ row, label }) => ({
    run: row[0], label: `${row[0]}: ${label}`, color: cellText(table.columns[color], row[color]), pinned: state.pinned.has(row[0]), row,
  }));

  const drawn = described.filter(({ pinned }, i) => pinned || i < MOST_TRACES);
  byId('training-note').textContent = rows.length > drawn.length
    ? `Traces of the first ${drawn.length} of ${rows.length} runs in the order of the table; filter to see others.` : '';
  const points = drawn.flatMap(({ row, ...run }) => {
    const [time, values] = table.traces[run.run][quantity];
    return time.map((x, i) => ({ ...run, x, y: values[i] })).filter(({ y }) => y !== null);
  });
  const traces = structuredClone(read('charts').traces);
  delete traces.datasets;
  traces.data = { name: 'rows', values: points };
  for (const layer of traces.layer) {
    delete layer.data;
    Object.assign(layer.encoding.x, { title: table.time, scale: table.logarithmic ? { type: 'log', base: 2, nice: false } : { zero: false } });
    if (table.logarithmic) layer.encoding.x.axis = { format: ',', tickCount: 7 };
    layer.encoding.y.title = quantityLabel;
    if (layer.encoding.tooltip) layer.encoding.tooltip[1].title = table.time === 'Epoch' ? 'Epochs' : 'Steps';
    setAxis(layer.encoding.y, points.map(({ y }) => y));
    layer.encoding.color = encoding;
  }
  byId('traces-title').textContent = `${quantityLabel} during training`;

  const overview = structuredClone(read('charts').overview);
  const [xColumn, yColumn] = [table.columns[across], table.columns[up]];
  overview.data = { name: 'rows', values: described.map(({ row, ...run }) => ({ ...run, x: row[across], y: row[up] })).filter(({ x, y }) => x !== null && y !== null) };
  overview.encoding.x.title = xColumn.label;
  overview.encoding.y.title = yColumn.label;
  setAxis(overview.encoding.x, overview.data.values.map(({ x }) => x));
  setAxis(overview.encoding.y, overview.data.values.map(({ y }) => y));
  overview.encoding.color = encoding;
  overview.encoding.tooltip.push(
    { field: 'x', type: 'quantitative', title: xColumn.label, format: '.4~g' },
    { field: 'y', type: 'quantitative', title: yColumn.label, format: '.4~g' },
  );
  byId('overview-title').textContent = `${yColumn.label} against ${xColumn.label.charAt(0).toLowerCase()}${xColumn.label.slice(1)}, trained`;

  await show(byId('traces'), traces, `${quantityLabel} during training`);
  const view = await show(byId('overview'), overview, `${yColumn.label} against ${xColumn.label}`);
  view.addEventListener('click', (event, item) => { if (item && item.datum && item.datum.run) togglePin(item.datum.run); });
}
