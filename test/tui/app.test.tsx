import { render } from 'ink-testing-library';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { App } from '../../src/tui/app.js';
import { detectLook } from '../../src/tui/look.js';
import type { Services } from '../../src/tui/services.js';
import { fakeServices, found } from './fake-services.js';

const ESCAPE = '\u001B';
const look = detectLook({ LANG: 'C.UTF-8' }, 'linux');
const quick = (): Services => fakeServices({ tick: () => Promise.resolve(), steps: 20 });

let unmount: (() => void) | undefined;
afterEach(() => unmount?.());

function open(services: Services) {
  const shown = render(
    <App services={services} look={look} initial={{ chips: 1024, batch: 65_536 }} size={{ columns: 80, rows: 24 }} />,
  );
  unmount = shown.unmount;
  return {
    press: (input: string) => shown.stdin.write(input),
    shows: (text: string | RegExp) =>
      vi.waitFor(() => expect(shown.lastFrame()).toMatch(text), { timeout: 5000, interval: 10 }),
    frames: shown.frames,
  };
}

/** Types the fields for a run on this machine and searches. */
async function searchHere({ press, shows }: ReturnType<typeof open>): Promise<void> {
  await shows('Enter search');
  for (const typed of ['vit-tiny', '\t', 'cpu', '\t', '2', '\t', '64']) press(typed);
  await shows(/Batch +64/);
  press('\r');
  await shows('Found 3 plans');
}

describe('the UI', () => {
  it('goes from the fields over plans and training to the comparison by keys alone, and back', async () => {
    const ui = open(quick());
    await searchHere(ui);
    ui.press('t');
    await ui.shows('Finished. Enter compares');
    await ui.shows('accuracy 87.2 %');
    ui.press('\r');
    await ui.shows('Step 390 ms predicted');
    for (const expected of ['Predictions were off by 9.9 %', 'Finished', 'Found 3 plans', 'Enter search']) {
      ui.press(ESCAPE);
      await ui.shows(expected);
    }
  });

  it('shows plans while the search is running, and Esc aborts it', async () => {
    let aborted = false;
    const ui = open({
      ...quick(),
      search: (_task, _wish, onProgress, signal) =>
        new Promise((_, reject) => {
          onProgress(found([], false));
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('aborted'));
          });
        }),
    });
    await ui.shows('Enter search');
    ui.press('\r');
    await ui.shows('47 do not fit');
    ui.press(ESCAPE);
    await ui.shows('Enter search');
    await vi.waitFor(() => expect(aborted).toBe(true));
  });

  it('s stops a run through its signal, and what it measured is compared', async () => {
    const ui = open(fakeServices({ tick: () => new Promise((resolve) => setTimeout(resolve, 5)), steps: 100_000 }));
    await searchHere(ui);
    ui.press('t');
    await ui.shows(/step [1-9]\d* of 100000/);
    ui.press('s');
    await ui.shows(/Stopped at step \d+ of 100000/);
    ui.press('\r');
    await ui.shows('[Compare]');
  });

  it('p pauses a run, k has it write a checkpoint, p lets it go on, each through its service', async () => {
    const ui = open(fakeServices({ tick: () => new Promise((resolve) => setTimeout(resolve, 5)), steps: 100_000 }));
    await searchHere(ui);
    ui.press('t');
    await ui.shows(/step [1-9]\d* of 100000/);
    ui.press('p');
    await ui.shows(/Paused after step \d+; p goes on/);
    const [, paused] = /Paused after step (\d+)/.exec(ui.frames.at(-1)!)!;
    ui.press('k');
    await ui.shows(`checkpoint checkpoints/${paused}, 4 MB in 30 ms`);
    await ui.shows(`step ${paused} of 100000`);
    ui.press('p');
    await ui.shows('going on');
    await ui.shows(new RegExp(`step (?!${paused} )\\d+ of 100000`));
  });

  it('lists runs, goes down to the kernels of one, calibrates, and shows what moved', async () => {
    const ui = open(quick());
    await ui.shows('Enter search');
    ui.press('\u0012');
    await ui.shows('Predictions were off by 9.9 %');
    ui.press('\r');
    await ui.shows('Step 390 ms predicted');
    ui.press('\r');
    await ui.shows('encoder/in/matmul');
    ui.press(ESCAPE);
    await ui.shows('Step 390 ms predicted');
    ui.press(ESCAPE);
    await ui.shows('c calibrate');
    ui.press('c');
    await ui.shows('Accepted: local is its version 3');
    ui.press(ESCAPE);
    await ui.shows(/by today's profile 1.0 % \(3 of 3\)/);
    ui.press(ESCAPE);
    await ui.shows('Enter search');
  });

  it("shows a service's error in a box and goes on, also one that is not ours", async () => {
    const ui = open(quick());
    await ui.shows('Enter search');
    for (const [chips, expected] of [
      ['2', 'Error: PLAN_DOES_NOT_FIT'],
      ['3', 'Error: INTERNAL'],
    ] as const) {
      for (const typed of ['\t', '\t', chips, '\r']) ui.press(typed);
      await ui.shows(expected);
      ui.press(ESCAPE);
      await ui.shows('Enter search');
      for (let back = 0; back < 2; back++) ui.press('\u001B[Z');
      await ui.shows(/❯ Model/);
    }
    for (const typed of ['\t', '\t', '1024', '\r']) ui.press(typed);
    await ui.shows('Found 15 plans');
  });

  it('a service that throws before it promises anything is shown as well', async () => {
    const ui = open({
      ...quick(),
      search: () => {
        throw new RangeError('no such thing');
      },
    });
    await ui.shows('Enter search');
    ui.press('\r');
    await ui.shows('RangeError: no such thing');
  });

  it('ten thousand steps in one go are a few repaints, and none is lost', async () => {
    const ui = open(fakeServices({ tick: () => Promise.resolve(), steps: 10_000 }));
    await searchHere(ui);
    const before = ui.frames.length;
    ui.press('t');
    await ui.shows('step 10000 of 10000');
    // Beside them there are those of the spinner.
    expect(ui.frames.length - before).toBeLessThan(200);
  });
});
