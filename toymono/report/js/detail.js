// The neurons of two runs at one snapshot of training.

class Panel {
  constructor(side, run) {
    const article = byId('panel').content.firstElementChild.cloneNode(true);
    article.dataset.side = side;
    article.setAttribute('aria-label', side === 'a' ? 'First run' : 'Second run');
    this.find = (name) => article.querySelector(`.${name}`);
    options(this.find('run'), read('data').runs.map(({ run: name, title }) => [name, `${title} (${name})`]), run);
    this.find('run').addEventListener('change', () => this.open(this.find('run').value));
    this.find('rank').addEventListener('input', () => { this.pick = Number(this.find('rank').value); this.update(); });
    byId('panels').append(article);
    this.article = article;
  }

  async open(run) {
    this.find('run').value = run;
    this.run = read(`detail-${run}`);
    this.numbers = this.run.unpacked ??= Object.fromEntries(
      Object.entries(this.run.numbers).map(([name, arrays]) => [name, unpack(arrays)]));
    const count = this.run.shown.length;
    this.find('rank').max = count - 1;
    this.pick = Math.min(this.pick ?? 0, count - 1);
    this.find('rank').value = this.pick;
    await this.draw();
  }

  get last() { return this.run.steps.length - 1; }

  get c() { return Math.min(Number(byId('snapshot').value), this.last); }

  async draw() {
    const charts = structuredClone(read('charts'));
    const { run, numbers, run: { title } } = this;
    this.drawing = {};
    const mine = this.drawing;
    // Scales hold over all snapshots, so that points move and axes do not.
    charts.neurons.layer[0].encoding.x.scale = { domain: padded(numbers.bias.range()), nice: false };
    const [low, high] = padded([numbers.curve_b.range(), numbers.second_curve_b.range()].flat());
    charts.curve.encoding.y.scale = { domain: [Math.min(0, low), Math.min(high, 3)], nice: false };
    charts.curve.mark.clip = true;
    charts.activations.layer[0].encoding.x.scale.domain = [0, run.n];
    charts.activations.layer[0].encoding.y.scale.domain = [0, run.k];
    const data = this.data();
    const filled = (chart) => {
      chart.datasets = data;
      return chart;
    };
    const shown = await Promise.all([
      show(this.find('activations'), filled(charts.activations), `Activations, ${title}`),
      show(this.find('scatter'), filled(charts.neurons), `Neurons, ${title}`),
      show(this.find('curve'), filled(charts.curve), `Response of a neuron, ${title}`),
      show(this.find('several'), filled(charts.several), `Score with several features, ${title}`),
    ]);
    if (this.drawing !== mine) return;
    this.views = shown;
    this.views[0].addEventListener('click', (event) => {
      const [, y] = this.views[0].origin().map((offset, i) => [event.offsetX, event.offsetY][i] - offset);
      this.choose(this.views[0].scale('y').invert(y));
    });
    this.views[1].addEventListener('click', (event, item) => {
      if (item && item.datum && item.datum.rank !== undefined) this.choose(item.datum.rank);
    });
    const { low: from, high: to, stops } = run.colors;
    const bar = element('i', { style: `background: linear-gradient(90deg, ${stops.join(', ')})` });
    this.find('legend').replaceChildren(shortNumber(from), bar, shortNumber(to));
    await this.update();
  }

  choose(rank) {
    const near = this.run.shown.map((other) => Math.abs(other - rank));
    this.pick = near.indexOf(Math.min(...near));
    this.find('rank').value = this.pick;
    this.update();
  }

  data() {
    const { run, numbers, c, pick } = this;
    const neurons = run.shown.map((rank, s) => ({
      rank,
      score: numbers.monosemanticity.number(c, s),
      bias: numbers.bias.number(c, s),
      kind: run.kinds[numbers.kind.number(c, s)],
      part: numbers.bias.number(c, s) <= 0 ? 'mono (bias ≤ 0)' : 'poly (bias > 0)',
      feature: numbers.strongest_feature.number(c, s),
      second: numbers.second_feature.number(c, s),
      count: numbers.feature_count.number(c, s),
    }));
    const curves = [['curve_b', 'strongest feature'], ['second_curve_b', 'second strongest']];
    return {
      image: [{ url: run.images[c], x0: 0, x1: run.n, y0: 0, y1: run.k }],
      neurons,
      picked: [neurons[pick]],
      curve: curves.flatMap(([name, feature]) => numbers[name].list(c, pick)
        .map((activation, i) => ({ feature, amplitude: run.amplitudes[i], activation }))),
      several: numbers.monosemanticity_s.list(c, pick).map((score, i) => ({ active: run.active[i], score })),
    };
  }

  async update() {
    const { run } = this;
    const data = this.data();
    const counts = run.kinds.map((kind, i) => `${run.counts[this.c][i]} ${kind}`);
    const of = run.shown.length < run.k ? ` The scatter shows ${run.shown.length} of ${run.k} neurons.` : '';
    this.find('counts').textContent = `After ${inSteps(run.steps[this.c])}: ${counts.join(', ')} neurons.${of}`;
    const neuron = data.picked[0];
    const features = neuron.count === 1 ? '1 feature' : `${neuron.count} features`;
    const strongest = neuron.kind === 'dead' ? '' : `, most to feature ${neuron.feature}`;
    this.find('neuron').textContent = `Neuron ${neuron.rank}: ${neuron.kind}, score ${neuron.score.toFixed(3)}, `
      + `bias ${neuron.bias.toFixed(3).replace('-', '−')}, ${neuron.part} part; responds to ${features}${strongest}.`;
    this.find('rank').setAttribute('aria-valuetext', `neuron ${neuron.rank}, ${neuron.kind}`);
    if (!this.views) return;
    const names = [['image', 'picked'], ['neurons', 'picked'], ['curve'], ['several']];
    await Promise.all(this.views.map((view, i) => {
      for (const name of names[i]) view.data(name, data[name]);
      return view.runAsync();
    }));
  }
}

function padded([...values]) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = (high - low || 1) / 20;
  return [low - margin, high + margin];
}

const panels = [];

async function prepareDetail() {
  const { runs } = read('data');
  if (!runs.length) {
    byId('time').hidden = true;
    byId('neurons-note').textContent = 'This page has no runs with neurons: toy runs named by --detail have them.';
    return;
  }
  const slider = byId('snapshot');
  slider.max = Math.max(...runs.map(({ steps }) => steps.length - 1));
  slider.value = slider.max;
  slider.addEventListener('input', moveTo);
  byId('play').addEventListener('click', play);
  panels.push(new Panel('a', runs.at(-1).run));
  if (runs.length > 1) panels.push(new Panel('b', runs[0].run));
  for (const panel of panels) await panel.open(panel.find('run').value);
  moveTo();
}

function moveTo() {
  const c = Number(byId('snapshot').value);
  const steps = panels.map((panel) => panel.run.steps[Math.min(c, panel.last)]);
  byId('step').textContent = [...new Set(steps)].map(inSteps).join(' and ');
  byId('snapshot').setAttribute('aria-valuetext', byId('step').textContent);
  return Promise.all(panels.map((panel) => panel.update()));
}

function play() {
  const slider = byId('snapshot');
  const playing = byId('play').getAttribute('aria-pressed') === 'true';
  const stop = () => {
    clearInterval(play.timer);
    byId('play').setAttribute('aria-pressed', 'false');
    byId('play').textContent = 'Play';
  };
  if (playing) return stop();
  if (slider.value === slider.max) slider.value = 0;
  byId('play').setAttribute('aria-pressed', 'true');
  byId('play').textContent = 'Pause';
  moveTo();
  play.timer = setInterval(() => {
    slider.value = Number(slider.value) + 1;
    moveTo();
    if (slider.value === slider.max) stop();
  }, 600);
}

async function openRun(run) {
  byId('neurons').scrollIntoView({ behavior: 'instant' });
  panels[0].find('run').focus({ preventScroll: true });
  await panels[0].open(run);
  moveTo();
}
