// What happens when the page is opened.

async function redraw() {
  applyTheme();
  await drawOverview();
  for (const panel of panels) await panel.draw();
}

async function start() {
  applyTheme();
  prepareOverview();
  kindsOfRun(); // the table stands before the charts are drawn
  byId('theme').addEventListener('change', redraw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
  await drawOverview();
  await prepareDetail();
  document.documentElement.dataset.ready = 'yes';
}

start();
