/** Texts about plans that may be longer than the screen: a plan explained, and two side by side. */
import { MeshwrightError } from '../../errors.js';
import { wrapped } from '../../text.js';
import { bytes, dollars, formatBytes, formatDollars, formatPercent, formatSeconds, seconds } from '../../units.js';
import type { Dimension, PlanLook, PlanRow } from '../services.js';
import { labelParts } from './labels.js';
import type { Size } from './layout.js';
import { bodyRows, readingColumns } from './layout.js';
import type { PlansState } from './plans.js';
import { lookAt, planNamed, selectedPlan } from './plans.js';

const time = (value: number): string => formatSeconds(seconds(value));
const size = (value: number): string => formatBytes(bytes(value));
const money = (value: number): string => formatDollars(dollars(value));
const shareOf = (part: number, whole: number): string => formatPercent(part / whole, 0);

/** Words that go on in further lines under what they are about. */
function about(name: string, text: string, label: number, width: number): string[] {
  return wrapped(text, Math.max(20, width - label - 2)).map(
    (line, index) => `${(index === 0 ? name : '').padEnd(label)}  ${line}`,
  );
}

/** A line of an explanation; a title stands out. */
export interface ExplainLine {
  readonly text: string;
  readonly isTitle?: true;
}

const title = (text: string): ExplainLine => ({ text, isTitle: true });
const plain = (texts: readonly string[]): ExplainLine[] => texts.map((text) => ({ text }));

function limits(plan: PlanRow, { bound }: PlanLook): string {
  const loss = Object.entries(plan.timeByPart)
    .filter(([name]) => name !== 'matmuls')
    .toSorted(([, a], [, b]) => b - a)[0];
  const most = loss === undefined || loss[1] <= 0 ? '' : ` Most beside matmuls is ${loss[0]}, ${time(loss[1])}.`;
  return `No step is shorter than ${time(bound.seconds)} (${shareOf(bound.seconds, plan.stepTimeSeconds)} of this one), for ${bound.by}: an MFU of ${formatPercent(bound.mfu)} at most.${most}`;
}

/** A plan in sentences that need no acquaintance with its options. */
export function explainLines(
  plan: PlanRow,
  look: PlanLook | MeshwrightError | undefined,
  width: number,
): ExplainLine[] {
  const sections = (known: PlanLook): ExplainLine[] => {
    const label = Math.max(...known.parts.map(({ part }) => part.length));
    return [
      title('What it does'),
      ...plain(known.parts.flatMap(({ part, text }) => about(part, text, Math.min(label, 28), width))),
      title('What limits it'),
      ...plain(wrapped(limits(plan, known), width)),
    ];
  };
  const room = plan.peakMemoryBytesPerChip / plan.usableMemoryBytesPerChip;
  return [
    ...plain(wrapped(plan.label, width)),
    ...(look === undefined
      ? plain(['Looking at it …'])
      : look instanceof MeshwrightError
        ? plain(wrapped(look.message, width))
        : sections(look)),
    ...(plan.measuresFirst === true
      ? [
          title('What it is predicted by'),
          ...plain(
            wrapped(
              'The profile of a usual machine: this one has not been measured. Training a plan here measures it first, which takes half a minute, and plans are predicted anew by what was measured.',
              width,
            ),
          ),
        ]
      : []),
    title(plan.rank === 1 ? 'Why it is first' : 'Why it is where it is'),
    ...plain(wrapped(plan.why, width)),
    ...plain(
      wrapped(
        `It needs ${size(plan.peakMemoryBytesPerChip)} (${formatPercent(room, 0)}) of the ${size(plan.usableMemoryBytesPerChip)} that plans may use of a chip's ${size(plan.memoryBytesPerChip)}; the runtime keeps the rest.`,
        width,
      ),
    ),
    ...(plan.cost === undefined
      ? []
      : plain(wrapped(`It costs ${plan.cost.words}, at list prices, chips alone.`, width))),
  ];
}

/** Of two plans: what is compared, both values, and the second less the first. */
export type ComparedLine = readonly [what: string, first: string, second: string, difference: string];

/** What is less of the larger is no difference that anybody looks for. */
const LEAST_DIFFERENCE = 1e-3;

const signed = (format: Format, first: number, second: number): string => {
  const difference = second - first;
  if (Math.abs(difference) < LEAST_DIFFERENCE * Math.max(first, second)) return '';
  return `${difference < 0 ? '−' : '+'}${format(Math.abs(difference))}`;
};

/** Of shares, whose difference in percent would be another figure. */
const points = (difference: number): string => `${(100 * difference).toFixed(1)} points`;

type Format = (value: number) => string;
type Of = (plan: PlanRow) => number;

const figure =
  (what: string, format: Format, of: Of, ofDifference = format) =>
  (first: PlanRow, second: PlanRow) =>
    [what, format(of(first)), format(of(second)), signed(ofDifference, of(first), of(second))] as const;

/** The names of both records, by the larger value of either. */
const namesOf = (first: Readonly<Record<string, number>>, second: Readonly<Record<string, number>>): string[] => {
  const larger = (name: string): number => Math.max(first[name] ?? 0, second[name] ?? 0);
  return [...new Set([...Object.keys(first), ...Object.keys(second)])]
    .filter((name) => larger(name) > 0)
    .toSorted((a, b) => larger(b) - larger(a));
};

/** Options that only one of the two has, or that they have otherwise. */
function optionLines(first: PlanRow, second: PlanRow, dimensions: readonly Dimension[]): ComparedLine[] {
  const [a, b] = [labelParts(first.label), labelParts(second.label)];
  const byName = (options: readonly string[]): Map<string, string> =>
    new Map(options.map((option) => [option.replace(/=.*/, ''), option.replace(/^[^=]*=/, '')]));
  const [of, to] = [byName(a.options), byName(b.options)];
  const unnamed = (name: string): string => dimensions.find((one) => one.name === name)?.unnamed ?? 'as usual';
  const differing = [...new Set([...of.keys(), ...to.keys()])].filter((name) => of.get(name) !== to.get(name));
  return [
    ['mesh', a.mesh, b.mesh, ''],
    ['microbatches', a.microbatches, b.microbatches, ''],
    ...differing.map((name): ComparedLine => [name, of.get(name) ?? unnamed(name), to.get(name) ?? unnamed(name), '']),
  ];
}

export function compareLines(first: PlanRow, second: PlanRow, dimensions: readonly Dimension[]): ComparedLine[] {
  return [
    ...optionLines(first, second, dimensions),
    figure('step time', time, (plan) => plan.stepTimeSeconds)(first, second),
    figure(
      'MFU',
      (share) => formatPercent(share),
      (plan) => plan.mfu,
      points,
    )(first, second),
    ...(first.cost === undefined || second.cost === undefined
      ? []
      : [figure(`cost per ${first.cost.unit}`, money, (plan) => plan.cost!.dollars)(first, second)]),
    ...namesOf(first.timeByPart, second.timeByPart).map((name) =>
      figure(`  ${name}`, time, (plan) => plan.timeByPart[name] ?? 0)(first, second),
    ),
    figure('hidden behind compute', time, (plan) => plan.hiddenCommunicationSeconds)(first, second),
    figure('memory', size, (plan) => plan.peakMemoryBytesPerChip)(first, second),
    ...namesOf(first.memoryBytesByRole, second.memoryBytesByRole).map((name) =>
      figure(`  ${name}`, size, (plan) => plan.memoryBytesByRole[name] ?? 0)(first, second),
    ),
  ];
}

/** Lines around those that scroll: a title, and of two plans the head of the table. */
const AROUND = { explain: 1, compare: 2 } as const;

export const overRows = (view: keyof typeof AROUND, of: Size): number => bodyRows(of) - AROUND[view];

/** How far what is shown over the table can scroll. */
export function overLines(state: PlansState, of: Size): number {
  const plan = selectedPlan(state);
  const marked = planNamed(state, state.marked);
  if (plan === undefined) return 0;
  if (state.view === 'explain')
    return Math.max(
      0,
      explainLines(plan, lookAt(state, plan.label), readingColumns(of)).length - overRows('explain', of),
    );
  if (state.view === 'compare' && marked !== undefined)
    return Math.max(0, compareLines(marked, plan, state.progress.dimensions).length - overRows('compare', of));
  return 0;
}
