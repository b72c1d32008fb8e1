import { describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import { hints } from '../../src/tui/state/hints.js';
import type { RunControl, TrainEvent } from '../../src/tui/services.js';
import { initialPlans, withProgress } from '../../src/tui/state/plans.js';
import { initialTrain, onTrainEvent } from '../../src/tui/state/train.js';
import { trainLayout } from '../../src/tui/state/train-layout.js';
import { bodyRows } from '../../src/tui/state/layout.js';
import type { AppState, News } from '../../src/tui/state/types.js';
import { found, HERE, REPORT, RUNS, stepOf, timelineAt } from './fake-services.js';
import { ARROWS, at, hear, keys, start, typed } from './pressing.js';

const [{ runFolder }] = RUNS.rows as [(typeof RUNS.rows)[number]];
/** At the screen of a run that has just been started, as the second piece of work. */
const TASK = { model: 'vit-tiny', hardware: 'cpu', chips: 2, batch: 64 };
const training = (): AppState => ({
  ...start(),
  works: 2,
  work: { id: 1, kind: 'train', task: TASK, label: HERE[0]!.label },
  screen: { at: 'train', plans: withProgress(initialPlans(TASK), found(HERE)), train: initialTrain(HERE[0]!) },
});
const tell = (state: AppState, ...events: TrainEvent[]): AppState =>
  hear(state, ...events.map((event): News => ({ type: 'training', work: 1, event })));
const step = (number: number): TrainEvent => stepOf(number, 3, HERE[0]!);
const trainOf = (state: AppState) => at(state, 'train').train;
const trained = (): AppState => hear(training(), { type: 'trained', work: 1, runFolder });

describe('what a run tells', () => {
  it('steps are kept for the charts, the latest for the figures, input stalls as a share of all', () => {
    const train = trainOf(tell(training(), step(1), step(2), step(3)));
    const events = [1, 2, 3].map((number) => stepOf(number, 3, HERE[0]!));
    expect(train.loss.points).toEqual(events.map(({ loss }) => loss));
    expect(train.mfu.points).toEqual(events.map(({ mfu }) => mfu));
    expect(train.latest).toEqual(events[2]);
    const stalled = events.reduce((sum, { inputStallSeconds }) => sum + inputStallSeconds, 0);
    expect(train.total.stallSeconds).toBeCloseTo(stalled);
    expect(train.total.seconds).toBeCloseTo(stalled + events.reduce((sum, one) => sum + one.stepTimeSeconds, 0));
  });

  it('what is predicted with this machine measured takes the place of what the search predicted', () => {
    const before = trainOf(training()).prediction;
    expect(before.mfu).toBe(HERE[0]!.mfu);
    expect(before.mfuInterval.p10 * HERE[0]!.stepTimeInterval.p90).toBeCloseTo(before.mfu * before.stepTimeSeconds);
    const prediction = { ...before, stepTimeSeconds: 0.4, mfu: 0.5 };
    const predicted = { kind: 'predicted', prediction, timeline: timelineAt(0), news: 'this-machine' } as const;
    const after = trainOf(tell(training(), predicted));
    expect(after.prediction).toBe(prediction);
    expect(after.predictedTimeline).toEqual(timelineAt(0));
    expect(after.before).toEqual({ prediction: before, news: 'this-machine' });
    const same = trainOf(tell(training(), { ...predicted, prediction: before, news: 'data' }));
    expect(same.before).toBeUndefined();
  });

  it('once this machine is measured, plans that run here are searched for again when one goes back to them', () => {
    const { prediction } = trainOf(training());
    const event = { kind: 'predicted', prediction, timeline: timelineAt(0), news: 'this-machine' } as const;
    const state = hear(tell(training(), event), { type: 'trained', work: 1, runFolder: 'runs/a' });
    const back = keys(state, 'escape');
    expect(back.work).toMatchObject({ kind: 'search', task: at(back, 'plans').plans.task });
    expect(at(back, 'plans').plans.progress.plans).toEqual([]);
    expect(back.notice).toContain('Searched again');
    const unchanged = hear(tell(training(), { ...event, news: 'data' }), { type: 'trained', work: 1, runFolder: 'a' });
    expect(keys(unchanged, 'escape')).toMatchObject({ work: undefined, notice: undefined });
  });

  it('after a calibration that was accepted, too, and not after one that was refused', () => {
    const over = hear(training(), { type: 'trained', work: 1, runFolder: 'runs/a' });
    const calibrated = (report: typeof REPORT): AppState => {
      const list = hear(keys(keys(over, 'escape'), 'runs'), { type: 'listed', work: 2, list: RUNS });
      return keys(hear(typed(list, 'c'), { type: 'calibrated', work: 3, report }), 'escape', 'escape');
    };
    expect(calibrated(REPORT).work?.kind).toBe('search');
    expect(calibrated({ ...REPORT, isAccepted: false, version: null }).work).toBeUndefined();
  });

  it('the log has what is not a step: the newest last, each with the step before it', () => {
    const { log } = trainOf(
      tell(
        training(),
        { kind: 'folder', path: 'runs/a' },
        step(1),
        { kind: 'skipped', path: 'x.png', reason: 'no image' },
        { kind: 'checkpoint', step: 1, path: 'runs/a/checkpoints/1', bytes: 4e6, seconds: 0.03 },
        { kind: 'not-saved', reason: 'the job keeps no checkpoints' },
      ),
    );
    expect(log.map(({ step: after, text }) => [after, text])).toEqual([
      [0, 'run folder runs/a'],
      [1, 'skipped x.png: no image'],
      [1, 'checkpoint runs/a/checkpoints/1, 4 MB in 30 ms'],
      [1, 'no checkpoint: the job keeps no checkpoints'],
    ]);
  });

  it('words that are said again, or of something further along, are one line of the log', () => {
    const phase = (text: string): TrainEvent => ({ kind: 'phase', text });
    const { log } = trainOf(
      tell(
        training(),
        phase('measuring'),
        phase('measuring: 1 of 2'),
        phase('measuring: 2 of 2'),
        phase('go'),
        phase('go'),
      ),
    );
    expect(log.map(({ text, times }) => [text, times])).toEqual([
      ['measuring: 2 of 2', 1],
      ['go', 2],
    ]);
  });

  it('the log of a long run is bounded', () => {
    const many = Array.from({ length: 1000 }, (_, index): TrainEvent => ({ kind: 'phase', text: `phase ${index}` }));
    const state = many.reduce(onTrainEvent, initialTrain(HERE[0]!));
    expect(state.log).toHaveLength(200);
    expect(state.log.at(-1)!.text).toBe('phase 999');
  });
});

describe('what a run is asked', () => {
  const askedOf = (state: AppState): readonly RunControl[] => trainOf(state).asked;
  const does = (state: AppState): string[] => hints(state, ARROWS).map(({ does: words }) => words);

  it('p pauses, and p again goes on, whether it has paused yet or not', () => {
    const asked = typed(training(), 'p');
    expect(askedOf(asked)).toEqual(['pause']);
    expect(does(asked)).toContain('go on');
    const paused = tell(asked, { kind: 'paused', isPaused: true, step: 3 });
    expect(trainOf(paused).isPaused).toBe(true);
    expect(askedOf(typed(paused, 'p'))).toEqual(['pause', 'go-on']);
    expect(askedOf(typed(asked, 'p'))).toEqual(['pause', 'go-on']);
    expect(askedOf(typed(training(), 'pkp'))).toEqual(['pause', 'checkpoint', 'go-on']);
  });

  it('k asks for a checkpoint, once until it is there or is said not to be', () => {
    const owed = typed(training(), 'kk');
    expect(askedOf(owed)).toEqual(['checkpoint']);
    const written = tell(owed, { kind: 'checkpoint', step: 1, path: 'c', bytes: 1, seconds: 1 });
    expect(askedOf(typed(written, 'k'))).toEqual(['checkpoint', 'checkpoint']);
    expect(trainOf(tell(owed, { kind: 'not-saved', reason: 'r' })).owesCheckpoint).toBe(false);
  });

  it('s stops, and then nothing more is asked', () => {
    const stopping = typed(training(), 's');
    expect(trainOf(stopping).status).toBe('stopping');
    expect(trainOf(typed(stopping, 'pks'))).toEqual(trainOf(stopping));
    expect(trainOf(hear(stopping, { type: 'stopped', work: 1 })).status).toBe('stopped');
    const stopped = hear(stopping, { type: 'trained', work: 1, runFolder });
    expect(trainOf(stopped).status).toBe('stopped');
    expect(keys(stopped, 'enter').screen.at).toBe('compare');
  });

  it('Esc and q ask before they stop a run, and any other key takes it back', () => {
    const asked = keys(training(), 'escape');
    expect(asked.notice).toBe('Training is under way: Esc again stops it and goes back.');
    expect(asked.screen.at).toBe('train');
    expect(keys(asked, 'escape')).toMatchObject({ screen: { at: 'plans' }, work: undefined });
    expect(keys(asked, 'down', 'escape').screen.at).toBe('train');
    expect(typed(training(), 'q').quit).toBe(false);
    expect(typed(training(), 'qq').quit).toBe(true);
    expect(typed(asked, 'q').quit).toBe(false);
  });

  it('Ctrl-C quits at once', () => {
    expect(keys(training(), 'interrupt').quit).toBe(true);
  });

  it('a run that fails keeps what it showed, under its error', () => {
    const detail = { place: 'rank 1', expected: 'an answer', got: 'exit status 134' };
    const error = new MeshwrightError('RANK_FAILED', detail);
    const state = hear(tell(training(), step(1)), { type: 'failed', work: 1, error });
    expect(state.failure).toBe(error);
    const closed = keys(state, 'enter');
    expect(trainOf(closed)).toMatchObject({ status: 'failed', latest: { step: 1 } });
    expect(keys(closed, 'escape').screen.at).toBe('plans');
  });

  it('other runs are not looked at meanwhile, since this one is only heard of here', () => {
    const state = keys(training(), 'runs');
    expect([state.screen.at, state.work?.id]).toEqual(['train', 1]);
    expect(state.notice).toContain('Training is under way');
  });

  it('Enter compares when there is something to compare, and Esc comes back', () => {
    expect(keys(training(), 'enter').screen.at).toBe('train');
    const compared = keys(trained(), 'enter');
    expect(compared.reading).toEqual({ id: 2, kind: 'runs', runFolder });
    expect(trainOf(keys(compared, 'escape', 'escape')).runFolder).toBe(runFolder);
  });
});

describe('the rows of its screen', () => {
  it.each([24, 25, 30, 40, 60, 200].flatMap((rows) => [[rows, 0] as const, [rows, 1] as const]))(
    'are all used, and no more, of %d with %d notes',
    (rows, notes) => {
      for (const columns of [80, 139, 140, 300]) {
        for (const ranks of [1, 2, 3, 4, 8, 64]) {
          const size = { columns, rows };
          const layout = trainLayout(size, ranks, 10, notes);
          const lines =
            3 +
            notes +
            layout.chartRows * layout.chartLines +
            (layout.chartRows - 1) +
            (1 + layout.lanes + 1) +
            Math.ceil(10 / layout.figuresAbreast) +
            ((layout.logHeading ? 1 : 0) + layout.logLines);
          expect(lines).toBeLessThanOrEqual(bodyRows(size));
          expect(layout.chartLines).toBeGreaterThanOrEqual(4);
          expect(layout.lanes).toBeGreaterThanOrEqual(2);
          expect(layout.lanes).toBeLessThanOrEqual(ranks + 1);
          expect(layout.logLines).toBeGreaterThanOrEqual(1);
        }
      }
    },
  );

  it('more of them never show less', () => {
    let before = trainLayout({ columns: 80, rows: 24 }, 8, 10, 0);
    for (let rows = 25; rows < 100; rows++) {
      const now = trainLayout({ columns: 80, rows }, 8, 10, 0);
      expect(now.lanes).toBeGreaterThanOrEqual(before.lanes);
      expect(now.chartRows).toBeGreaterThanOrEqual(before.chartRows);
      before = now;
    }
  });
});
