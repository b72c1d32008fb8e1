/** Services with made-up but plausible figures: ViT-22B on a TPU v4 pod slice, and a small model on this machine. */
import { MeshwrightError } from '../../src/errors.js';
import { omit } from '../../src/omit.js';
import type { StepTimeline } from '../../src/trace/index.js';
import type {
  CalibrationReport,
  Dimension,
  PlanLook,
  PlanRow,
  RunControl,
  RunDetail,
  RunList,
  SearchProgress,
  Services,
  TaskChoice,
  TimeWindow,
  TrainEvent,
} from '../../src/tui/services.js';
import { seconds } from '../../src/units.js';

const GB = 1e9;

/** A plan of a step of `ideal` seconds at peak. */
function plan(
  data: number,
  model: number,
  microbatches: number,
  ideal: number,
  exposedShare: number,
): Omit<PlanRow, 'rank'> {
  const compute = ideal * 1.62;
  const exposed = compute * exposedShare;
  const overhead = compute * 0.024;
  const step = compute + exposed + overhead;
  const state = (22.2 * GB * 16) / 1024;
  const activations = (48 * GB) / microbatches / Math.sqrt(model);
  const roles = {
    parameter: state / 4 + (1.8 * GB) / model,
    gradient: state / 4,
    optimizer: state / 2,
    activation: activations,
    input: 0.02 * GB,
  };
  const share = (part: number) => `${Math.round((part / step) * 100)} %`;
  return {
    label: `data=${data},model=${model} microbatches=${microbatches}`,
    stepTimeSeconds: step,
    stepTimeInterval: { p10: 0.9 * step, p90: 1.2 * step },
    mfu: ideal / step,
    mfuInterval: { p10: ideal / step / 1.2, p90: ideal / step / 0.9 },
    hfu: (ideal / step) * 1.05,
    peakMemoryBytesPerChip: Object.values(roles).reduce((sum, value) => sum + value, 0),
    memoryBytesPerChip: 36.5 * GB,
    usableMemoryBytesPerChip: 34.4 * GB,
    memoryBytesByRole: roles,
    timeByPart: {
      matmuls: compute * 0.8,
      'memory-bound': compute * 0.15,
      update: compute * 0.05,
      'model exposed': exposed * 0.7,
      'data exposed': exposed * 0.3,
      launches: overhead,
    },
    exposedCommunicationSeconds: exposed,
    hiddenCommunicationSeconds: compute * 0.21,
    cost: { dollars: 12 * step, unit: 'M images', words: `${step.toFixed(1)} USD a step, 170 USD a million images` },
    why:
      `${share(compute)} compute, ${share(exposed)} exposed communication (mostly model), ${share(overhead)} overhead. ` +
      `2.4 % faster than data=128,model=8 microbatches=4: 312 ms less exposed communication.`,
    runsHere: false,
  };
}

export const PODS: readonly PlanRow[] = [1, 2, 4, 8, 16]
  .flatMap((model) =>
    [2, 4, 8].map((count) =>
      plan(1024 / model, model, count, 7.83, 0.07 + Math.abs(Math.log2(model) - 3) * 0.06 + count * 0.012),
    ),
  )
  .toSorted((a, b) => a.stepTimeSeconds - b.stepTimeSeconds)
  .map((row, index) => ({ ...row, rank: index + 1 }));

export const HERE: readonly PlanRow[] = [
  [2, 1, 1],
  [1, 2, 1],
  [1, 1, 4],
].map(([data, model, count], index) => ({
  rank: index + 1,
  ...omit(plan(data!, model!, count!, 0.214, 0.1 * model!), 'cost'),
  memoryBytesByRole: { parameter: 0.043 * GB, gradient: 0.043 * GB, optimizer: 0.086 * GB, activation: 0.61 * GB },
  peakMemoryBytesPerChip: 0.782 * GB,
  memoryBytesPerChip: 8.6 * GB,
  usableMemoryBytesPerChip: 8.2 * GB,
  runsHere: true,
}));

export const DIMENSIONS: readonly Dimension[] = [
  { name: 'pipe', values: ['1', '2', '4'], unnamed: '1', searched: '1 alone' },
  { name: 'data', values: ['1', '2', '4'], unnamed: '1', searched: 'all that divide' },
  { name: 'model', values: ['1', '2', '4'], unnamed: '1', searched: 'all that divide' },
  { name: 'microbatches', values: ['1', '2', '4', '8'], unnamed: '1', searched: 'all that divide' },
  {
    name: 'rematerialize',
    values: ['none', 'selective', 'full'],
    unnamed: 'none',
    searched: 'none, selective, full',
  },
];

export const found = (plans: readonly PlanRow[], done = true): SearchProgress => ({
  plans,
  counts: { candidates: 2048, simulated: 31, doNotFit: 47, boundedOut: 1970 },
  dimensions: DIMENSIONS,
  done,
});

/** A step that computes for most of its time, and waits for `model` in the second half. */
export const LOOK: PlanLook = {
  timeline: {
    fromSeconds: 0,
    toSeconds: 14.2,
    lanes: [
      { name: 'compute', kind: 'compute', shares: { forward: [1, 0.5, 0, 0], backward: [0, 0.5, 1, 0.5] } },
      { name: 'model', kind: 'communication', shares: { hidden: [1, 1, 0, 0], waited: [0, 0, 0, 0.5] } },
    ],
  },
  bound: { seconds: 9.1, mfu: 0.86, by: 'memory traffic at peak rate' },
  parts: [
    { part: 'data=128', text: '128 groups of chips take 512 images of the batch each' },
    { part: 'model=8', text: 'every layer is split over 8 neighbouring chips' },
  ],
};

const lookThrough = ({ from, to }: TimeWindow): PlanLook => ({
  ...LOOK,
  timeline: { ...LOOK.timeline!, fromSeconds: 14.2 * from, toSeconds: 14.2 * to },
});

const FOLDER = '/home/ada/work/meshwright/runs/2025-06-01T10-22-31-vit-tiny';

export const RUNS: RunList = {
  rows: HERE.map(({ label, stepTimeSeconds, mfu }, index) => ({
    runFolder: index === 0 ? FOLDER : `runs/vit-tiny-${index}`,
    title: 'vit-tiny on 2 × local, batch 64',
    model: 'vit-tiny',
    plan: label,
    group: `vit-tiny ${label} batch 64 onnx`,
    made: `2025-06-0${3 - index}T10:31:00.000Z`,
    steps: 60,
    predictedStepTimeSeconds: stepTimeSeconds,
    stepTimeInterval: { p10: 0.95 * stepTimeSeconds, p90: 1.05 * stepTimeSeconds },
    measuredStepTimeSeconds: stepTimeSeconds * (1.09 + index * 0.02),
    predictedMfu: mfu,
    measuredMfu: mfu / (1.09 + index * 0.02),
  })),
  damaged: [],
};

/** Of the first of them: its rows add up to its steps, 390 ms predicted and 425 ms measured. */
export const DETAIL: RunDetail = {
  row: RUNS.rows[0]!,
  byWork: [
    {
      name: 'matmuls',
      predictedSeconds: 0.231,
      measuredSeconds: 0.254,
      kernels: [
        { name: 'encoder/in/matmul', predictedSeconds: 0.131, measuredSeconds: 0.15, runs: 8 },
        { name: 'encoder/out/matmul', predictedSeconds: 0.1, measuredSeconds: 0.104, runs: 8 },
      ],
    },
    {
      name: 'collectives',
      predictedSeconds: 0.022,
      measuredSeconds: 0.034,
      kernels: [{ name: 'reduce', predictedSeconds: 0.022, measuredSeconds: 0.034, runs: 1 }],
    },
    { name: 'softmax', predictedSeconds: 0.041, measuredSeconds: 0.0395, kernels: [] },
    {
      name: 'between spans',
      predictedSeconds: HERE[0]!.stepTimeSeconds - 0.294,
      measuredSeconds: HERE[0]!.stepTimeSeconds * 1.09 - 0.3275,
      kernels: [],
    },
  ],
  byPhase: [
    { name: 'backward', predictedSeconds: 0.25, measuredSeconds: 0.272 },
    { name: 'forward', predictedSeconds: 0.12, measuredSeconds: 0.131 },
  ],
  byCollective: [{ name: 'all_reduce over data', predictedSeconds: 0.022, measuredSeconds: 0.034 }],
  ranks: [0, 1].map((rank) => ({
    name: `rank ${rank}`,
    place: `data=${rank}`,
    predicted: { kernels: 0.35, collectives: 0.022, host: 0.004, waits: 0.014 },
    measured: { kernels: 0.362 + 0.01 * rank, collectives: 0.034, host: 0.006, waits: 0.02 },
  })),
  notes: [],
};

export const REPORT: CalibrationReport = {
  isAccepted: true,
  reason: 'checked on 1 run that was not fitted: off by 11.1 % before, 0.0 % after',
  profile: 'local',
  version: 3,
  before: 'local, version 2 (measured 2025-06-01)',
  about: ['Made of 3 runs that this machine has kept, all in this list.'],
  corrections: [
    { term: 'matmul', before: '193 GFLOP/s', factor: 1.08, interval: [1.05, 1.11] },
    { term: 'latency', before: '21 µs', factor: 1.31, interval: [1.1, 1.52] },
  ],
  outcomes: RUNS.rows.map(({ model, plan, group, runFolder, measuredStepTimeSeconds: measured }, index) => ({
    title: `${model} ${plan}`,
    runFolder: index === 0 ? runFolder : `/home/ada/work/meshwright/${runFolder}`,
    group,
    measuredSeconds: measured,
    beforeSeconds: measured * 0.9,
    afterSeconds: measured * (0.98 + index * 0.01),
    side: index === 2 ? 'checked' : 'fitted',
  })),
};

/** A step of two ranks that compute, then reduce; the second waits a little. */
export const timelineAt = (step: number): StepTimeline => ({
  step,
  seconds: seconds(0.42),
  activities: ['compute', 'data', 'wait'],
  ranks: [
    [...Array<number>(200).fill(0), ...Array<number>(40).fill(1)],
    [...Array<number>(180).fill(0), ...Array<number>(20).fill(2), ...Array<number>(40).fill(1)],
  ],
});

export const UNFIT = new MeshwrightError('PLAN_DOES_NOT_FIT', {
  place: 'plan of vit-22b on 2 × tpu-v4',
  expected: 'at most 34.4 GB on each chip',
  got: '178 GB for the closest, data=1,model=2 microbatches=256',
  hint: 'use more chips, a smaller batch or chips with more memory',
});

export interface Pace {
  /** Settles when the next piece of news is due. */
  readonly tick: () => Promise<unknown>;
  readonly steps: number;
}

/** `chips: 2` fits nothing, `chips: 3` breaks with an error that is not ours; `cpu` runs here. */
export function fakeServices({ tick, steps }: Pace): Services {
  return {
    models: [
      { name: 'vit-22b', about: 'ViT-22B (Dehghani et al. 2023)' },
      { name: 'vit-e', about: 'ViT-e (Chen et al. 2022)' },
      { name: 'vit-g', about: 'ViT-G (Zhai et al. 2022)' },
      { name: 'vit-bench', about: 'trains on a CPU; the benchmark model' },
      { name: 'vit-tiny', about: 'trains on a CPU in seconds' },
    ],
    hardware: [
      { name: 'tpu-v4', about: '275 TFLOP/s bf16, 34.4 GB, 3-D torus' },
      { name: 'h100-sxm', about: '989 TFLOP/s bf16, 85.9 GB, NVLink' },
      { name: 'cpu', about: 'the cores of this machine' },
    ],
    files: () => Promise.resolve({ models: [], hardware: [] }),
    look: (_task, _label, window) => Promise.resolve(lookThrough(window)),
    writeJob: () => Promise.resolve(),
    async search(task: TaskChoice, _wish, onProgress, signal) {
      const plans = task.hardware === 'cpu' ? HERE : PODS;
      if (task.chips === 3) throw new TypeError("cannot read 'mesh' of undefined");
      for (let count = 1; count <= plans.length; count++) {
        await tick();
        signal.throwIfAborted();
        if (task.chips === 2 && task.hardware !== 'cpu') throw UNFIT;
        onProgress(found(plans.slice(0, count), false));
      }
      return found(plans);
    },
    async train(_task, label, onEvent, signal, asked) {
      const row = HERE.find((candidate) => candidate.label === label)!;
      const waiting: RunControl[] = [];
      asked.listen((control) => waiting.push(control));
      onEvent({ kind: 'folder', path: FOLDER });
      onEvent({ kind: 'phase', text: 'compiling kernels' });
      await tick();
      onEvent({ kind: 'phase', text: 'training on 2 devices' });
      let isPaused = false;
      for (let step = 1; step <= steps;) {
        await tick();
        if (signal.aborted) return FOLDER;
        for (const control of waiting.splice(0)) {
          if (control === 'checkpoint')
            onEvent({ kind: 'checkpoint', step: step - 1, path: `checkpoints/${step - 1}`, bytes: 4e6, seconds: 0.03 });
          else onEvent({ kind: 'paused', isPaused: (isPaused = control === 'pause'), step: step - 1 });
        }
        if (isPaused) continue;
        onEvent(stepOf(step, steps, row));
        if (step % 5 === 1) onEvent({ kind: 'timeline', timeline: timelineAt(step) });
        step++;
      }
      onEvent({ kind: 'phase', text: 'evaluating' });
      await tick();
      onEvent({ kind: 'evaluated', what: 'accuracy', value: '87.2 %', baseline: 'chance 10.0 %' });
      return FOLDER;
    },
    async runs() {
      await tick();
      return RUNS;
    },
    async readRun(runFolder) {
      await tick();
      return { ...DETAIL, row: RUNS.rows.find((row) => row.runFolder === runFolder)! };
    },
    async calibrate(signal) {
      await tick();
      signal.throwIfAborted();
      return REPORT;
    },
  };
}

export function stepOf(step: number, steps: number, row: PlanRow): Extract<TrainEvent, { kind: 'step' }> {
  const wobble = Math.sin(step * 12.9898) * 0.5;
  const stepTimeSeconds = row.stepTimeSeconds * (1.09 + wobble * 0.05);
  return {
    kind: 'step',
    step,
    steps,
    loss: 0.31 + 2 * Math.exp((-4 * step) / steps) + wobble * 0.12,
    learningRate: 1e-3 * Math.min(1, step / (steps / 10)),
    stepTimeSeconds,
    tokensPerSecond: 8192 / stepTimeSeconds,
    mfu: (row.mfu * row.stepTimeSeconds) / stepTimeSeconds,
    inputStallSeconds: 0.0021 + wobble * 0.001,
    worstExposedCommunicationSeconds: 0.031 + wobble * 0.01,
    ...((step - 1) % 10 === 0 || step === steps
      ? { gradientNorm: 1.9 - step / steps + wobble * 0.2, largestAttentionLogit: 2.5 + (4 * step) / steps }
      : {}),
  };
}
