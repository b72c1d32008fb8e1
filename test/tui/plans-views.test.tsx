import { describe, expect, it } from 'vitest';
import { omit } from '../../src/omit.js';
import type { PlanLook, PlanRow } from '../../src/tui/services.js';
import { initialApp } from '../../src/tui/state/app.js';
import type { Size } from '../../src/tui/state/layout.js';
import type { PlansState } from '../../src/tui/state/plans.js';
import { initialPlans, lookKey, WHOLE_STEP } from '../../src/tui/state/plans.js';
import type { AppState } from '../../src/tui/state/types.js';
import { fakeServices, found, LOOK, PODS, UNFIT } from './fake-services.js';
import { describeEveryView, LARGE, linesOf, textOf } from './shown.js';

const services = fakeServices({ tick: () => Promise.resolve(), steps: 3 });
const POD = { model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65_536 };
const base = initialApp(services, POD);

/** Plans that differ in an option too, and one with as much to say as a plan can have. */
const varied: readonly PlanRow[] = PODS.map((row, index) =>
  index % 2 === 0
    ? row
    : { ...row, label: `${row.label} rematerialize=selective linears=bidirectional shard=optimizer` },
);
const long: PlanRow = {
  ...PODS[0]!,
  label:
    'pipe=16,data=1024,model=128 microbatches=1024 slice=16x64x128 schedule=interleaved-1f1b rematerialize=full ' +
    'rematerialize-layers=0-11,40-47 activations=sequence linears=bidirectional shard=parameters',
  why: 'It spends most of its time computing, and little of it waiting for others. '.repeat(8),
};
const stages: PlanLook = {
  ...LOOK,
  timeline: {
    ...LOOK.timeline!,
    lanes: Array.from({ length: 16 }, (_, stage) => ({
      name: `stage ${stage}`,
      kind: 'compute',
      shares: { forward: [0.5, 0.5], backward: [0, 0.5] },
    })),
  },
};

const plans = (changes: Partial<PlansState> = {}, rows = varied, look: PlanLook = LOOK): PlansState => ({
  ...initialPlans(POD),
  progress: found(rows),
  looks: new Map(rows.slice(0, 3).map(({ label }) => [lookKey(label, WHOLE_STEP), look])),
  ...changes,
});
const state = (shown: PlansState): AppState => ({ ...base, screen: { at: 'plans', plans: shown } });
const fixed = { breadth: 'full', settings: { model: '8', rematerialize: null } } as const;

const STATES: Record<string, PlansState> = {
  table: plans(),
  'nothing yet': plans({ progress: found([], false) }),
  'nothing at all': plans({ wish: fixed, progress: found([]) }),
  filter: plans({ view: 'filter', filter: 'model=8' }),
  'filter that nothing has': plans({ view: 'filter', filter: 'xyz' }),
  write: plans({ view: 'write', path: `${'folder/'.repeat(30)}job.yaml` }),
  dimensions: plans({ view: 'dimensions', wish: fixed, dimension: 2 }),
  'dimensions before there is a plan': plans({ view: 'dimensions', progress: found([], false) }),
  explain: plans({ view: 'explain' }),
  'explain, long words': plans({ view: 'explain', offset: 3 }, [long]),
  compare: plans({ view: 'compare', marked: varied[3]!.label }),
  'compare, long words': plans({ view: 'compare', marked: long.label, chosen: varied[1]!.label }, [long, ...varied]),
  'a pipeline': plans({}, [long, ...varied], stages),
  'a step that is too long': plans({}, varied, { ...LOOK, timeline: null }),
  'a step that failed': plans({ looks: new Map([[lookKey(varied[0]!.label, WHOLE_STEP), UNFIT]]) }),
  zoomed: plans({ window: { from: 0.25, to: 0.5 } }),
};

const text = (name: string, size?: Size): string => textOf(state(STATES[name]!), size);

describeEveryView(
  'the screen of plans',
  Object.fromEntries(Object.entries(STATES).map(([name, shown]) => [name, state(shown)])),
);

describe('what a person reads of plans', () => {
  it('each row has its whole mesh and what tells it from the others', () => {
    const shown = text('table');
    expect(shown).toMatch(/# {2}mesh +what else +mb +step▴ +MFU +memory\n/);
    expect(shown).toMatch(/❯ {3}1 {2}data=128,model=8 +2 {3}14.2 s/);
    expect(shown).toMatch(/ {5}2 {2}data=128,model=8 {3}remat=sel bidir \+1 {7}4 {3}14.5 s/);
    expect(text('a pipeline')).toMatch(/❯ {3}1 {2}pipe=16,data=1024,model=128 {2}/);
  });

  it('where there is room, what each waits for and between what it lies', () => {
    const [head] = linesOf(state(STATES['table']!), { columns: 130, rows: 40 }).filter((line) => line.includes('# '));
    expect(head).toMatch(
      /mesh +in what else they differ +mb +step▴ +8 of 10 runs +MFU +memory +exposed +cost\/M images/,
    );
  });

  it('the step over time, its memory against the chip, MFU and its bound, and why', () => {
    const shown = text('table');
    expect(shown).toContain(' Step 14.2 s (12.8 – 17 s)  MFU 55.2 % (46.0 – 61.3 %), at most 86 %\n');
    expect(shown).toMatch(
      /\n compute {2}█+.*\n model {4}░+.*▞ 1.77 s\n {10}█ forward {2}▒ backward {2}▞ exposed {2}░ hidden/,
    );
    expect(shown).toMatch(
      /\n Memory 9.08 GB of 34.4 GB usable █+▒▚░·+\n {3}█ activation 8.49 GB {2}▒ parameter 312 MB {2}▚ optimizer 173 MB .*\n Why/,
    );
    expect(shown).toMatch(/\n Why {2}89\u00A0% compute.*\n.*\n.*communication.\n/);
    expect(text('table', LARGE)).toContain('At least 9.1 s (MFU 86 %) for memory traffic at peak rate');
    expect(text('table', LARGE)).toContain('128 groups of chips take 512 images of the batch each');
  });

  it('every glyph of the memory has its word, the smallest without their figures where there is no room', () => {
    const roles = { activation: 5.76e9, parameter: 5.6e9, optimizer: 1.12e9, gradient: 316e6 };
    const legend = (memoryBytesByRole: PlanRow['memoryBytesByRole']): string =>
      linesOf(state(plans({}, [{ ...varied[0]!, memoryBytesByRole }]))).find((line) => line.includes('activation'))!;
    expect(legend(roles).trimEnd()).toBe(
      '   █ activation 5.76 GB  ▒ parameter 5.6 GB  ▚ optimizer 1.12 GB  ░ gradient',
    );
    expect(legend({ ...roles, gradient: 0 })).toMatch(/▚ optimizer 1.12 GB$/);
    expect(legend({ ...roles, gradient: 0, input: 4000 })).toMatch(/▚ optimizer 1.12 GB {2}░ input 4 kB$/);
  });

  it('what a plan costs where its chips have a price', () => {
    expect(text('table')).toMatch(/── data=128,model=8 microbatches=2 ─+ 170 USD\/M images\n/);
    expect(text('table', LARGE)).toMatch(/─ simulated only; 170 USD\/M images\n/);
    const free = varied.map((row) => omit(row, 'cost'));
    expect(textOf(state(plans({}, free)))).toMatch(/─ simulated only\n/);
    expect(textOf(state(plans({}, free)), LARGE)).not.toContain('cost');
  });

  it('a cost takes no room from what tells plans apart', () => {
    const [head, first] = linesOf(state(plans({}, varied)), { columns: 200, rows: 40 }).filter((line) =>
      /mesh|bidir/.test(line),
    );
    expect(head).not.toContain('cost');
    expect(first).toContain('remat=sel bidir zero1');
  });

  it('of a pipeline, the first and the last stage at the least', () => {
    const shown = text('a pipeline');
    expect(shown).toMatch(/\n stage 0 .*\n stage 8 .*\n stage 15 /);
  });

  it('of a part of the step, which part it is', () => {
    const zoomed = plans({
      looks: new Map([
        [lookKey(varied[0]!.label, WHOLE_STEP), { ...LOOK, timeline: { ...LOOK.timeline!, toSeconds: 1 } }],
      ]),
    });
    expect(textOf(state(zoomed))).toContain('Of the step from 0 ns to 1 s:');
  });

  it('dimensions: what is fixed, what this plan has, and what is tried of the others', () => {
    const shown = text('dimensions');
    expect(shown).toMatch(/── Dimensions of the search ─+ 1 fixed\n/);
    expect(shown).toMatch(/❯ model {11}= 8 {14}8 {14}this alone/);
    expect(shown).toMatch(/ {2}rematerialize {3}free {13}none {11}none, selective, full/);
    expect(shown).toContain('full search tries');
    expect(text('table', LARGE)).toContain('── d Dimensions ─');
  });

  it('an empty table says how to get out of it', () => {
    expect(text('nothing at all')).toContain('No plan with these dimensions: d frees some');
  });

  it('a filter that no plan has says so, and how to get out of it', () => {
    for (const size of [undefined, LARGE])
      expect(text('filter that nothing has', size)).toContain('Nothing matches “xyz”; Esc clears the filter.');
    expect(text('nothing yet')).not.toContain('Nothing matches');
  });

  it('memory: what plans may use of a chip, and what it has', () => {
    expect(text('table', LARGE)).toContain('9.08 GB of 34.4 GB usable (a chip has 36.5 GB)');
    expect(text('explain')).toMatch(/9.08 GB \(26 %\) of the 34.4 GB that plans may use of a chip's 36.5 GB/);
  });

  it('help is of the view that it is over', () => {
    const helpOf = (name: string): string => textOf({ ...state(STATES[name]!), help: true });
    expect(helpOf('table')).toContain('none faster needs as little memory');
    expect(helpOf('explain')).toMatch(/Esc, Enter +back to the table/);
    expect(helpOf('explain')).not.toContain('sort by');
    expect(helpOf('compare')).toContain('the second plan less the first');
    expect(helpOf('dimensions')).toContain('the search chooses');
  });

  it('two plans: both, and the difference', () => {
    const shown = text('compare');
    expect(shown).toMatch(/number 4 +number 1 +difference\n/);
    expect(shown).toMatch(/\n {3}rematerialize +selective +none\n[^]*\n {3}step time +14.9 s +14.2 s +−761 ms\n/);
  });
});
