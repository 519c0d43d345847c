// The table of runs: choosing the kind, filtering, sorting, emphasising.

const state = { table: null, sort: null, down: false, pinned: new Set(), rows: [] };
const listeners = [];

function kindsOfRun() {
  const { tables } = read('data');
  const group = byId('kinds');
  group.hidden = tables.length < 2;
  group.replaceChildren(...tables.map((table, i) => {
    const radio = element('input', { type: 'radio', name: 'kind', value: table.kind, onchange: () => chooseTable(table) });
    radio.checked = i === 0;
    return element('label', { class: 'choice' }, radio, `${table.title} (${table.rows.length})`);
  }));
  byId('filter').addEventListener('input', filterRows);
  chooseTable(tables[0]);
}

function chooseTable(table) {
  Object.assign(state, { table, sort: null, down: false });
  state.pinned.clear();
  byId('held').textContent = table.held ? `All of them: ${table.held}.` : '';
  byId('filter').value = '';
  const menus = byId('by-setting');
  menus.replaceChildren();
  table.columns.forEach((column, i) => {
    const values = [...new Set(table.rows.map((row) => row[i]))].filter((value) => value !== null);
    if (column.role !== 'setting' || values.length < 2 || values.length > 12) return;
    values.sort((a, b) => (a < b ? -1 : 1));
    const select = element('select', { name: column.name, 'data-column': i, onchange: filterRows });
    options(select, [['', 'all'], ...values.map((value) => [String(value), cellText(column, value)])]);
    menus.append(element('label', {}, column.label, select));
  });
  menus.parentElement.hidden = !menus.children.length;
  menus.parentElement.open = menus.children.length < 7 && document.documentElement.clientWidth > 700;
  document.querySelector('thead').replaceChildren(element('tr', {}, ...table.columns.map(heading)));
  listeners.forEach(({ table: changed }) => changed && changed());
  const first = table.columns.findIndex(({ name }) => name === table.axes[1]);
  if (first < 0) filterRows();
  else sortBy(first, true);
}

function heading(column, i) {
  const button = element('button', { type: 'button', onclick: () => sortBy(i) }, column.label);
  return element('th', { scope: 'col', 'aria-sort': 'none', class: column.numeric ? '' : 'word' }, button);
}

function sortBy(i, down = state.sort === i && !state.down) {
  state.down = down;
  state.sort = i;
  document.querySelectorAll('thead th').forEach((head, j) => {
    head.setAttribute('aria-sort', j !== i ? 'none' : state.down ? 'descending' : 'ascending');
  });
  filterRows();
}

const cellText = (column, value) => (column.texts && column.texts[String(value)]) || shortNumber(value);

const COMPARE = {
  '=': (a, b) => a === b, '!=': (a, b) => a !== b, '<': (a, b) => a < b, '>': (a, b) => a > b,
  '<=': (a, b) => a <= b, '>=': (a, b) => a >= b,
};

// A test of rows from one word of the filter: `column<number`, `column=word` or a part of a cell.
function condition(word, columns) {
  const match = /^([a-z_0-9]+)(<=|>=|!=|=|<|>)(.+)$/.exec(word);
  if (!match) {
    const part = word.toLowerCase();
    return { test: (row) => columns.some((column, i) =>
      String(row[i]).toLowerCase().includes(part) || cellText(column, row[i]).toLowerCase() === part) };
  }
  const [, name, sign, text] = match;
  const i = columns.findIndex((column) => column.name === name);
  if (i < 0) return { error: `${name} is not one of ${columns.map((column) => column.name).join(', ')}` };
  const plain = text.replace('−', '-');
  const fraction = /^(-?[\d.]+)\/([\d.]+)$/.exec(plain);
  const number = fraction ? fraction[1] / fraction[2] : Number(plain);
  if (columns[i].numeric && Number.isNaN(number)) return { error: `${text} is not a number` };
  const wanted = columns[i].numeric ? Number(number.toPrecision(6)) : text;
  return { test: (row) => row[i] !== null && COMPARE[sign](row[i], wanted) };
}

function filterRows() {
  const { table } = state;
  const words = byId('filter').value.trim().split(/\s+/).filter(Boolean);
  const conditions = words.map((word) => condition(word, table.columns));
  const error = conditions.map((found) => found.error).find(Boolean);
  const chosen = [...document.querySelectorAll('#by-setting select')].filter((select) => select.value);
  state.rows = table.rows
    .map((row, i) => ({ row, label: table.labels[i] }))
    .filter(({ row }) => error || conditions.every(({ test }) => test(row)))
    .filter(({ row }) => chosen.every((select) => String(row[select.dataset.column]) === select.value));
  if (state.sort !== null) {
    const sign = state.down ? -1 : 1;
    state.rows.sort(({ row: { [state.sort]: a } }, { row: { [state.sort]: b } }) => {
      if (a === null || b === null) return (a === null) - (b === null); // what is missing comes last
      return a < b ? -sign : a > b ? sign : 0;
    });
  }
  const count = `${state.rows.length} of ${table.rows.length} runs.`;
  byId('filter-note').textContent = error ? `${count} Filter not applied: ${error}.` : count;
  byId('filter').setAttribute('aria-invalid', error ? 'true' : 'false');
  drawRows();
  listeners.forEach(({ rows }) => rows && rows());
}

function drawRows() {
  const detailed = new Set(read('data').runs.map(({ run }) => run));
  const { columns } = state.table;
  const body = document.querySelector('tbody');
  body.replaceChildren(...state.rows.map(({ row }) => {
    const cells = row.map((value, i) => (columns[i].name === 'run' ? nameCell(value, detailed) : element(
      'td', { class: `${columns[i].role} ${columns[i].numeric ? '' : 'word'}` }, cellText(columns[i], value))));
    const line = element('tr', { 'data-run': row[0] }, ...cells);
    line.classList.toggle('pinned', state.pinned.has(row[0]));
    return line;
  }));
}

function nameCell(run, detailed) {
  const pin = element('button', {
    type: 'button', class: 'name', 'aria-pressed': String(state.pinned.has(run)),
    title: 'emphasise in the charts', onclick: () => togglePin(run),
  }, run);
  const cell = element('td', { class: 'word' }, pin);
  if (detailed.has(run)) {
    const open = element('button', { type: 'button', class: 'open', onclick: () => openRun(run) }, 'neurons');
    open.setAttribute('aria-label', `Show the neurons of ${run}`);
    cell.append(' ', open);
  }
  return cell;
}

function togglePin(run) {
  if (!state.pinned.delete(run)) state.pinned.add(run);
  const line = document.querySelector(`tr[data-run="${run}"]`);
  line.classList.toggle('pinned', state.pinned.has(run));
  line.querySelector('.name').setAttribute('aria-pressed', String(state.pinned.has(run)));
  listeners.forEach(({ rows }) => rows && rows());
}
