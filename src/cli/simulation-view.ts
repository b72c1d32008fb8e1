/** A simulation as a person reads it: what bounds it, where the time and the memory go, and what would help. */
import type { Bounds, StepCategory } from '../../sim/index.js';
import { BUBBLE, TIME_CATEGORIES } from '../../sim/index.js';
import { wrapped } from '../text.js';
import { bytes, formatBytes, formatDollars, formatJoules, formatPercent, formatSeconds, seconds } from '../units.js';
import type { Advice } from './advice.js';
import type { JobSimulation } from './assess.js';
import type { SimulationReport } from './simulation-report.js';
import { hardwareText } from './stored-hardware.js';

const CATEGORY_WORDS: Readonly<Record<Exclude<StepCategory, 'exposedCommunication'>, string>> = {
  matmul: 'matmuls',
  memory: 'memory-bound',
  vector: 'vector',
  overhead: 'launches',
  contention: 'contention',
  variation: 'variation',
  optimizer: 'update',
  host: 'host',
  idle: 'idle',
  bubble: 'bubble',
};

const LABEL = 10;
/** Bars longer than this are no easier to compare. */
const WIDEST = 120;
/** Parts of a step with a bar of their own; smaller ones are together. */
const MOST_BARS = 6;

/** A value and its unit stay on one line. */
const unbroken = (text: string): string => text.replaceAll(' ', '\u00a0');
const time = (value: number): string => unbroken(formatSeconds(seconds(value)));
const size = (value: number): string => unbroken(formatBytes(bytes(value)));
const whole = (share: number): string => unbroken(share > 0 && share < 0.005 ? '<1 %' : formatPercent(share, 0));
/** Three digits: `2.97T`, `745K`. */
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** Words that go on in further lines under a label. */
const paragraph = (label: string, text: string, width: number): string[] =>
  wrapped(text, width - LABEL).map((one, index) => (index === 0 ? label : '').padEnd(LABEL) + one);

/** As many as there is room for in a line, at least the first. */
function asManyAsFit(items: readonly string[], width: number): string {
  let line = '';
  for (const item of items) {
    const longer = line === '' ? item : `${line}, ${item}`;
    if (line !== '' && LABEL + longer.length > width) break;
    line = longer;
  }
  return line;
}

/** Eighths of a cell; what isn't nothing shows. */
function bar(share: number, cells: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(Math.min(1, share) * cells * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '');
}

type Part = readonly [name: string, value: number];

/** What a step is made of, or its critical path, longest first. */
const parts = (byCategory: Readonly<Partial<Record<StepCategory, number>>>, byAxis: object, word: string): Part[] =>
  [
    ...([...TIME_CATEGORIES, BUBBLE] as const).flatMap((category): Part[] =>
      category === 'exposedCommunication' ? [] : [[CATEGORY_WORDS[category], byCategory[category] ?? 0]],
    ),
    ...Object.entries(byAxis).map(([axis, value]): Part => [`${axis} ${word}`, value as number]),
  ]
    .filter(([, value]) => value !== 0)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));

/** What a step is made of, in words, longest first. */
export const partsOfStep = ({ timeByCategorySeconds, exposedCommunicationByAxisSeconds }: JobSimulation): Part[] =>
  parts(timeByCategorySeconds, exposedCommunicationByAxisSeconds, 'exposed');

/** What would take as long as the bound says, if it went on at the peak rate. */
export const boundedBy = ({ limit, networkThrough }: Bounds): string =>
  ({
    compute: 'matmuls at peak rate',
    memory: 'memory traffic at peak rate',
    network: `sending at peak rate (${networkThrough ?? 'nothing'})`,
  })[limit];

const boundLine = ({ bounds, boundShare, stepTimeSeconds }: SimulationReport): string =>
  `${time(stepTimeSeconds)}; at least ${time(bounds.seconds)} (${whole(boundShare)} of it) for ${boundedBy(bounds)}`;

/** What measured runs say of the prediction. */
const betweenLine = ({ stepTimeInterval: step, mfuInterval: mfu }: SimulationReport): string =>
  `${time(step.p10)} and ${time(step.p90)}, MFU ${formatPercent(mfu.p10)} to ${formatPercent(mfu.p90)}, in 8 of 10 runs`;

function timeLines(report: SimulationReport, width: number): string[] {
  const { stepTimeSeconds } = report;
  const found = partsOfStep(report);
  const small = (part: Part): boolean =>
    Math.abs(part[1]) / stepTimeSeconds < 0.005 || found.indexOf(part) >= MOST_BARS;
  const rest = found.filter(small);
  const together: Part = [rest.map(([name]) => name).join(', '), rest.reduce((sum, [, value]) => sum + value, 0)];
  const all = [...found.filter((part) => !small(part)), ...(rest.length === 0 ? [] : [together])];
  const longest = Math.max(...found.map(([name]) => name.length));
  const room = width - LABEL - longest - 19;
  return all.map(([name, value], index) => {
    const share = value / stepTimeSeconds;
    const head =
      (index === 0 ? 'Time' : '').padEnd(LABEL) +
      (name === together[0] && rest.length > 1 ? 'the rest' : name).padEnd(longest);
    return `${head}  ${time(value).padStart(7)}  ${whole(share).padStart(5)}  ${bar(share, room)}`;
  });
}

function hiddenLine({ overlapFraction, hiddenCommunicationSeconds, details }: SimulationReport): string {
  if (overlapFraction === null) return 'nothing is sent';
  const byAxis = Object.entries(details?.communicationByAxis ?? {})
    .map(([axis, { hiddenSeconds, busySeconds }]) => `${axis} ${time(hiddenSeconds)} of ${time(busySeconds)}`)
    .join(', ');
  const all = `${whole(overlapFraction)} of communication`;
  return byAxis === '' ? `${all}, ${time(hiddenCommunicationSeconds)}` : `${all}: ${byAxis}`;
}

function pathLine({ details, runs, stepTimeSeconds, unfolded }: SimulationReport, width: number): string {
  if (details === null) return `not followed: ${grouped.format(runs)} kernels and collectives a step are too many`;
  const { byCategorySeconds, collectivesByAxisSeconds } = details.criticalPath;
  const found = parts(byCategorySeconds, collectivesByAxisSeconds, 'collectives')
    .filter(([, value]) => value / stepTimeSeconds >= 0.01)
    .map(([name, value]) => {
      // Which of the two slowed an op down isn't known of each.
      const word = unfolded !== null && name === CATEGORY_WORDS.contention ? 'contention and variation' : name;
      return `${word} ${whole(value / stepTimeSeconds)}`;
    });
  return asManyAsFit([`path: ${found[0] ?? 'nothing'}`, ...found.slice(1)], width);
}

/** As many of those that take longest as there is room for. */
function kernelsLine({ details }: SimulationReport, width: number): string | undefined {
  if (details === null || details.kernels.length === 0) return undefined;
  const found = details.kernels.map(({ id, share, limitedBy, peakFlopsShare }) => {
    const limit = limitedBy === 'matmul' ? `${whole(peakFlopsShare)} of peak` : CATEGORY_WORDS[limitedBy];
    return `${id} ${whole(share)} (${limit})`;
  });
  return asManyAsFit(found, width);
}

function memoryLines(report: SimulationReport, width: number): string[] {
  const { peakMemoryBytesPerChip: peak, memoryCapacityBytesPerChip, reservedMemoryBytesPerChip, fits } = report;
  const usable = memoryCapacityBytesPerChip - reservedMemoryBytesPerChip;
  const head = `${size(peak)} of ${size(usable)}`;
  const cells = Math.min(40, width - LABEL - head.length - 24);
  const used = Math.min(cells, Math.round((peak / usable) * cells));
  const gauge = `${'█'.repeat(used)}${'·'.repeat(cells - used)}`;
  const state = fits || peak <= usable ? '' : ' — DOES NOT FIT';
  const roles = Object.entries(report.memoryBytesByRole)
    .filter(([, value]) => value >= 0.01 * peak)
    .sort(([, a], [, b]) => b - a)
    .map(([role, value]) => `${role} ${size(value)}`)
    .join(', ');
  return [
    `${'Memory'.padEnd(LABEL)}${head} ${gauge} ${whole(peak / usable)}${state}`,
    ...paragraph('', `${roles}; peak at ${report.peakMemoryOpId}`, width),
    ...(report.hostMemory === undefined ? [] : paragraph('', hostMemoryText(report.hostMemory), width)),
  ];
}

function hostMemoryText({ bytesPerChip, capacityBytesPerChip }: NonNullable<SimulationReport['hostMemory']>): string {
  const state = bytesPerChip > capacityBytesPerChip ? ' — DOES NOT FIT' : '';
  const share = whole(bytesPerChip / capacityBytesPerChip);
  return `optimizer in the host's memory: ${size(bytesPerChip)} a chip of ${size(capacityBytesPerChip)}, ${share}${state}`;
}

function linksLine({ links }: SimulationReport): string {
  if (links.busiest === null) return 'nothing is sent';
  const { name, utilization } = links.busiest;
  return `busiest ${name}, ${whole(utilization)} used; mean of ${grouped.format(links.count)} links ${whole(links.meanUtilization)}`;
}

function trainingLine({ training }: SimulationReport): string | undefined {
  if (training === null) return undefined;
  const { steps, tokens, days, chipHours, dollars, energy } = training;
  const [amount, unit] =
    days >= 1 ? [days, 'days'] : days >= 1 / 24 ? [days * 24, 'hours'] : [days * 24 * 60, 'minutes'];
  const length = amount >= 1 ? unbroken(`${grouped.format(amount)} ${unit}`) : time(days * 86400);
  const bill = [
    `${short.format(chipHours)} chip-hours`,
    ...(dollars === null ? [] : [unbroken(formatDollars(dollars))]),
    ...(energy === null ? [] : [unbroken(formatJoules(energy))]),
  ];
  return `${length} for ${grouped.format(steps)} steps, ${short.format(tokens)} tokens; ${bill.join(', ')}`;
}

/** Of a run of every chip: what differs between them; of one chip that doesn't stand for all exactly: that. */
function unfoldedLines({ unfolded, folded, pipeline }: SimulationReport, width: number): string[] {
  if (folded) return [];
  if (unfolded === null)
    return paragraph(
      'Estimate',
      pipeline === undefined
        ? 'chips differ, and one with the slowest links stands for all: --unfold runs each'
        : 'chips of a stage differ, and one with the slowest links stands for all',
      width,
    );
  const { events, jitter, lastChip, chips } = unfolded;
  const { min, mean, max } = chips.endSeconds;
  const varied =
    jitter === null ? '' : `, kernels varied by ${whole(jitter.coefficientOfVariation)} (seed ${jitter.seed})`;
  const ends = `chips end at ${[min, mean, max].map(time).join(' … ')} (least, mean, most)`;
  const what = `every chip and link, ${short.format(events)} events${varied}; ${ends}; below: chip ${lastChip}, the last`;
  return paragraph('Unfolded', what, width);
}

function adviceText({ change, stepTimeSeconds, peakMemoryBytesPerChip, faster, saves }: Advice, width: number): string {
  if (faster === null || saves === null)
    return `${change}: fits in ${size(peakMemoryBytesPerChip)}, ${time(stepTimeSeconds)}`;
  const what = saves.what in CATEGORY_WORDS ? CATEGORY_WORDS[saves.what as keyof typeof CATEGORY_WORDS] : saves.what;
  const text = `${change}: ${time(stepTimeSeconds)}, ${whole(faster)} faster`;
  return asManyAsFit([text, `${what} −${time(saves.seconds)}`], width);
}

function adviceLines({ advice, fits }: SimulationReport, width: number): string[] {
  if (advice.length === 0 && !fits) return paragraph('To try', 'meshwright plan, which searches for what fits', width);
  return advice
    .slice(0, 2)
    .flatMap((one, index) => paragraph(index === 0 ? 'To try' : '', adviceText(one, width), width));
}

/** @param columns of the terminal */
export function simulationLines(report: SimulationReport, columns: number): string[] {
  const width = Math.max(60, Math.min(columns, WIDEST));
  const { slice, mfu, hfu, mfuByFormula, tokensPerSecond, tokensPerSecondPerChip } = report;
  const on = (label: string, text: string | undefined): string[] =>
    text === undefined ? [] : paragraph(label, text, width);
  const lying = slice ? ` (torus ${slice.join(' × ')})` : '';
  const lines = [
    `${report.model} on ${report.chips} × ${hardwareText(report.hardware, report.hardwareVersion)}${lying}, batch ${report.batch}`,
    ...on('Plan', report.plan),
    ...(report.faults.length > 0 ? on('Faults', report.faults.join(' ')) : []),
    ...on('Step', boundLine(report)),
    // A plan that does not fit is never run.
    ...(report.fits ? on('Between', betweenLine(report)) : []),
    ...on(
      'MFU',
      `${formatPercent(mfu)} (${formatPercent(mfuByFormula)} by 6·N + 12·L·H·Q·T), HFU ${formatPercent(hfu)}`,
    ),
    ...on(
      'Tokens',
      `${grouped.format(tokensPerSecondPerChip)} per second and chip, ${short.format(tokensPerSecond)} in all`,
    ),
    ...on('Training', trainingLine(report)),
    ...unfoldedLines(report, width),
    ...timeLines(report, width),
    ...on('Hidden', hiddenLine(report)),
    ...on('Critical', pathLine(report, width)),
    ...on('Kernels', kernelsLine(report, width)),
    ...memoryLines(report, width),
    ...on('Links', linksLine(report)),
    ...adviceLines(report, width),
  ];
  return lines.map((line) => line.replaceAll('\u00a0', ' '));
}
