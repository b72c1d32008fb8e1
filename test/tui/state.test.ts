import { describe, expect, it } from 'vitest';
import { initialApp, reduce } from '../../src/tui/state/app.js';
import { hints } from '../../src/tui/state/hints.js';
import { windowStart } from '../../src/tui/state/layout.js';
import { matches, problemOf } from '../../src/tui/state/pick.js';
import { selectedPlan } from '../../src/tui/state/plans.js';
import type { KeyName, Press } from '../../src/tui/state/press.js';
import { character, key } from '../../src/tui/state/press.js';
import type { AppState, News } from '../../src/tui/state/types.js';
import { fakeServices, found, HERE, PODS, RUNS, UNFIT } from './fake-services.js';

const SIZE = { columns: 80, rows: 24 };
const ARROWS = { upDown: '', leftRight: '' };
const services = fakeServices({ tick: () => Promise.resolve(), steps: 3 });
const start = (): AppState => initialApp(services, { chips: 1024, batch: 65_536 });

const presses = (state: AppState, ...all: Press[]): AppState =>
  all.reduce((before, press) => reduce(before, { type: 'press', press, size: SIZE }), state);
const keys = (state: AppState, ...names: KeyName[]): AppState => presses(state, ...names.map(key));
const typed = (state: AppState, text: string): AppState => presses(state, ...[...text].map(character));
const hear = (state: AppState, ...news: News[]): AppState => reduce(state, { type: 'news', news });

const searched = (plans = PODS): AppState =>
  hear(keys(start(), 'enter'), { type: 'searched', work: 0, progress: found(plans) });
const training = (): AppState => typed(searched(HERE), 't');
const trained = (): AppState => hear(training(), { type: 'trained', work: 1, runFolder: RUNS.rows[0]!.runFolder });

const plansOf = ({ screen }: AppState) => (screen.at === 'plans' ? screen.plans : expect.fail(`at ${screen.at}`));
const trainOf = ({ screen }: AppState) => (screen.at === 'train' ? screen.train : expect.fail(`at ${screen.at}`));

describe('picking a task', () => {
  it('Enter searches for what the fields say', () => {
    const state = keys(start(), 'enter');
    expect(state.work).toEqual({
      id: 0,
      kind: 'search',
      task: { model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65_536 },
      wish: { breadth: 'usual', settings: {} },
    });
    expect(plansOf(state).progress).toMatchObject({ plans: [], done: false });
  });

  it('letters filter a list by name and description, and choose the first that is left', () => {
    const state = typed(start(), 'cpu');
    expect(matches(state.pick.model).map(({ name }) => name)).toEqual(['vit-bench', 'vit-tiny']);
    expect(state.pick.model.chosen).toBe('vit-bench');
    expect(keys(state, 'down').pick.model.chosen).toBe('vit-tiny');
  });

  it('a filter that nothing matches is said, and Enter stays', () => {
    const state = keys(typed(start(), 'vitx'), 'enter');
    expect(state.screen.at).toBe('pick');
    expect(problemOf(state.pick, 'model')).toBe('model: nothing matches "vitx" (Backspace, or Esc to clear)');
    expect(problemOf(keys(state, 'escape').pick, 'model')).toBeUndefined();
  });

  it('the first character typed into a number replaces it, the next ones add to it', () => {
    const state = typed(keys(start(), 'tab', 'tab'), '256');
    expect(state.pick.chips.text).toBe('256');
    expect(keys(state, 'backspace').pick.chips.text).toBe('25');
  });

  it('arrow keys double and halve a number, and never reach zero', () => {
    const chips = keys(start(), 'tab', 'tab');
    expect(keys(chips, 'up').pick.chips.text).toBe('2048');
    expect(keys(chips, ...Array<KeyName>(12).fill('down')).pick.chips.text).toBe('1');
  });

  it.each(['0', '-4', '1.5', '12x', '2000000'])('%s chips are refused with one line, and Enter goes there', (text) => {
    const state = keys(typed(keys(start(), 'tab', 'tab'), text), 'backtab', 'enter');
    expect(state.screen.at).toBe('pick');
    expect(state.pick.focus).toBe('chips');
    expect(problemOf(state.pick, 'chips')).toBe(`chips: expected a whole number from 1 to 131,072, got "${text}"`);
  });

  it('q quits where no choice has the letter, and is text where one has', () => {
    expect(typed(start(), 'q').quit).toBe(true);
    const qwen = { ...services, models: [...services.models, { name: 'qwen', about: '' }] };
    const state = typed(initialApp(qwen), 'q');
    expect([state.quit, state.pick.model.chosen]).toEqual([false, 'qwen']);
    expect(hints(initialApp(qwen), ARROWS).map(({ keys: written }) => written)).toContain('Ctrl-C');
  });

  it('with no models there is nothing to search', () => {
    const state = keys(initialApp({ models: [], hardware: services.hardware }), 'enter');
    expect(state.screen.at).toBe('pick');
    expect(problemOf(state.pick, 'model')).toBe('model: there is none to choose from');
  });
});

describe('looking at plans', () => {
  it('the best is looked at, whichever it becomes, until one is chosen', () => {
    const first = hear(keys(start(), 'enter'), {
      type: 'searching',
      work: 0,
      progress: found(PODS.slice(3, 6), false),
    });
    expect(selectedPlan(plansOf(first))).toBe(PODS[3]);
    const chosen = keys(first, 'down');
    const all: News = { type: 'searched', work: 0, progress: found(PODS) };
    expect(selectedPlan(plansOf(hear(first, all)))).toBe(PODS[0]);
    expect(selectedPlan(plansOf(hear(chosen, all)))).toBe(PODS[4]);
  });

  it('news of a search that was left is not heard', () => {
    const back = keys(keys(start(), 'enter'), 'escape');
    expect(back.work).toBeUndefined();
    expect(hear(back, { type: 'failed', work: 0, error: UNFIT })).toBe(back);
    const again = keys(back, 'enter');
    const late: News = { type: 'searching', work: 0, progress: found(PODS, false) };
    expect(plansOf(hear(again, late)).progress.plans).toEqual([]);
  });

  it('a search goes on behind the runs, and what it finds or fails by meanwhile is there when one comes back', () => {
    const over = keys(start(), 'enter', 'runs');
    const listed: News = { type: 'listed', work: 1, list: RUNS };
    const ended = hear(over, listed, { type: 'searched', work: 0, progress: found(PODS) });
    expect([ended.screen.at, over.work?.id]).toEqual(['compare', 0]);
    expect(plansOf(keys(ended, 'escape')).progress).toMatchObject({ plans: PODS, done: true });
    const streaming = hear(over, { type: 'searching', work: 0, progress: found(PODS, false) });
    expect(keys(streaming, 'escape')).toMatchObject({
      screen: { plans: { progress: { plans: PODS } } },
      work: { id: 0 },
    });
    const failed = hear(over, listed, { type: 'failed', work: 0, error: UNFIT });
    expect(failed).toMatchObject({ failure: UNFIT, screen: { at: 'compare', compare: { list: RUNS } } });
    expect(keys(failed, 'escape', 'escape').screen.at).toBe('pick');
  });

  it('what is typed after a search, also one that failed, finds another name', () => {
    const searched = keys(typed(start(), 'vit-tiny'), 'enter');
    const failed = hear(searched, { type: 'failed', work: 0, error: UNFIT });
    for (const back of [keys(searched, 'escape'), keys(failed, 'escape')]) {
      expect(back.pick.model).toMatchObject({ filter: '', chosen: 'vit-tiny' });
      expect(typed(back, 'vit-e').pick.model.chosen).toBe('vit-e');
    }
  });

  it('a search that fails shows its error over the fields as they were', () => {
    const state = hear(keys(start(), 'enter'), { type: 'failed', work: 0, error: UNFIT });
    expect([state.screen.at, state.failure]).toEqual(['pick', UNFIT]);
    const closed = keys(state, 'escape');
    expect(closed.failure).toBeUndefined();
    expect(closed.pick).toEqual(start().pick);
  });

  it('t trains the plan looked at', () => {
    const state = typed(keys(searched(HERE), 'down'), 't');
    expect(state.work).toMatchObject({ id: 1, kind: 'train', label: HERE[1]!.label });
    expect(trainOf(state)).toMatchObject({ status: 'running', plan: HERE[1] });
  });

  it('t says why not, for a plan that does not run here and while the search goes on', () => {
    expect(typed(searched(PODS), 't').notice).toBe('This machine can only simulate it: the plan is for 1024 × tpu-v4.');
    const searching = hear(keys(start(), 'enter'), {
      type: 'searching',
      work: 0,
      progress: found(HERE, false),
    });
    const early = typed(searching, 't');
    expect(early.notice).toBe('The search is still running: train when it has ended.');
    const none = typed(keys(start(), 'enter'), 't');
    expect(none.notice).toBe('There is no plan yet to train.');
    // What is said goes when it is no longer so, and only then.
    const news = (type: 'searching' | 'searched', state: AppState): AppState =>
      hear(state, { type, work: 0, progress: found(HERE, type === 'searched') });
    expect(news('searching', early).notice).toBe(early.notice);
    expect(news('searched', early).notice).toBeUndefined();
    expect(news('searching', none).notice).toBeUndefined();
    expect(news('searched', typed(searching, 'c')).notice).toMatch(/^Marked/);
  });
});

describe('everywhere', () => {
  it('? opens help over any screen, and the next key only closes it', () => {
    for (const state of [start(), searched(), training(), keys(trained(), 'enter')]) {
      const helped = typed(state, '?');
      expect(helped.help).toBe(true);
      expect(keys(helped, 'escape')).toEqual({ ...state, help: false });
    }
  });

  it('the selected row is in the window that is shown', () => {
    for (const selected of [0, 3, 9, 19]) {
      const first = windowStart(selected, 20, 7);
      expect(selected).toBeGreaterThanOrEqual(first);
      expect(selected).toBeLessThan(first + 7);
      expect(first).toBeLessThanOrEqual(13);
    }
    expect(windowStart(2, 3, 7)).toBe(0);
  });
});
