/** Kernels between what the matrix units and the memory of a chip can do. */
import { CATEGORIES } from '../categories.js';
import { GRID, itemOf, lineOf, logAxis } from '../chart.js';
import type { Subject } from '../document.js';
import type { Figure } from '../figure.js';
import { colour } from '../figure.js';
import { count, listed, percent, rate, size, whole } from '../words.js';

interface Roofs {
  readonly flops: { readonly peak: number; readonly achievable: number };
  readonly memory: { readonly peak: number; readonly achievable: number };
}

function roofsOf({ machine: { chip, hardware }, step }: Subject): Roofs {
  const flops = (chip.matmul[step.dtype] ?? chip.matmul[hardware.defaultDtype])!;
  return { flops, memory: chip.memoryBandwidth };
}

/** Powers of ten around all values. */
const around = (values: readonly number[]): [number, number] => [
  10 ** Math.floor(Math.log10(Math.min(...values))),
  10 ** Math.ceil(Math.log10(Math.max(...values))),
];

/** Its points `[intensity, rate]`: along the memory's roof to the ridge, then along the matrix units'. */
const roof = (flops: number, memory: number, [least, most]: readonly [number, number]): number[][] => {
  const ridge = flops / memory;
  return ridge >= most || ridge <= least
    ? [
        [least, Math.min(flops, memory * least)],
        [most, Math.min(flops, memory * most)],
      ]
    : [
        [least, memory * least],
        [ridge, flops],
        [most, flops],
      ];
};

const LIMITED_BY = {
  matmul: 'the matrix units',
  memory: "the chip's memory",
  vector: 'arithmetic beside the matrix units',
  overhead: 'its launches',
} as const;

/** Dots with a number, whose kernels are named below. */
const NAMED = 5;

/** Undefined where the step is not looked at kernel by kernel, or none multiplies matrices. */
export function rooflineFigure(subject: Subject, id: string): Figure | undefined {
  const kernels = subject.step.details?.kernels ?? [];
  const placed = kernels.filter((one) => one.matmulFlopsPerSecond > 0 && one.memoryBytesPerSecond > 0);
  if (placed.length === 0) return undefined;
  const { flops, memory } = roofsOf(subject);
  const points = placed.map((one) => ({ ...one, intensity: one.matmulFlopsPerSecond / one.memoryBytesPerSecond }));
  const ridge = flops.peak / memory.peak;
  const x = around([...points.map(({ intensity }) => intensity), ridge]);
  const y = around([...points.map((one) => one.matmulFlopsPerSecond), flops.peak, memory.achievable * x[0]]);
  const share = kernels.reduce((total, one) => total + one.share, 0);
  const left = kernels.filter((one) => !placed.includes(one));
  const leftShare = left.reduce((total, one) => total + one.share, 0);
  const [first] = points;
  const limit = (one: (typeof points)[number]): string => CATEGORIES[one.limitedBy];
  return {
    id,
    title: 'Kernels under the rooflines of a chip',
    label: `The longest kernel with a matmul, ${first!.id}, takes ${whole(first!.share)} of the step at ${rate(first!.matmulFlopsPerSecond)}, ${whole(first!.peakFlopsShare)} of the peak, and is mostly limited by ${LIMITED_BY[first!.limitedBy]}. A kernel left of ${count(Number(ridge.toPrecision(3)))} FLOP/B can't reach the peak.`,
    kind: 'chart',
    height: 420,
    legend: [...new Set(points.map((one) => one.limitedBy))].map((name) => ({ name: CATEGORIES[name], colour: name })),
    data: {
      grid: { ...GRID, top: 20, right: 56 },
      xAxis: logAxis('number', 'matmul FLOPs a byte of memory', 30, {
        min: x[0],
        max: x[1],
      }),
      yAxis: logAxis('flops', '', 0, { min: y[0], max: y[1] }),
      tooltip: { trigger: 'item' },
      series: [
        lineOf(
          roof(flops.peak, memory.peak, x),
          { color: 'var(--ink)' },
          // Above and below their lines, which may be nearer to each other than the words are high.
          { endLabel: { show: true, formatter: 'peak', color: 'var(--ink)', offset: [0, -8] } },
        ),
        lineOf(
          roof(flops.achievable, memory.achievable, x),
          { color: 'var(--ink-2)', type: 'dashed' },
          { endLabel: { show: true, formatter: 'reached', color: 'var(--ink-2)', offset: [0, 9] } },
        ),
        {
          type: 'scatter',
          data: points.map((one, index) =>
            itemOf({
              value: [one.intensity, one.matmulFlopsPerSecond],
              // Areas are as shares of the step.
              size: 10 + 60 * Math.sqrt(one.share),
              colour: colour(one.limitedBy),
              tip: [
                one.id,
                `${percent(one.share)} of the step, ${count(one.runs)} runs`,
                `${rate(one.matmulFlopsPerSecond)} (${whole(one.peakFlopsShare)} of peak), ${size(one.memoryBytesPerSecond)}/s (${whole(one.peakMemoryBandwidthShare)})`,
                `${count(Number(one.intensity.toPrecision(3)))} FLOP/B; most of its time: ${limit(one)}`,
              ],
              ...(index < NAMED ? { label: String(index + 1) } : {}),
            }),
          ),
          itemStyle: { opacity: 0.8 },
          label: { position: 'inside', color: 'var(--on-colour)', fontWeight: 'bold' },
        },
      ],
    },
    note: [
      `The ${count(kernels.length)} kernels that take longest, ${whole(share)} of the step; a dot's area is its share, and its arithmetic intensity how many FLOPs its matmuls have for each byte that it reads or writes. The solid roof is the profile's peak (${rate(flops.peak)} in ${subject.step.dtype}, ${size(memory.peak)}/s), the dashed one what large kernels reach. `,
      left.length > 0
        ? `${count(left.length)} of them, ${whole(leftShare)} of the step, multiply no matrices and are in the table alone. `
        : undefined,
      'Times include what collectives beside a kernel add to it. The longest: ',
      listed(points.slice(0, NAMED).map((one, index) => `${index + 1} ${one.id} (${whole(one.share)})`)),
      '.',
    ],
    table: {
      head: [
        'kernel',
        'runs',
        'of the step',
        'limited by',
        'matmul rate',
        'of peak',
        'memory rate',
        'of peak',
        'FLOP/B',
      ],
      rows: kernels.map((one) => [
        one.id,
        count(one.runs),
        percent(one.share),
        CATEGORIES[one.limitedBy],
        rate(one.matmulFlopsPerSecond),
        whole(one.peakFlopsShare),
        `${size(one.memoryBytesPerSecond)}/s`,
        whole(one.peakMemoryBandwidthShare),
        one.memoryBytesPerSecond === 0
          ? '–'
          : count(Number((one.matmulFlopsPerSecond / one.memoryBytesPerSecond).toPrecision(3))),
      ]),
      right: [1, 2, 4, 5, 6, 7, 8],
    },
  };
}
