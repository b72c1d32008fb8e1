import { describe, expect, it } from 'vitest';
import type { RunList } from '../../src/tui/services.js';
import type { CompareState } from '../../src/tui/state/compare.js';
import type { Size } from '../../src/tui/state/layout.js';
import { initialPlans } from '../../src/tui/state/plans.js';
import type { TrainState } from '../../src/tui/state/train.js';
import { initialTrain, onTrainEvent } from '../../src/tui/state/train.js';
import type { AppState } from '../../src/tui/state/types.js';
import { DETAIL, HERE, REPORT, RUNS, stepOf, timelineAt } from './fake-services.js';
import { start } from './pressing.js';
import { describeEveryView, LARGE, textOf } from './shown.js';

const plans = initialPlans({ model: 'vit-tiny', hardware: 'cpu', chips: 2, batch: 64 });

const running = [...Array(40).keys()]
  .map((step) => stepOf(step + 1, 60, HERE[0]!))
  .reduce(onTrainEvent, initialTrain(HERE[0]!));
const busy: TrainState = [
  { kind: 'folder', path: 'runs/vit-tiny' } as const,
  { kind: 'timeline', timeline: timelineAt(40) } as const,
  {
    kind: 'predicted',
    prediction: running.prediction,
    timeline: { ...timelineAt(0), ranks: [timelineAt(0).ranks[0]!] },
    news: 'data',
  } as const,
  { kind: 'checkpoint', step: 40, path: 'runs/vit-tiny/checkpoints/40', bytes: 4e6, seconds: 0.03 } as const,
].reduce(onTrainEvent, running);
const done: TrainState = {
  ...busy,
  status: 'done',
  runFolder: 'runs/vit-tiny',
  evaluated: { kind: 'evaluated', what: 'accuracy', value: '87.2 %', baseline: 'chance 10.0 %' },
};
const unmeasured: TrainState = initialTrain({ ...HERE[0]!, measuresFirst: true });
const measured: TrainState = onTrainEvent(
  { ...busy, prediction: unmeasured.prediction },
  {
    kind: 'predicted',
    prediction: { ...running.prediction, stepTimeSeconds: 0.612, mfu: 0.35 },
    timeline: timelineAt(0),
    news: 'this-machine',
  },
);
const longLabel = `${HERE[0]!.label} ${'rematerialize-layers=0-11,40-47 '.repeat(8)}`;
const many: RunList = { rows: Array.from({ length: 90 }, () => ({ ...RUNS.rows[1]!, plan: longLabel })), damaged: [] };
const opened = { runFolder: RUNS.rows[0]!.runFolder, detail: DETAIL, view: 'work', row: 0 } as const;
const wordy = { ...DETAIL, row: { ...DETAIL.row, plan: longLabel, runFolder: `/home/${'runs/'.repeat(60)}` } };

const training = (train: TrainState): AppState => ({ ...start(), screen: { at: 'train', plans, train } });
const comparing = (compare: CompareState): AppState => ({
  ...start(),
  screen: { at: 'compare', compare, back: { at: 'pick' } },
});

const STATES: Record<string, AppState> = {
  'train, no step yet': training(initialTrain(HERE[0]!)),
  train: training(running),
  'train, busy': training(busy),
  'train, not measured': training(unmeasured),
  'train, measured': training(measured),
  'train, paused': training({ ...busy, isPaused: true, asked: ['pause'], owesCheckpoint: true }),
  'train, 64 ranks': training({
    ...busy,
    timeline: { ...timelineAt(9), ranks: Array(64).fill(timelineAt(9).ranks[0]!) },
  }),
  'train, done': training(done),
  'train, failed': training({ ...busy, status: 'failed', phase: 'a phase '.repeat(30) }),
  'train, long words': training(initialTrain({ ...HERE[0]!, label: longLabel })),
  'runs, being read': comparing({}),
  'runs, none': comparing({ list: { rows: [], damaged: [{ runFolder: 'runs/x', why: 'no JSON '.repeat(30) }] } }),
  runs: comparing({ list: RUNS }),
  'runs, many': comparing({ list: many, chosen: 'runs/vit-tiny-1', isCalibrating: true }),
  'runs, calibrated': comparing({
    list: { ...RUNS, damaged: [{ runFolder: 'runs/x', why: 'no JSON' }] },
    calibration: REPORT,
    accepted: REPORT,
  }),
  'a run, being read': comparing({ list: RUNS, opened: { runFolder: 'runs/a', view: 'work', row: 0 } }),
  'a run, by work': comparing({ list: RUNS, opened }),
  'a run, by phase': comparing({ list: RUNS, opened: { ...opened, view: 'phase' } }),
  'a run, by collective': comparing({ list: RUNS, opened: { ...opened, view: 'collectives' } }),
  'a run, by rank': comparing({ list: RUNS, opened: { ...opened, view: 'ranks', row: 1 } }),
  'a run, nothing': comparing({
    opened: { ...opened, detail: { ...DETAIL, byWork: [], byPhase: [], byCollective: [], ranks: [] } },
  }),
  'a run, long words': comparing({ opened: { ...opened, detail: { ...wordy, notes: ['a note '.repeat(40)] } } }),
  kernels: comparing({ list: RUNS, opened: { ...opened, kernel: 1 } }),
  calibration: comparing({ list: RUNS, calibration: REPORT, reportLine: 0 }),
  'calibration, long': comparing({
    calibration: { ...REPORT, outcomes: Array.from({ length: 90 }, () => REPORT.outcomes[0]!) },
    reportLine: 1000,
  }),
  'calibration, refused': comparing({
    calibration: { ...REPORT, isAccepted: false, version: null, reason: 'no better on 1 run that was not fitted: …' },
    reportLine: 0,
  }),
};

const text = (name: string, size?: Size): string => textOf(STATES[name]!, size);

describeEveryView('every view of runs', STATES);

describe('what a person reads of a run under way', () => {
  it('where it is, and the figures beside what was predicted', () => {
    const shown = text('train');
    expect(shown).toMatch(/step 40 of 60 ━{20}─{10} 67 % about 9 s left/);
    expect(shown).toMatch(/step time {6}\d+ ms \(predicted 390 ms\)/);
    expect(shown).toMatch(/8 of 10 runs {3}351 ms – 468 ms/);
    expect(shown).toMatch(/MFU {12}\d\d\.\d % \(predicted 54.9 %\)/);
    expect(shown).toMatch(/gradient norm {2}\d\.\d+ \(step 31\)/);
    expect(shown).toMatch(/exposed comm\. {2}[\d.]+ ms \(\d+ % of the step\)/);
    expect(shown).toMatch(/input stall {4}[\d.]+ ms \(<?1 % of the run\)/);
  });

  it('curves of the loss and of MFU, behind which the predicted one is a line in a band', () => {
    const shown = text('train');
    expect(shown).toMatch(/Loss over 40 steps +MFU; ─ predicted, · 8 of 10 runs/);
    expect(shown).toMatch(/─{5,}\n/);
    expect(shown).toMatch(/·{5,}\n/);
    expect(text('train', LARGE)).toMatch(/Tokens\/s/);
    expect(text('train', LARGE)).toMatch(/Gradient norm +Largest attention logit +Input stalls, <1 % of the run/);
  });

  it('the last step of each rank over time, below the predicted one, to one scale', () => {
    const shown = text('train, busy').split('\n');
    const lane = (label: string): string => shown.find((line) => line.trim().startsWith(label))!;
    expect(lane('predicted')).toMatch(/ predicted █+▒+ *$/);
    expect(lane('rank 0')).toMatch(/ rank 0 {4}█+▒+ *$/);
    expect(lane('rank 1')).toMatch(/ rank 1 {4}█+·+▒+ *$/);
    expect(shown.join('\n')).toContain('█ compute  ▒ data  · wait');
    expect(shown.join('\n')).toMatch(/── Step 40 over time, 420 ms ─+ predicted 390 ms/);
    expect(text('train, 64 ranks')).toContain('62 more ranks');
    expect(text('train, 64 ranks', LARGE)).toMatch(/rank 11/);
  });

  it('the log, the newest below', () => {
    expect(text('train, busy')).toMatch(/step 40 +checkpoint runs\/vit-tiny\/checkpoints\/40, 4 MB in 30 ms/);
  });

  it('that predictions become others when this machine is measured, before and after', () => {
    expect(text('train, not measured')).toContain(
      'Predicted for a usual machine: 390 ms, MFU 54.9 %; this one is measured first',
    );
    expect(text('train, measured')).toContain(
      'Predicted 612 ms, MFU 35.0 %; until this machine was measured 390 ms, 54.9 %',
    );
    expect(text('train')).not.toContain('usual machine');
  });

  it('that it has paused, and how it goes on', () => {
    expect(text('train, paused')).toContain('‖ Paused after step 40; p goes on');
    expect(text('train, paused')).toMatch(/p go on {3}k checkpoint now {3}s stop/);
  });

  it('how it ended', () => {
    const shown = text('train, done');
    expect(shown).toContain('Finished. Enter compares it with the prediction.');
    expect(shown).toContain('held-out accuracy 87.2 % (chance 10.0 %)');
  });
});

describe('what a person reads of runs that are over', () => {
  it('each with its error, and the mean of all', () => {
    const shown = text('runs');
    expect(shown).toContain('Predictions were off by 9.9 % on average.');
    expect(shown).toMatch(/❯ vit-tiny data=2,model=1 microbatches=1 +425 ms +390 ms +−8.3 %/);
    expect(shown).toContain('Run folder /home/ada/work/meshwright/runs/2025-06-01T10-22-31-vit-tiny');
    expect(text('runs', LARGE)).toMatch(/2025-06-03 10:31 +vit-tiny .* 60 +50.4 % +425 ms/);
  });

  it('after a calibration, also the error by the profile as it is now', () => {
    const shown = text('runs, calibrated');
    expect(shown).toContain("; by today's profile 1.0 % (3 of 3).");
    expect(shown).toMatch(/425 ms +390 ms +−8.3 % +416 ms +−2.0 %/);
    expect(shown).toContain('! not listed: runs/x (no JSON)');
  });

  it('of one, where it is between what was predicted and measured, as a waterfall', () => {
    const shown = text('a run, by work');
    expect(shown).toContain('Step 390 ms predicted (370 ms – 409 ms), 425 ms measured: −8.3 %, outside.');
    expect(shown).toContain('MFU 54.9 % was predicted, 50.4 % measured; 60 steps timed.');
    expect(shown).toMatch(/predicted step +390 ms +─+\n/);
    expect(shown).toMatch(/❯ matmuls +231 ms +254 ms +\+23 ms +█+\n/);
    expect(shown).toMatch(/softmax +41 ms +39.5 ms +−1.5 ms +░\n/);
    expect(shown).toMatch(/measured step +425 ms +\+35.1 ms +─+\n/);
  });

  it('each bar of the waterfall begins where the last one ended', () => {
    const shown = text('a run, by work', LARGE).split('\n');
    const bar = (name: string): [number, number] => {
      const line = shown.find((one) => one.includes(name))!;
      const found = /[█░─]+$/.exec(line.trimEnd())!;
      return [found.index, found.index + found[0].length];
    };
    const [first, matmuls, collectives, softmax] = ['predicted step', 'matmuls', 'collectives', 'softmax'].map(bar);
    expect(matmuls![0]).toBe(first![1]);
    expect(collectives![0]).toBe(matmuls![1]);
    // Faster than predicted: it goes back.
    expect(softmax![1]).toBe(collectives![1]);
    expect(bar('measured step')[1]).toBe(bar('between spans')[1]);
  });

  it('by rank, and down to kernels', () => {
    expect(text('a run, by rank')).toMatch(/❯ rank 1 +350 ms→372 ms +22 ms→34 ms +4 ms→6 ms +14 ms→20 ms/);
    expect(text('kernels')).toMatch(/matmuls: 231 ms predicted, 254 ms measured ─+ 2 of 2/);
    expect(text('kernels')).toMatch(/❯ encoder\/out\/matmul +8 +100 ms +104 ms +\+4 ms/);
  });

  it('each view has help of its own', () => {
    const helpOf = (name: string): string => textOf({ ...STATES[name]!, help: true });
    expect(helpOf('runs')).toContain('correct this machine');
    expect(helpOf('a run, by work')).toContain('bars begin where the last ended');
    expect(helpOf('kernels')).toContain('how often a step has it');
    expect(helpOf('calibration')).toContain('predicted by a fit to the others');
    expect(textOf({ ...start(), help: true })).toMatch(/Ctrl-C +quit; so does q where it begins no name/);
  });

  it('what a calibration moved and what of it was checked, or that it was refused', () => {
    const shown = text('calibration');
    expect(shown).toContain('Accepted: local is its version 3 from now on; checked on 1 run that was not');
    expect(shown).toContain('Made of 3 runs that this machine has kept, all in this list.');
    expect(shown).toContain('Before is by local, version 2 (measured 2025-06-01)');
    expect(shown).toMatch(/vit-tiny-2 +vit-tiny.* checked +440 ms +−10.0 % +\+0.0 %/);
    expect(shown).toMatch(/matmul +193 GFLOP\/s +1.08 +1.05 – 1.11/);
    expect(text('calibration', LARGE)).toMatch(/meshwright\/runs\/vit-tiny-2 +vit-tiny data=1,model=1 microbatches=4 /);
    expect(text('calibration, refused')).toContain('Refused, and nothing was written: no better on');
  });

  it('that there are none, and how to get one', () => {
    expect(text('runs, none')).toContain('No run has ended here yet.');
  });
});
