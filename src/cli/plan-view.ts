/** What `plan` found, as a person reads it. */
import type { FrameworkSettings } from '../planner/index.js';
import { noEquivalentText } from '../planner/index.js';
import { wrapped } from '../text.js';
import { bytes, formatBytes, formatPercent } from '../units.js';
import { costWords } from './plan-cost.js';
import type { PlanReport, WinnerWords } from './plan-report.js';
import type { PlanSearch } from './plan-search.js';

const size = (value: number): string => formatBytes(bytes(value));
const count = (value: number): string => value.toLocaleString('en-US');

/** So many of a list, the first and the last among them, evenly apart. */
export const spread = <T>(list: readonly T[], most: number): readonly T[] =>
  list.length <= most
    ? list
    : Array.from({ length: most }, (_, index) => list[Math.round((index * (list.length - 1)) / (most - 1))]!);

/** `138,224 candidates: 41 simulated, 120,000 excluded by a lower bound, 18,183 do not fit; 42 combinations can't be had` */
export function countsLine({ counts, refused, isComplete }: PlanSearch): string {
  const impossible = [...refused.values()].reduce((sum, one) => sum + one, 0);
  const parts = [
    `${count(counts.simulated)} simulated`,
    ...(counts.boundedOut > 0 ? [`${count(counts.boundedOut)} excluded by a lower bound`] : []),
    `${count(counts.doNotFit)} do not fit`,
  ];
  const besides = impossible === 0 ? '' : `; ${count(impossible)} combinations can't be had`;
  return `${count(counts.candidates)} candidates: ${parts.join(', ')}${besides}${isComplete ? '' : '; interrupted: the best so far'}`;
}

/** The reasons why combinations can't be had, the most frequent first. */
export const refusedLines = ({ refused }: PlanSearch, most = 3): string[] =>
  [...refused]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([reason, times]) => `  ${count(times)} × ${reason}`);

/** Words that go on in further lines, indented. */
const indented = (text: string, width: number, by = 2): string[] =>
  wrapped(text, width - by).map((line) => ' '.repeat(by) + line);

/** The winner for someone who has seen no plan before. */
export function winnerLines(winner: PlanReport, { parts }: WinnerWords, width: number): string[] {
  const { figures, why, bottleneck } = winner;
  const usable = figures.memoryCapacityBytesPerChip - figures.reservedMemoryBytesPerChip;
  const longest = Math.max(...parts.map(({ part }) => part.length));
  const cost = costWords(winner);
  return [
    `1. ${winner.plan}`,
    '',
    'What it does',
    ...parts.flatMap(({ part, text }) =>
      wrapped(text, Math.max(24, width - longest - 4)).map(
        (line, index) => `  ${(index === 0 ? part : '').padEnd(longest)}  ${line}`,
      ),
    ),
    '',
    'What limits it',
    ...indented(bottleneck, width),
    ...indented(
      `room: ${size(figures.peakMemoryBytesPerChip)} of the ${size(usable)} of memory that a chip has for it (${formatPercent(figures.peakMemoryBytesPerChip / usable, 0)})`,
      width,
    ),
    ...(cost === undefined ? [] : indented(`cost: ${cost}, at list prices, chips alone`, width)),
    '',
    'Why it is first',
    ...indented(why, width),
  ];
}

/** Each of the others in a line or two. */
export const reasonLines = (plans: readonly PlanReport[], width: number): string[] =>
  plans.flatMap(({ rank, why, bottleneck }) => [
    ...indented(`${rank}. ${why}`, width, 0),
    ...indented(`bound by ${bottleneck}`, width, 3),
  ]);

export function settingsLines({ framework, form, lines, noEquivalent }: FrameworkSettings, width: number): string[] {
  return [
    `${framework} (${form})`,
    ...lines.map((line) => (line === '' ? '' : `  ${line}`)),
    ...(noEquivalent.length === 0
      ? []
      : ['  without an equivalent:', ...noEquivalent.flatMap((one) => indented(noEquivalentText(one), width, 4))]),
  ];
}
