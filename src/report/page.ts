/** A report as one page that needs nothing else: no request leaves it, and it works from a file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshwrightError } from '../errors.js';
import { packageRoot } from '../package-root.js';
import type { ReportDocument, Search, Subject } from './document.js';
import { figureHtml, tableHtml } from './figure.js';
import type { Html } from './html.js';
import { Html as Markup, html, scriptOf } from './html.js';
import { linkClassesFigure, machineFigure, nothingSent } from './sections/links.js';
import { ranksFigure, scatterFigure, stepsFigure, waterfallFigure } from './sections/measured.js';
import { memoryFigure } from './sections/memory.js';
import { paretoFigure } from './sections/pareto.js';
import { originHtml, planHtml, tilesHtml, wordsHtml } from './sections/plan.js';
import { rooflineFigure } from './sections/roofline.js';
import { sideBySideFigure, sideBySideTable } from './sections/side-by-side.js';
import { timeFigure } from './sections/time.js';
import { timelineFigure } from './sections/timelines.js';
import { STYLE } from './style.js';
import { count, size, time } from './words.js';

/** What draws the figures, with what it takes of ECharts, as the build makes it of `page/`. */
function drawingScript(): string {
  const path = join(packageRoot(), 'dist/report-page.js');
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const [expected, got] = ['the script that the build makes', 'none'];
    throw new MeshwrightError('INTERNAL', { place: path, expected, got, hint: 'npm run build' }, { cause });
  }
}

const heading = (text: string): Html => html`<h3>${text}</h3> `;

function measuredHtml({ run, measuredLanes, name }: Subject, id: string): Html | undefined {
  if (run === undefined) return undefined;
  const ranks = ranksFigure(run, `${id}-ranks`);
  const plans = run.plans.map((plan) => ({ ...plan, run: name }));
  return html`${heading('Predicted and measured')}${
    plans.length > 1 ? figureHtml(scatterFigure(plans, `${id}-scatter`)) : undefined
  }${figureHtml(stepsFigure(run, `${id}-steps`))}${figureHtml(waterfallFigure(run, `${id}-difference`))}${
    ranks === undefined ? undefined : figureHtml(ranks)
  }${
    measuredLanes === undefined
      ? undefined
      : figureHtml(timelineFigure(measuredLanes, `${id}-measured`, 'A measured step beside the simulated one'))
  }`;
}

function linksHtml(subject: Subject, id: string): Html {
  if (nothingSent(subject))
    return html`${heading('Links')}
      <p class="card">Nothing is sent in this step.</p>`;
  return html`${heading('Links')}${figureHtml(linkClassesFigure(subject, `${id}-links`))}${figureHtml(
    machineFigure(subject, `${id}-machine`),
  )}`;
}

function pipelineHtml({ step: { pipeline } }: Subject): Html | undefined {
  if (pipeline === undefined) return undefined;
  const { byStage, slowestStage, largestStage } = pipeline;
  return html`<div class="card">
    <h4>Stage by stage</h4>
    ${tableHtml({
      head: ['stage', 'layers', 'busy', 'bubble', 'waits for transfers', 'memory a chip', ''],
      rows: byStage.map((stage, index) => [
        String(index),
        String(stage.layers),
        time(stage.busySeconds),
        time(stage.bubbleSeconds),
        time(stage.exposedTransferSeconds),
        size(stage.peakMemoryBytesPerChip),
        [
          ...(index === slowestStage ? ['the busiest'] : []),
          ...(index === largestStage ? ['needs most memory'] : []),
        ].join(', '),
      ]),
      right: [0, 1, 2, 3, 4, 5],
    })}
  </div>`;
}

function subjectHtml(subject: Subject, id: string): Html {
  const { lanes, step, search } = subject;
  const roofline = rooflineFigure(subject, `${id}-roofline`);
  return html`${tilesHtml(subject)}${planHtml(subject, id)}${measuredHtml(subject, id)}${heading(
    "The step's time",
  )}${figureHtml(timeFigure(subject, `${id}-time`))}${
    lanes === null
      ? html`<p class="card">
          No timeline: ${count(step.runs)} kernels and collectives a step are too many to look at one by one.
          Microbatches are alike: a report of a job with fewer shows them.
        </p>`
      : figureHtml(timelineFigure(lanes, `${id}-timeline`, 'The simulated step'))
  }${pipelineHtml(subject)}${roofline === undefined ? undefined : figureHtml(roofline)}${heading('Memory')}${figureHtml(
    memoryFigure(subject, `${id}-memory`),
  )}${linksHtml(subject, id)}${
    search === undefined ? undefined : searchHtml(search, `${id}-search`, subject)
  }${originHtml(subject)}`;
}

function searchHtml(search: Search, id: string, subject?: Subject): Html {
  const { words = [], best } = search;
  const own = subject && {
    name: 'this plan',
    plan: subject.step.plan,
    chips: subject.step.chips,
    stepTimeSeconds: subject.step.stepTimeSeconds,
    peakMemoryBytesPerChip: subject.step.peakMemoryBytesPerChip,
    mfu: subject.step.mfu,
  };
  return html`${heading('Other plans')}${figureHtml(paretoFigure(search, `${id}-front`, own))}
  ${
    best[0] === undefined
      ? undefined
      : html`<div class="card">
          <h4>The fastest: <code>${best[0].plan}</code></h4>
          ${wordsHtml(words)}
        </div>`
  }`;
}

/** Where there are several: first what tells them apart. */
function overviewHtml(subjects: readonly Subject[]): Html | undefined {
  if (subjects.length < 2) return undefined;
  const measured = subjects.flatMap(({ run, name }) => (run?.plans ?? []).map((plan) => ({ ...plan, run: name })));
  const runs = subjects.filter(({ run }) => run !== undefined).length;
  return html`<section id="side-by-side">
    ${figureHtml(sideBySideFigure(subjects, 'all'))}
    <div class="card">${tableHtml(sideBySideTable(subjects))}</div>
    ${runs > 1 ? figureHtml(scatterFigure(measured, 'runs')) : undefined}
  </section>`;
}

const titleOf = ({ subjects, searches }: ReportDocument): string => {
  const all = [...subjects.map(({ title }) => title), ...searches.map(({ title }) => title)];
  return all.length === 1 ? all[0]! : `${all.length} jobs side by side`;
};

/** @throws MeshwrightError INTERNAL where the build's script is missing */
export function reportPage(document: ReportDocument): string {
  const { version, subjects, searches } = document;
  const title = titleOf(document);
  const isAlone = subjects.length + searches.length === 1;
  const parts = [
    ...subjects.map((subject, index) => ({
      id: `job-${index + 1}`,
      title: isAlone ? subject.title : `${subject.name}: ${subject.title}`,
      source: subject.source,
      body: (id: string) => subjectHtml(subject, id),
    })),
    ...searches.map((search, index) => ({
      id: `search-${index + 1}`,
      title: search.title,
      source: '',
      body: (id: string) => searchHtml(search, id),
    })),
  ];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
        />
        <title>${title} · Meshwright</title>
        <style>
          ${new Markup(STYLE)}
        </style>
      </head>
      <body>
        <header class="top">
          <h1>${title}</h1>
          ${isAlone ? undefined : html`<nav aria-label="Jobs">${parts.map(({ id, title: of }) => html`<a href="#${id}">${of}</a>`)}</nav>`}
          <noscript><p class="bad">The figures need JavaScript; the numbers behind each are in its table.</p></noscript>
        </header>
        <main>
          ${overviewHtml(subjects)}
          ${parts.map(
            ({ id, title: of, source, body }) =>
              html`<section id="${id}">
                ${
                  isAlone
                    ? undefined
                    : html`<h2>${of}</h2>
                        ${source === '' ? undefined : html`<p class="source">${source}</p>`}`
                }${body(id)}
              </section> `,
          )}
        </main>
        <footer>
          Made by Meshwright ${version}. Times are of one training step; a chip is what has its own memory and links.
        </footer>
        <script>
          ${scriptOf(drawingScript())};
        </script>
      </body>
    </html> `.text;
}
