/** A chip's memory over the step, by role, against what it has. */
import { ROLES } from '../../program/index.js';
import type { Role } from '../../program/index.js';
import { GRID, itemOf, namesAxis, valueAxis } from '../chart.js';
import type { Subject } from '../document.js';
import type { Figure, Json, JsonObject } from '../figure.js';
import { colour } from '../figure.js';
import { listed, size, whole } from '../words.js';

/** Where the peak is a smaller part of the capacity, the capacity is not on the chart. */
const LEAST_OF_CAPACITY = 0.15;

const usableOf = ({ step }: Subject): number => step.memoryCapacityBytesPerChip - step.reservedMemoryBytesPerChip;

/** `28.5 GB of 33.3 GB (85 %)` */
export const memoryWords = (subject: Subject): string => {
  const { peakMemoryBytesPerChip: peak } = subject.step;
  return `${size(peak)} of ${size(usableOf(subject))} (${whole(peak / usableOf(subject))})`;
};

const rolesOf = ({ step }: Subject): readonly (readonly [Role, number])[] =>
  ROLES.map((role) => [role, step.memoryBytesByRole[role] ?? 0] as const)
    .filter(([, bytes]) => bytes > 0)
    .toSorted(([, a], [, b]) => b - a);

function tableOf(subject: Subject): Figure['table'] {
  const { peakMemoryBytesPerChip: peak } = subject.step;
  return {
    head: ['role', 'at the peak', 'of it'],
    rows: [
      ...rolesOf(subject).map(([role, bytes]) => [role, size(bytes), whole(bytes / peak)]),
      ['all', size(peak), ''],
    ],
  };
}

function labelOf(subject: Subject): string {
  const { step } = subject;
  const [first, second] = rolesOf(subject).map(([role, bytes]) => `${role} ${size(bytes)}`);
  const parts = listed([first, second].filter((one) => one !== undefined));
  const verdict = step.fits ? 'It fits' : 'It does not fit';
  const stage = step.pipeline === undefined ? '' : ` of stage ${step.pipeline.largestStage}, which needs most`;
  return `${verdict}: a chip${stage} needs ${memoryWords(subject)} at the peak, most of it ${parts}; the peak is at ${step.peakMemoryOpId}.`;
}

/** A line across the chart with its name. */
const level = (bytes: number, name: string): JsonObject => ({
  yAxis: bytes,
  label: { formatter: name, position: 'insideStartTop', color: 'var(--ink)' },
});

export function memoryFigure(subject: Subject, id: string): Figure {
  const { step } = subject;
  const points = step.details?.memoryTimeline;
  if (points === undefined) return memoryBars(subject, id);
  const usable = usableOf(subject);
  const peak = step.peakMemoryBytesPerChip;
  const isNear = peak / usable >= LEAST_OF_CAPACITY;
  // What lasts is at the bottom, so that what comes and goes is seen.
  const order: readonly Role[] = ['parameter', 'optimizer', 'gradient', 'input', 'activation'];
  const stacked = [...order, ...ROLES.filter((role) => !order.includes(role))].filter((role) =>
    points.some(({ bytesByRole }) => bytesByRole[role] > 0),
  );
  return {
    id,
    title: "A chip's memory over the step",
    label: labelOf(subject),
    kind: 'chart',
    height: 320,
    legend: stacked.map((role) => ({ name: role, colour: `role-${role}` })),
    data: {
      grid: { ...GRID, top: 20 },
      xAxis: valueAxis('time', 'time in the step', 30, { max: step.stepTimeSeconds }),
      yAxis: valueAxis('bytes', '', 0, { max: isNear ? Math.max(usable, peak) * 1.08 : peak * 1.15 }),
      tooltip: { trigger: 'axis' },
      axisTip: ['time', 'bytes'],
      series: stacked.map((role, index): Json => ({
        type: 'line',
        name: role,
        stack: 'memory',
        step: 'end',
        showSymbol: false,
        lineStyle: { width: 0 },
        areaStyle: { color: colour(`role-${role}`), opacity: 1 },
        itemStyle: { color: colour(`role-${role}`) },
        data: [
          ...points.map(({ seconds, bytesByRole }) => [seconds, bytesByRole[role]]),
          [step.stepTimeSeconds, points.at(-1)!.bytesByRole[role]],
        ],
        ...(index > 0
          ? {}
          : {
              markLine: {
                symbol: 'none',
                silent: true,
                lineStyle: { color: 'var(--ink)', type: 'dashed' },
                data: [
                  ...(isNear ? [level(usable, `usable: ${size(usable)}`)] : []),
                  level(peak, `peak: ${size(peak)}`),
                ],
              },
            }),
      })),
    },
    note: [
      isNear
        ? undefined
        : `What a chip has, ${size(usable)}, is ${(usable / peak).toFixed(0)} times the peak and far above the chart. `,
      step.reservedMemoryBytesPerChip > 0
        ? `Usable is what is left of ${size(step.memoryCapacityBytesPerChip)} when the runtime has taken ${size(step.reservedMemoryBytesPerChip)}.`
        : undefined,
    ],
    table: tableOf(subject),
  };
}

/** Where there is too much to follow: what is live at the peak. */
function memoryBars(subject: Subject, id: string): Figure {
  const roles = rolesOf(subject);
  return {
    id,
    title: "A chip's memory at its peak",
    label: labelOf(subject),
    kind: 'chart',
    height: 40 + 26 * roles.length,
    data: {
      grid: { ...GRID, right: 90 },
      xAxis: valueAxis('bytes', '', 0, { max: usableOf(subject) }),
      yAxis: namesAxis(roles.map(([role]) => role)),
      tooltip: { trigger: 'item' },
      series: [
        {
          type: 'bar',
          barWidth: 16,
          label: { show: true, position: 'right', color: 'var(--ink)' },
          data: roles.map(([role, bytes]) =>
            itemOf({ value: bytes, tip: [role, size(bytes)], colour: colour(`role-${role}`), label: size(bytes) }),
          ),
        },
      ],
    },
    note: 'The step has too many kernels and collectives to follow its memory through all of them.',
    table: tableOf(subject),
  };
}
