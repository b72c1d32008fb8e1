import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInChild } from '../../src/runtime/index.js';
import type { TrainEvent } from '../../src/train/index.js';
import { Controls, train } from '../../src/train/index.js';
import { heed } from '../../src/train/controls.js';
import { createData, jobOf, STEPS, workerUrls } from './checkpoint-support.js';

let data: string;
beforeAll(async () => {
  data = await createData();
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

const plan = 'data=2 microbatches=1';
let runs = 0;

/** Trains six steps. @param onEvent may ask something, or abort */
async function run(
  onEvent: (event: TrainEvent, controls: Controls, controller: AbortController) => void,
  options: { readonly keep?: number; readonly timelineEverySeconds?: number } = {},
) {
  const runFolder = join(data, `controlled-${runs++}`);
  mkdirSync(runFolder);
  const { keep = 2, ...rest } = options;
  const job = jobOf(data, { model: 'gpt', plan, family: 'reference', checkpoint: { keep } });
  const controls = new Controls();
  const controller = new AbortController();
  const events: TrainEvent[] = [];
  const report = await train(
    { job, workerUrls, runFolder, untimedSteps: 0, evaluate: false, controls, ...rest },
    (event) => {
      events.push(event);
      onEvent(event, controls, controller);
    },
    controller.signal,
  );
  return { report, events, runFolder };
}

const lossesOf = (events: readonly TrainEvent[]): number[] =>
  events.flatMap((event) => (event.kind === 'step' ? [event.metrics.loss] : []));
const saidOf = (events: readonly TrainEvent[]): string[] =>
  events.flatMap((event) => {
    if (event.kind === 'step') return [`step ${event.metrics.step}`];
    if (event.kind === 'paused') return [`${event.isPaused ? 'paused' : 'going on'} after ${event.step}`];
    if (event.kind === 'checkpoint') return [`checkpoint ${event.checkpoint.step}`];
    return event.kind === 'not-saved' ? ['not saved'] : [];
  });

const isStep = (event: TrainEvent, step: number): boolean => event.kind === 'step' && event.metrics.step === step;

describe('a run under way', () => {
  it('pauses after the step in flight, saves meanwhile, goes on when asked, and trains what it would have', async () => {
    const whole = await run(() => undefined);
    const { events, runFolder } = await run((event, controls) => {
      if (isStep(event, 2)) controls.ask('pause');
      if (event.kind === 'paused' && event.isPaused) controls.ask('checkpoint');
      if (event.kind === 'checkpoint' && event.checkpoint.step === 2) {
        expect(existsSync(join(runFolderOf(event), 'checkpoints'))).toBe(true);
        controls.ask('go-on');
      }
    });
    expect(saidOf(events)).toEqual([
      ...['step 1', 'step 2', 'paused after 2', 'checkpoint 2', 'going on after 2'],
      ...['step 3', 'step 4', 'step 5', 'step 6', 'checkpoint 6'],
    ]);
    expect(lossesOf(events)).toEqual(lossesOf(whole.events));
    expect(existsSync(runFolder)).toBe(true);
  });

  it('writes a checkpoint that is asked for after the step in flight; asked again before the next, tells of the same', async () => {
    let asked = 0;
    const { events } = await run((event, controls) => {
      if (isStep(event, 3)) controls.ask('checkpoint');
      if (event.kind === 'checkpoint' && event.checkpoint.step === 3 && asked++ === 0) {
        controls.ask('pause');
        controls.ask('checkpoint');
      } else if (event.kind === 'checkpoint' && event.checkpoint.step === 3) controls.ask('go-on');
    });
    const said = saidOf(events);
    expect(said.filter((words) => words === 'checkpoint 3')).toHaveLength(2);
    expect(said.at(-1)).toBe(`checkpoint ${STEPS}`);
  });

  it('of a job that keeps no checkpoints, says that none is written', async () => {
    const { events } = await run((event, controls) => isStep(event, 1) && controls.ask('checkpoint'), { keep: 0 });
    expect(saidOf(events)).toContain('not saved');
    expect(saidOf(events).at(-1)).toBe('step 6');
  });

  it('stops while it is paused, with what it had', async () => {
    const { report, events } = await run((event, controls, controller) => {
      if (isStep(event, 2)) controls.ask('pause');
      if (event.kind === 'paused' && event.isPaused) controller.abort();
    });
    expect(report.made.count).toBe(2);
    expect(report.checkpoint?.step).toBe(2);
    expect(saidOf(events).filter((words) => words.startsWith('step'))).toHaveLength(2);
  });

  it('tells what its ranks did in a step where that is asked for, and not otherwise', async () => {
    const timelines = (events: readonly TrainEvent[]) =>
      events.flatMap((event) => (event.kind === 'timeline' ? [event.timeline] : []));
    const { events } = await run(() => undefined, { timelineEverySeconds: 0 });
    expect(timelines(events).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const { ranks, activities } of timelines(events)) {
      expect(ranks).toHaveLength(2);
      for (const cells of ranks) expect(cells.map((cell) => activities[cell])).toContain('compute');
    }
    const rare = await run(() => undefined, { timelineEverySeconds: 1e6 });
    expect(timelines(rare.events)).toHaveLength(1);
    expect(timelines((await run(() => undefined)).events)).toEqual([]);
  });
});

const runFolderOf = (event: Extract<TrainEvent, { kind: 'checkpoint' }>): string =>
  join(event.checkpoint.path, '..', '..');

it('before its first step there is nothing to save: what is asked then is done after it', async () => {
  const controls = new Controls();
  controls.ask('checkpoint');
  let saved = 0;
  const made = { count: 0 };
  const controlled = { step: 0, made, saved: undefined, checkpoint: () => Promise.resolve((saved++, undefined)) };
  const signal = new AbortController().signal;
  await heed(controlled, controls, () => undefined, signal);
  expect(saved).toBe(0);
  made.count = 1;
  await heed(controlled, controls, () => undefined, signal);
  await heed(controlled, controls, () => undefined, signal);
  expect(saved).toBe(1);
});

it('what is asked reaches the handler in the other process, in order', async () => {
  const fixture = new URL('../runtime/child-fixture.mjs', import.meta.url);
  const heard = await runInChild(
    fixture,
    { kind: 'asked', args: 3 },
    { onStarted: (ask) => ['pause', 'checkpoint', 'go-on'].forEach((control) => ask(control)) },
  );
  expect(heard).toEqual(['pause', 'checkpoint', 'go-on']);
});
