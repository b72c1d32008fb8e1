import { describe, expect, it } from 'vitest';
import type { PlanRow } from '../../src/tui/services.js';
import { initialApp } from '../../src/tui/state/app.js';
import type { PlansState } from '../../src/tui/state/plans.js';
import { initialPlans, lookKey, WHOLE_STEP } from '../../src/tui/state/plans.js';
import type { AppState, Screen } from '../../src/tui/state/types.js';
import { fakeServices, found, LOOK, PODS, UNFIT } from './fake-services.js';
import { describeEveryView, LARGE, linesOf, textOf } from './shown.js';

const services = fakeServices({ tick: () => Promise.resolve(), steps: 3 });
const POD = { model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65_536 };
const base = initialApp(services, POD);

const plans = (rows: readonly PlanRow[], done = true): PlansState => ({
  ...initialPlans(POD),
  progress: found(rows, done),
  looks: new Map(rows.slice(0, 2).map(({ label }) => [lookKey(label, WHOLE_STEP), LOOK])),
});
const long: PlanRow = {
  ...PODS[0]!,
  label:
    'data=1024,model=128 microbatches=1024 slice=16x64x128 rematerialize=full rematerialize-layers=0-11,40-47 ' +
    'activations=sequence linears=bidirectional shard=parameters shard-axes=data,model shard-tensors=encoder/*/kernel ' +
    'shard-minimum=1000000 prefetch=2 bucket=25MB overlap-gradients=false compute=bf16 optimizer-state=bf16',
  why: 'It spends most of its time computing, and little of it waiting for others. '.repeat(8),
  memoryBytesByRole: Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`role ${index}`, 1e9 * (index + 1)])),
};

const screen = (shown: Screen): AppState => ({ ...base, screen: shown });

const STATES: Record<string, AppState> = {
  pick: base,
  'pick, wrong': { ...base, pick: { ...base.pick, focus: 'chips', chips: { text: '12 thousand', fresh: false } } },
  'plans, none yet': screen({ at: 'plans', plans: plans([], false) }),
  'plans, searching': screen({ at: 'plans', plans: plans(PODS.slice(0, 4), false) }),
  plans: { ...screen({ at: 'plans', plans: plans(PODS) }), notice: 'a notice '.repeat(20) },
  'plans, long words': screen({ at: 'plans', plans: plans([long, ...PODS]) }),
  help: { ...base, help: true },
  error: { ...base, failure: UNFIT },
};

describeEveryView('every view of plans to be, and of errors', STATES);

describe('a small terminal', () => {
  it('says so in a terminal that is too small', () => {
    const shown = linesOf(base, { columns: 60, rows: 10 });
    expect(shown.join(' ')).toContain('needs a terminal of 80×24; this one is 60×10');
    expect(shown.length).toBeLessThanOrEqual(10);
  });
});

describe('what a person reads', () => {
  it('pick: the fields, the list of the one in focus and its keys', () => {
    const shown = textOf(base);
    expect(shown).toMatch(/❯ Model {5}vit-22b +ViT-22B \(Dehghani et al. 2023\)/);
    expect(shown).toMatch(/Chips {5}1024\n +Batch {5}65536/);
    expect(shown).toContain('Enter search');
  });

  it('pick: one line says what is wrong', () => {
    expect(textOf(STATES['pick, wrong']!)).toContain(
      '! chips: expected a whole number from 1 to 131,072, got "12 thousand"',
    );
  });

  it('plans: beside the table where there is room for both', () => {
    const [row] = linesOf(STATES['plans']!, LARGE).filter((line) => line.includes('#  mesh'));
    expect(row).toContain('── data=128,model=8 microbatches=2');
  });

  it('plans: roles beyond the glyphs are one', () => {
    const shown = textOf(STATES['plans, long words']!, LARGE);
    expect(shown).toMatch(/role 8 9 GB.*role 5 6 GB/s);
    expect(shown).toContain('other 15 GB');
  });

  it('error: code, place, expected, got and what to do', () => {
    const shown = textOf(STATES['error']!);
    expect(shown).toContain('Error: PLAN_DOES_NOT_FIT');
    expect(shown).toMatch(/at +plan of vit-22b on 2 × tpu-v4/);
    expect(shown).toMatch(/expected +at most 34.4 GB on each chip/);
    expect(shown).toMatch(/got +178 GB for the closest/);
    expect(shown).toMatch(/try +use more chips/);
  });
});
