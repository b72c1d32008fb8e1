import { describe, expect, it } from 'vitest';
import { hints } from '../../src/tui/state/hints.js';
import { relativeError } from '../../src/trace/index.js';
import { recalibratedSeconds } from '../../src/tui/state/compare.js';
import { lastReportLine, reportLines, reportRoom } from '../../src/tui/state/compare-layout.js';
import type { AppState } from '../../src/tui/state/types.js';
import { DETAIL, REPORT, RUNS, UNFIT } from './fake-services.js';
import { ARROWS, at, hear, keys, SIZE, start, typed } from './pressing.js';

const compareOf = (state: AppState) => at(state, 'compare').compare;
const openList = (): AppState => keys(start(), 'runs');
const listed = (): AppState => hear(openList(), { type: 'listed', work: 0, list: RUNS });
const read = (): AppState => hear(keys(listed(), 'enter'), { type: 'read', work: 1, detail: DETAIL });
const calibrated = (report = REPORT): AppState => hear(typed(listed(), 'c'), { type: 'calibrated', work: 1, report });

describe('the list of runs', () => {
  it('is opened from anywhere by Ctrl-R, and Esc goes back to where one was', () => {
    expect(openList().reading).toEqual({ id: 0, kind: 'runs' });
    expect(compareOf(openList()).list).toBeUndefined();
    expect(keys(listed(), 'escape')).toMatchObject({ screen: { at: 'pick' }, reading: undefined });
  });

  it('Enter reads the run looked at', () => {
    const state = keys(listed(), 'down', 'enter');
    const { runFolder } = RUNS.rows[1]!;
    expect(state.reading).toEqual({ id: 1, kind: 'read', runFolder });
    expect(compareOf(state).opened).toEqual({ runFolder, view: 'work', row: 0 });
  });

  it('has nothing to choose while it is read, and where it is empty', () => {
    expect(keys(openList(), 'down', 'enter').reading?.kind).toBe('runs');
    const none = hear(openList(), { type: 'listed', work: 0, list: { rows: [], damaged: [] } });
    expect(compareOf(keys(none, 'down', 'enter')).opened).toBeUndefined();
    expect(hints(none, ARROWS).map(({ does }) => does)).not.toContain('open');
  });

  it('runs that can not be listed are none, under the error', () => {
    const state = hear(openList(), { type: 'failed', work: 0, error: UNFIT });
    expect(state.failure).toBe(UNFIT);
    expect(compareOf(state).list?.rows).toEqual([]);
  });
});

describe('a run looked at', () => {
  const openedOf = (state: AppState) => compareOf(state).opened;

  it('Tab goes round the ways to tell its difference apart, Shift-Tab the other way', () => {
    const state = read();
    const views = [1, 2, 3, 4].map((count) => openedOf(keys(state, ...Array<'tab'>(count).fill('tab')))!.view);
    expect(views).toEqual(['phase', 'collectives', 'ranks', 'work']);
    expect(openedOf(keys(state, 'backtab'))!.view).toBe('ranks');
    expect(openedOf(keys(state, 'down', 'tab'))!.row).toBe(0);
  });

  it('Enter goes down to the kernels of a kind of work, and Esc up again, step by step', () => {
    const kernels = keys(read(), 'enter');
    expect(openedOf(kernels)!.kernel).toBe(0);
    expect(openedOf(keys(kernels, 'end'))!.kernel).toBe(DETAIL.byWork[0]!.kernels.length - 1);
    expect(openedOf(keys(kernels, 'escape'))).toEqual(openedOf(read()));
    expect(openedOf(keys(kernels, 'escape', 'escape'))).toBeUndefined();
    expect(keys(kernels, 'escape', 'escape', 'escape').screen.at).toBe('pick');
  });

  it('says where there are none', () => {
    expect(keys(read(), 'down', 'down', 'enter').notice).toBe('There are no kernels in it.');
    expect(keys(read(), 'tab', 'enter').notice).toContain('by kind of work');
    const offered = (state: AppState): string[] => hints(state, ARROWS).map(({ does }) => does);
    expect(offered(read())).toContain('its kernels');
    for (const state of [keys(read(), 'down', 'down'), keys(read(), 'tab')])
      expect(offered(state)).not.toContain('its kernels');
  });

  it('that can not be read is closed, under the error', () => {
    const state = hear(keys(listed(), 'enter'), { type: 'failed', work: 1, error: UNFIT });
    expect(openedOf(state)).toBeUndefined();
    expect(compareOf(state).list).toBe(RUNS);
  });

  it('news of one that was left for another is not shown', () => {
    const other = keys(listed(), 'enter', 'escape', 'down', 'enter');
    expect(openedOf(hear(other, { type: 'read', work: 1, detail: DETAIL }))!.detail).toBeUndefined();
  });
});

describe('a calibration', () => {
  it('c runs it beside all else, once at a time', () => {
    const state = typed(listed(), 'c');
    expect(state.calibrating).toEqual({ id: 1, kind: 'calibrate' });
    expect(compareOf(state).isCalibrating).toBe(true);
    const again = typed(state, 'c');
    expect([again.calibrating, again.notice]).toEqual([state.calibrating, 'A calibration is under way.']);
    expect(keys(state, 'enter').calibrating).toEqual(state.calibrating);
  });

  it('shows what moved; Esc goes back to the list, whose errors are now those before and after; v shows it again', () => {
    const state = calibrated();
    expect(compareOf(state).reportLine).toBe(0);
    const list = keys(state, 'escape');
    expect(compareOf(list).reportLine).toBeUndefined();
    const [first] = RUNS.rows;
    expect(recalibratedSeconds(first!, compareOf(list))).toBe(REPORT.outcomes[0]!.afterSeconds);
    expect(recalibratedSeconds({ ...first!, group: 'another' }, compareOf(list))).toBeUndefined();
    expect(compareOf(typed(list, 'v')).reportLine).toBe(0);
  });

  it('that was refused, or that predicted a plan by the others alone, gives no run another error in the list', () => {
    const [first] = RUNS.rows;
    const refused = { ...REPORT, isAccepted: false, version: null };
    expect(recalibratedSeconds(first!, compareOf(keys(calibrated(refused), 'escape')))).toBeUndefined();
    const [outcome] = REPORT.outcomes;
    const outcomes = [{ ...outcome!, afterSeconds: 99, side: 'left out' as const }, outcome!];
    expect(recalibratedSeconds(first!, compareOf(calibrated({ ...REPORT, outcomes })))).toBe(outcome!.afterSeconds);
  });

  it('leaves the errors of the last one in the list until there is another result, and where that is refused', () => {
    const [first] = RUNS.rows;
    const after = (state: AppState): number | undefined => recalibratedSeconds(first!, compareOf(state));
    const again = typed(keys(calibrated(), 'escape'), 'c');
    expect([again.calibrating?.id, compareOf(again).isCalibrating]).toEqual([2, true]);
    expect(compareOf(typed(again, 'v')).reportLine).toBe(0);
    const refused = { ...REPORT, isAccepted: false, version: null };
    const states = [again, hear(again, { type: 'calibrated', work: 2, report: refused })];
    for (const state of states) expect(after(state)).toBe(REPORT.outcomes[0]!.afterSeconds);
    const outcomes = REPORT.outcomes.map((one) => ({ ...one, afterSeconds: 99 }));
    expect(after(hear(again, { type: 'calibrated', work: 2, report: { ...REPORT, outcomes } }))).toBe(99);
  });

  it('goes on where a run could not be read meanwhile', () => {
    const state = hear(keys(typed(listed(), 'c'), 'enter'), { type: 'failed', work: 2, error: UNFIT });
    expect(compareOf(state)).toMatchObject({ isCalibrating: true });
    expect(compareOf(state).opened).toBeUndefined();
  });

  it('does not push aside a run that is looked at', () => {
    const state = hear(keys(typed(listed(), 'c'), 'enter'), { type: 'calibrated', work: 1, report: REPORT });
    expect(compareOf(state).reportLine).toBeUndefined();
    expect(compareOf(state).calibration).toBe(REPORT);
  });

  it('that fails is as if it had not been asked for, under the error', () => {
    const state = hear(typed(listed(), 'c'), { type: 'failed', work: 1, error: UNFIT });
    expect(compareOf(state)).not.toMatchObject({ isCalibrating: true });
    expect(compareOf(state).calibration).toBeUndefined();
    expect(state.failure).toBe(UNFIT);
    expect(typed(keys(state, 'escape'), 'c').calibrating?.id).toBe(2);
  });

  it('is left with the screen by the same key twice, and not after it ended', () => {
    const asked = keys(typed(listed(), 'c'), 'escape');
    expect(asked.notice).toBe('A calibration is under way: Esc again stops it and goes back.');
    expect([asked.screen.at, asked.calibrating?.id]).toEqual(['compare', 1]);
    expect(typed(typed(listed(), 'c'), 'q').quit).toBe(false);
    const left = keys(asked, 'escape');
    expect([left.screen.at, left.calibrating]).not.toEqual(['compare', asked.calibrating]);
    expect(left.calibrating).toBeUndefined();
    expect(keys(calibrated(), 'escape', 'escape').screen.at).not.toBe('compare');
  });

  it('its report scrolls to the last line and no further, so that going up moves at once', () => {
    const report = { ...REPORT, outcomes: Array.from({ length: 40 }, () => REPORT.outcomes[0]!) };
    const state = calibrated(report);
    const last = lastReportLine(SIZE, compareOf(state));
    expect(last).toBe(reportLines(report, SIZE) - reportRoom(SIZE));
    expect(compareOf(keys(state, 'end', 'down')).reportLine).toBe(last);
    expect(compareOf(keys(state, 'end', 'up')).reportLine).toBe(last - 1);
  });
});

it('an error is relative to what was measured, positive when too much was predicted', () => {
  expect(relativeError(1.1, 1)).toBeCloseTo(0.1);
  expect(relativeError(1, 0)).toBeNaN();
});
