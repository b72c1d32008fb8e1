import { describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import type { PlanRow } from '../../src/tui/services.js';
import { initialApp, reduce } from '../../src/tui/state/app.js';
import { hints } from '../../src/tui/state/hints.js';
import { compareLines, explainLines } from '../../src/tui/state/plan-lines.js';
import { lookAt, selectedPlan, visiblePlans, wantedLook } from '../../src/tui/state/plans.js';
import type { KeyName } from '../../src/tui/state/press.js';
import { character, key } from '../../src/tui/state/press.js';
import type { Answer, AppState, News } from '../../src/tui/state/types.js';
import { fakeServices, found, HERE, LOOK, PODS, UNFIT } from './fake-services.js';

const SIZE = { columns: 80, rows: 24 };
const services = fakeServices({ tick: () => Promise.resolve(), steps: 3 });

const keys = (state: AppState, ...names: KeyName[]): AppState =>
  names.reduce((before, name) => reduce(before, { type: 'press', press: key(name), size: SIZE }), state);
const typed = (state: AppState, text: string): AppState =>
  [...text].reduce((before, one) => reduce(before, { type: 'press', press: character(one), size: SIZE }), state);
const hear = (state: AppState, ...news: News[]): AppState => reduce(state, { type: 'news', news });
const answered = (state: AppState, answer: Answer): AppState => reduce(state, { type: 'answer', answer });

const searched = (plans: readonly PlanRow[] = PODS): AppState =>
  hear(keys(initialApp(services, { chips: 1024, batch: 65_536 }), 'enter'), {
    type: 'searched',
    work: 0,
    progress: found(plans),
  });
const plansOf = ({ screen }: AppState) => (screen.at === 'plans' ? screen.plans : expect.fail(`at ${screen.at}`));
const labels = (state: AppState): string[] => visiblePlans(plansOf(state)).map(({ label }) => label);
const footOf = (state: AppState): string[] =>
  hints(state, { upDown: 'up/down', leftRight: 'left/right' }).map(({ keys: written }) => written);

describe('the table of plans', () => {
  it('is sorted by one column after the other, and the other way round', () => {
    const byMemory = typed(searched(), 's');
    const memory = (state: AppState): number[] =>
      visiblePlans(plansOf(state)).map(({ peakMemoryBytesPerChip }) => peakMemoryBytesPerChip);
    expect(memory(byMemory)).toEqual(memory(byMemory).toSorted((a, b) => a - b));
    expect(memory(typed(byMemory, 'S'))).toEqual(memory(byMemory).toReversed());
    expect(labels(typed(byMemory, 'sss'))).toEqual(labels(searched()));
  });

  it('a filter keeps the plans with all its words; Esc has all of them again, and only then goes back', () => {
    const filtered = typed(searched(), '/model=8 microbatches=4');
    expect(labels(filtered)).toEqual(['data=128,model=8 microbatches=4']);
    const kept = keys(filtered, 'enter');
    expect(plansOf(kept).view).toBe('table');
    const all = keys(kept, 'escape');
    expect(labels(all)).toEqual(labels(searched()));
    expect(keys(all, 'escape').screen.at).toBe('pick');
  });

  it('while a filter is typed, letters are text and the keys at the foot are those of typing', () => {
    const state = typed(searched(), '/q?');
    expect([state.quit, state.help, plansOf(state).filter]).toEqual([false, false, 'q?']);
    expect(footOf(state)).not.toContain('q');
  });
});

describe('dimensions', () => {
  const panel = (): AppState => typed(searched(), 'd');
  const wishOf = (state: AppState) => plansOf(state).wish;
  /** `model` is the third. */
  const atModel = (): AppState => keys(panel(), 'down', 'down');

  it("Enter fixes one to what the plan looked at has, and the search goes on with it; again, it's free", () => {
    const fixed = keys(atModel(), 'enter');
    expect(wishOf(fixed)).toEqual({ breadth: 'usual', settings: { model: '8' } });
    expect(fixed.work).toMatchObject({ id: 1, kind: 'search', wish: wishOf(fixed) });
    expect(plansOf(fixed)).toMatchObject({ view: 'dimensions', progress: { plans: [], done: false } });
    const free = keys(fixed, 'enter');
    expect(wishOf(free).settings).toEqual({ model: null });
    expect(free.work?.id).toBe(2);
  });

  it('arrow keys go through its values, with free between the last and the first', () => {
    const seen = ['right', 'right', 'right', 'right'] as const;
    const states = seen.map((_, index) => keys(atModel(), ...seen.slice(0, index + 1)));
    expect(states.map((state) => wishOf(state).settings['model'])).toEqual(['1', '2', '4', null]);
    expect(wishOf(keys(atModel(), 'left')).settings).toEqual({ model: '4' });
  });

  it('what a job file fixes can be freed', () => {
    const ofFile = found(PODS);
    const [pipe, ...rest] = ofFile.dimensions;
    const state = hear(keys(initialApp(services, {}), 'enter'), {
      type: 'searched',
      work: 0,
      progress: { ...ofFile, dimensions: [{ ...pipe!, setting: '8' }, ...rest] },
    });
    expect(wishOf(typed(state, 'd ')).settings).toEqual({ pipe: null });
    expect(wishOf(typed(state, 'dx')).settings['pipe']).toBeNull();
  });

  it('f goes from the usual search to the full one and back', () => {
    const full = typed(searched(), 'f');
    expect(wishOf(full).breadth).toBe('full');
    expect(full.work).toMatchObject({ kind: 'search', wish: { breadth: 'full' } });
    expect(wishOf(typed(full, 'f')).breadth).toBe('usual');
  });

  it('where no plan is left, the error is shown and the dimensions are still there to be freed', () => {
    const fixed = keys(atModel(), 'enter');
    const failed = hear(fixed, { type: 'failed', work: 1, error: UNFIT });
    expect(failed.failure).toBe(UNFIT);
    const closed = keys(failed, 'escape');
    expect(plansOf(closed)).toMatchObject({ view: 'dimensions', progress: { plans: [], done: true } });
    expect(wishOf(keys(closed, 'enter')).settings).toEqual({ model: null });
  });

  it('news of the search before it is not heard', () => {
    const fixed = keys(atModel(), 'enter');
    expect(hear(fixed, { type: 'searched', work: 0, progress: found(PODS) })).toBe(fixed);
  });
});

describe('looking closely', () => {
  const whole = { from: 0, to: 1 };

  it('the plan looked at is wanted until it is known', () => {
    const state = searched();
    const at = wantedLook(plansOf(state))!;
    expect(at).toMatchObject({ label: PODS[0]!.label, window: whole });
    const known = answered(state, { type: 'looked', at, look: LOOK });
    expect(wantedLook(plansOf(known))).toBeUndefined();
    expect(wantedLook(plansOf(keys(known, 'down')))?.label).toBe(PODS[1]!.label);
  });

  it('one that failed is not asked for again', () => {
    const at = wantedLook(plansOf(searched()))!;
    const state = answered(searched(), { type: 'looked', at, look: UNFIT });
    expect(wantedLook(plansOf(state))).toBeUndefined();
    expect(lookAt(plansOf(state), at.label)).toBe(UNFIT);
  });

  it('zooming asks for a part of the step, shows what it showed until then, and never leaves the step', () => {
    const state = searched();
    const known = answered(state, { type: 'looked', at: wantedLook(plansOf(state))!, look: LOOK });
    const closer = typed(known, '++');
    expect(wantedLook(plansOf(closer))?.window).toEqual({ from: 0.375, to: 0.625 });
    expect(lookAt(plansOf(closer), PODS[0]!.label)).toBe(LOOK);
    const right = keys(closer, ...Array<KeyName>(40).fill('right'));
    expect(plansOf(right).window).toEqual({ from: 0.75, to: 1 });
    expect(plansOf(typed(right, '----')).window).toEqual(whole);
  });
});

describe('two plans side by side', () => {
  it('the first is marked, the second opens both, and Esc forgets the mark', () => {
    const marked = typed(searched(), 'c');
    expect(marked.notice).toMatch(/^Marked/);
    const both = typed(keys(marked, 'down'), 'c');
    expect(plansOf(both)).toMatchObject({ view: 'compare', marked: PODS[0]!.label });
    expect(wantedLook(plansOf(both))?.label).toBe(PODS[1]!.label);
    const back = plansOf(keys(both, 'escape'));
    expect(back.view).toBe('table');
    expect('marked' in back).toBe(false);
    expect(typed(marked, 'c').notice).toBe('No longer marked.');
  });

  it('has every part of the step and of the memory of either, and blanks where they do not differ', () => {
    const [a, b] = [PODS[0]!, PODS[7]!];
    const lines = compareLines(a, b, []);
    const row = (what: string) => lines.find(([name]) => name === what)!;
    expect(row('step time')).toEqual(['step time', '14.2 s', '15.7 s', '+1.52 s']);
    // Shares differ by points: a difference in percent would be another figure.
    expect(row('MFU')).toEqual(['MFU', '55.2 %', '49.9 %', '−5.4 points']);
    expect(row('cost per M images')).toEqual(['cost per M images', '170 USD', '188 USD', '+18.3 USD']);
    expect(row('mesh')[2]).toBe(b.label.split(' ')[0]);
    // The same on both sides is no difference.
    expect(row('  update')[3]).toBe('');
    for (const name of [...Object.keys(a.timeByPart), ...Object.keys(a.memoryBytesByRole)])
      expect(row(`  ${name}`)).toBeDefined();
  });
});

describe('a plan explained', () => {
  it('says what each of its words does, what limits it and why it is where it is', () => {
    const text = explainLines(PODS[0]!, LOOK, 76).map((line) => line.text);
    expect(text).toContain('data=128  128 groups of chips take 512 images of the batch each');
    expect(text.join(' ')).toContain(
      'No step is shorter than 9.1 s (64 % of this one), for memory traffic at peak rate: an MFU of 86.0 % at most.',
    );
    expect(text.join(' ')).toContain('2.4 % faster than data=128,model=8 microbatches=4');
    expect(text.join(' ')).toContain(
      'It costs 14.2 USD a step, 170 USD a million images, at list prices, chips alone.',
    );
    expect(explainLines(HERE[0]!, LOOK, 76).some((line) => line.text.includes('It costs'))).toBe(false);
    expect(Math.max(...text.map(({ length }) => length))).toBeLessThanOrEqual(76);
  });

  it('scrolls to its last line and no further', () => {
    const long = { ...PODS[0]!, why: 'It computes. '.repeat(200) };
    const state = keys(searched([long]), 'enter');
    const end = keys(state, 'end');
    expect(plansOf(end).offset).toBeGreaterThan(0);
    expect(plansOf(keys(end, 'down')).offset).toBe(plansOf(end).offset);
    expect(plansOf(keys(end, 'escape')).view).toBe('table');
  });
});

describe('writing a job', () => {
  const asked = (): AppState => typed(searched(), 'w');

  it('suggests a name, takes another, and says what was written', () => {
    expect(plansOf(asked()).path).toBe('vit-22b-1024xtpu-v4.yaml');
    const state = keys(typed(asked(), '2'), 'enter');
    const job = { label: PODS[0]!.label, path: 'vit-22b-1024xtpu-v4.yaml2' };
    expect(state.toWrite).toMatchObject(job);
    const written = answered(state, { type: 'written', job: state.toWrite! });
    expect([written.toWrite, written.notice]).toEqual([
      undefined,
      'Written: vit-22b-1024xtpu-v4.yaml2, which `meshwright simulate` and `train` take.',
    ]);
  });

  it('Esc writes nothing', () => {
    expect(keys(asked(), 'escape').toWrite).toBeUndefined();
  });

  it('what could not be written stays typed, under what is wrong with it, for another name', () => {
    const state = keys(typed(asked(), '2'), 'enter');
    const error = new MeshwrightError('RUN_EXISTS', { place: 'a.yaml', expected: 'none', got: 'one' });
    const refused = answered(state, { type: 'written', job: state.toWrite!, error });
    expect([refused.failure, refused.notice]).toEqual([undefined, 'Not written: expected none, got one.']);
    expect(plansOf(refused)).toMatchObject({ view: 'write', path: 'vit-22b-1024xtpu-v4.yaml2' });
    const again = keys(typed(refused, '3'), 'enter');
    expect(again.toWrite).toMatchObject({ path: 'vit-22b-1024xtpu-v4.yaml23' });
    expect(plansOf(answered(again, { type: 'written', job: again.toWrite! })).view).toBe('table');
    // Who has left the prompt is told all the same.
    const left = answered(keys(state, 'escape'), { type: 'written', job: state.toWrite!, error });
    expect(left).toMatchObject({ failure: error });
  });

  it('Enter twice writes once', () => {
    const state = keys(asked(), 'enter');
    expect(keys(state, 'enter').toWrite).toBe(state.toWrite);
  });

  it('a search that goes on is not stopped by it', () => {
    const searching = hear(keys(initialApp(services, {}), 'enter'), {
      type: 'searching',
      work: 0,
      progress: found(HERE, false),
    });
    expect(keys(typed(searching, 'w'), 'enter').work).toBe(searching.work);
    expect(selectedPlan(plansOf(searching))).toBe(HERE[0]);
  });
});
