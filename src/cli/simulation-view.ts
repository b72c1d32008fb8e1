/** A simulation as a person reads it: what bounds it, where the time and the memory go, and what would help. */
import type { TimeCategory } from '../../sim/index.js';
import { TIME_CATEGORIES } from '../../sim/index.js';
import { bytes, formatBytes, formatPercent, formatSeconds, seconds } from '../units.js';
import type { SimulationReport } from './simulation-report.js';

const CATEGORY_WORDS: Readonly<Record<Exclude<TimeCategory, 'exposedCommunication'>, string>> = {
  matmul: 'matmuls',
  memory: 'memory-bound',
  vector: 'vector',
  overhead: 'launches',
  contention: 'contention',
  optimizer: 'update',
  host: 'host',
  idle: 'idle',
};

const LABEL = 10;
/** Bars longer than this are no easier to compare. */
const WIDEST = 120;

const time = (value: number): string => formatSeconds(seconds(value));
const size = (value: number): string => formatBytes(bytes(value));
const whole = (share: number): string => (share > 0 && share < 0.005 ? '<1 %' : formatPercent(share, 0));
const grouped = (value: number): string =>
  (value < 100 ? value.toPrecision(3) : String(Math.round(value))).replace(/\B(?=(\d{3})+$)/g, ',');

/** Words that go on in further lines under a label. */
function paragraph(label: string, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && LABEL + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line += (line === '' ? '' : ' ') + word;
  }
  lines.push(line);
  return lines.map((one, index) => (index === 0 ? label : '').padEnd(LABEL) + one);
}

/** Eighths of a cell; what isn't nothing shows. */
function bar(share: number, cells: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(Math.min(1, share) * cells * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '');
}

type Part = readonly [name: string, value: number];

/** What a step is made of, or its critical path, longest first. */
const parts = (byCategory: Readonly<Partial<Record<TimeCategory, number>>>, byAxis: object, word: string): Part[] =>
  [
    ...TIME_CATEGORIES.flatMap((category): Part[] =>
      category === 'exposedCommunication' ? [] : [[CATEGORY_WORDS[category], byCategory[category] ?? 0]],
    ),
    ...Object.entries(byAxis).map(([axis, value]): Part => [`${axis} ${word}`, value as number]),
  ]
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a);

function boundLine({ bounds, boundShare, stepTimeSeconds }: SimulationReport): string {
  const by = {
    compute: 'its matmuls at peak rate',
    memory: 'memory traffic at peak bandwidth',
    network: `what has to be sent (${bounds.networkThrough ?? 'nothing'})`,
  }[bounds.limit];
  return `${time(stepTimeSeconds)}; at least ${time(bounds.seconds)} for ${by}: ${whole(boundShare)} of it`;
}

function timeLines(
  { timeByCategorySeconds, exposedCommunicationByAxisSeconds, stepTimeSeconds }: SimulationReport,
  width: number,
): string[] {
  const all = parts(timeByCategorySeconds, exposedCommunicationByAxisSeconds, 'exposed');
  const longest = Math.max(...all.map(([name]) => name.length));
  const room = width - LABEL - longest - 19;
  return all.map(([name, value], index) => {
    const share = value / stepTimeSeconds;
    const head = (index === 0 ? 'Time' : '').padEnd(LABEL) + name.padEnd(longest);
    return `${head}  ${time(value).padStart(7)}  ${whole(share).padStart(5)}  ${bar(share, room)}`;
  });
}

function hiddenLine({ overlapFraction, hiddenCommunicationSeconds, details }: SimulationReport): string {
  if (overlapFraction === null) return 'nothing is sent';
  const byAxis = Object.entries(details?.communicationByAxis ?? {})
    .map(([axis, { hiddenSeconds, busySeconds }]) => `${axis} ${time(hiddenSeconds)} of ${time(busySeconds)}`)
    .join(', ');
  const all = `${time(hiddenCommunicationSeconds)} of communication behind kernels (${whole(overlapFraction)} of it)`;
  return byAxis === '' ? all : `${all}; ${byAxis}`;
}

function pathLine({ details, runs, stepTimeSeconds }: SimulationReport): string {
  if (details === null) return `not followed: ${grouped(runs)} kernels and collectives a step are too many`;
  const { byCategorySeconds, collectivesByAxisSeconds } = details.criticalPath;
  return parts(byCategorySeconds, collectivesByAxisSeconds, 'collectives')
    .filter(([, value]) => value / stepTimeSeconds >= 0.005)
    .map(([name, value]) => `${name} ${whole(value / stepTimeSeconds)}`)
    .join(', ');
}

function kernelsLine({ details }: SimulationReport): string | undefined {
  const texts = (details?.kernels ?? []).slice(0, 3).map(({ id, share, limitedBy, peakFlopsShare }) => {
    const limit = limitedBy === 'matmul' ? `${whole(peakFlopsShare)} of peak` : CATEGORY_WORDS[limitedBy];
    return `${id} ${whole(share)} (${limit})`;
  });
  return texts.length === 0 ? undefined : texts.join(', ');
}

function memoryLines(report: SimulationReport, width: number): string[] {
  const { peakMemoryBytesPerChip: peak, memoryCapacityBytesPerChip, reservedMemoryBytesPerChip, fits } = report;
  const usable = memoryCapacityBytesPerChip - reservedMemoryBytesPerChip;
  const head = `${size(peak)} of ${size(usable)}`;
  const cells = Math.min(40, width - LABEL - head.length - 24);
  const used = Math.min(cells, Math.round((peak / usable) * cells));
  const gauge = `${'█'.repeat(used)}${'·'.repeat(cells - used)}`;
  const state = fits ? '' : ' — DOES NOT FIT';
  const roles = Object.entries(report.memoryBytesByRole)
    .filter(([, value]) => (value ?? 0) > 0)
    .sort(([, a], [, b]) => (b ?? 0) - (a ?? 0))
    .map(([role, value]) => `${role} ${size(value ?? 0)}`)
    .join(', ');
  return [
    `${'Memory'.padEnd(LABEL)}${head} ${gauge} ${whole(peak / usable)}${state}`,
    ...paragraph('', `${roles}; peak at ${report.peakMemoryOpId}`, width),
  ];
}

function linksLine({ links }: SimulationReport): string {
  if (links.busiest === null) return 'nothing is sent';
  const { name, utilization } = links.busiest;
  return `busiest ${name}, ${whole(utilization)} used; all ${grouped(links.count)} ${whole(links.meanUtilization)} on average`;
}

function trainingLine({ training }: SimulationReport): string | undefined {
  if (training === null) return undefined;
  const { steps, tokens, days, chipHours } = training;
  const length = days >= 1 ? `${grouped(days)} days` : time(days * 86400);
  return `${grouped(steps)} steps (${grouped(tokens)} tokens): ${length}, ${grouped(chipHours)} chip-hours`;
}

/** @param columns of the terminal */
export function simulationLines(report: SimulationReport, columns: number): string[] {
  const width = Math.max(60, Math.min(columns, WIDEST));
  const { slice, mfu, hfu, mfuByFormula, tokensPerSecond, tokensPerSecondPerChip } = report;
  const on = (label: string, text: string | undefined): string[] =>
    text === undefined ? [] : paragraph(label, text, width);
  const lying = slice ? ` (torus ${slice.join(' × ')})` : '';
  const advice = report.advice.slice(0, 2);
  return [
    `${report.model} on ${report.chips} × ${report.hardware}${lying}, batch ${report.batch}`,
    ...on('Plan', report.plan),
    '',
    ...on('Step', boundLine(report)),
    ...on(
      'MFU',
      `${formatPercent(mfu)} (${formatPercent(mfuByFormula)} by 6·N + 12·L·H·Q·T), HFU ${formatPercent(hfu)}`,
    ),
    ...on('Tokens', `${grouped(tokensPerSecondPerChip)} per second and chip, ${grouped(tokensPerSecond)} in all`),
    ...on('Training', trainingLine(report)),
    '',
    ...timeLines(report, width),
    ...on('Hidden', hiddenLine(report)),
    ...on('Path', pathLine(report)),
    ...on('Kernels', kernelsLine(report)),
    ...memoryLines(report, width),
    ...on('Links', linksLine(report)),
    ...advice.flatMap(({ what, change }, index) => paragraph(index === 0 ? 'To try' : '', `${what}: ${change}`, width)),
  ];
}
