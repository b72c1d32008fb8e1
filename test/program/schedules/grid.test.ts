import { describe, expect, it } from 'vitest';
import type { ScheduleName, SlotKind } from '../../../src/program/schedules/index.js';
import {
  createSchedule,
  gridText,
  placementOf,
  SCHEDULE_NAMES,
  scheduleGrid,
  slotTimes,
  timeline,
} from '../../../src/program/schedules/index.js';
import { chunksOf } from './arbitrary.js';

const half = { forward: 10, backwardInput: 10, backwardWeight: 10, transfer: 0 };

const letterOf = (kind: SlotKind) => (kind === 'forward' ? 'F' : kind === 'backward-weight' ? 'W' : 'B');

function drawn(name: ScheduleName, microbatches: number, width: number, times = half, bands?: number) {
  const shape = { stages: 4, chunks: chunksOf(name, 2), placement: placementOf(name) };
  const taken = slotTimes(shape, times);
  const line = timeline(createSchedule(name, { ...shape, microbatches, times: taken }), taken);
  return { line, lines: scheduleGrid(line, bands === undefined ? { width } : { width, bands }) };
}

describe('the grid of 4 stages and 12 microbatches', () => {
  it('shows what each stage does when', () => {
    expect(gridText(drawn('1f1b', 12, 190).lines)).toMatchInlineSnapshot(`
      "0  F0  F1  F2  F3  ........................B0      F4  B1      F5  B2      F6  B3      F7  B4      F8  B5      F9  B6      F10 B7      F11 B8      ....B9      ....B10     ....B11     
      1  ....F0  F1  F2  ................B0      F3  B1      F4  B2      F5  B3      F6  B4      F7  B5      F8  B6      F9  B7      F10 B8      F11 B9      ....B10     ....B11     ........
      2  ........F0  F1  ........B0      F2  B1      F3  B2      F4  B3      F5  B4      F6  B5      F7  B6      F8  B7      F9  B8      F10 B9      F11 B10     ....B11     ................
      3  ............F0  B0      F1  B1      F2  B2      F3  B3      F4  B4      F5  B5      F6  B6      F7  B7      F8  B8      F9  B9      F10 B10     F11 B11     ........................"
    `);
    expect(gridText(drawn('zb-2p', 12, 190).lines)).toMatchInlineSnapshot(`
      "0  F0  F1  F2  F3  F4  F5  F6  B0  F7  B1  W0  F8  B2  W1  F9  B3  W2  F10 B4  W3  F11 B5  B6  W4  W5  B7  B8  W6  W7  B9  B10 W8  W9  B11 W10 W11 ............
      1  ....F0  F1  F2  F3  F4  B0  F5  B1  F6  B2  F7  B3  W0  F8  B4  W1  F9  B5  W2  F10 B6  W3  F11 B7  B8  W4  W5  B9  B10 W6  W7  B11 W8  W9  W10 W11 ........
      2  ........F0  F1  F2  B0  F3  B1  F4  B2  F5  B3  F6  B4  F7  B5  W0  F8  B6  W1  F9  B7  W2  F10 B8  W3  F11 B9  B10 W4  W5  B11 W6  W7  W8  W9  W10 W11 ....
      3  ............F0  B0  F1  B1  F2  B2  F3  B3  F4  B4  F5  B5  F6  B6  F7  B7  W0  F8  B8  W1  F9  B9  W2  F10 B10 W3  F11 B11 W4  W5  W6  W7  W8  W9  W10 W11 "
    `);
  });

  it('goes on below where the terminal ends', () => {
    expect(gridText(drawn('zb-1p', 12, 80).lines)).toMatchInlineSnapshot(`
      "0  F0 F1 F2 F3 .........B0 W0 F4 B1 W1 F5 B2 W2 F6 B3 W3 F7 B4 
      1  ...F0 F1 F2 ......B0 F3 B1 W0 F4 B2 W1 F5 B3 W2 F6 B4 W3 F7 
      2  ......F0 F1 ...B0 F2 B1 F3 B2 W0 F4 B3 W1 F5 B4 W2 F6 B5 W3 
      3  .........F0 B0 F1 B1 F2 B2 F3 B3 W0 F4 B4 W1 F5 B5 W2 F6 B6 

      0  W4 F8 B5 W5 F9 B6 W6 F10B7 W7 F11B8 W8 B9 W9 B10W10B11W11
      1  B5 W4 F8 B6 W5 F9 B7 W6 F10B8 W7 F11B9 W8 B10W9 B11W10W11
      2  F7 B6 W4 F8 B7 W5 F9 B8 W6 F10B9 W7 F11B10W8 B11W9 W10W11
      3  W3 F7 B7 W4 F8 B8 W5 F9 B9 W6 F10B10W7 F11B11W8 W9 W10W11"
    `);
  });

  it('says of which chunk', () => {
    expect(gridText(drawn('interleaved-1f1b', 4, 120).lines)).toMatchInlineSnapshot(`
      "0  F0a F1a F2a F3a F0b F1b F2b F3b ....................................
      1  ....F0a F1a F2a F3a F0b F1b F2b F3b ........................B0b     
      2  ........F0a F1a F2a F3a F0b F1b F2b F3b ............B0b     B1b     
      3  ............F0a F1a F2a F3a F0b F1b F2b F3b B0b     B1b     B2b     

      0  B0b     B1b     B2b     B3b     B0a     B1a     B2a     B3a     
      1  B1b     B2b     B3b     B0a     B1a     B2a     B3a     ........
      2  B2b     B3b     B0a     B1a     B2a     B3a     ................
      3  B3b     B0a     B1a     B2a     B3a     ........................"
    `);
  });

  it.each(SCHEDULE_NAMES)('names every slot of %s, at any width', (name) => {
    for (const width of [80, 120, 200]) {
      const { line, lines } = drawn(name, 12, width, half, 20);
      // A slot that is cut by the end of a line goes on in the next band, so rows are put together again first.
      line.schedule.slots.forEach((slots, stage) => {
        const bands = lines.filter((pieces) => pieces[0]?.text.trim() === `${stage}`);
        const row = bands.flatMap((pieces) => pieces.slice(1).map(({ text }) => text)).join('');
        const named = [...row.matchAll(/([FBW])(\d+)([a-z]?)/g)].map(([, kind, microbatch, chunk]) => [
          kind,
          microbatch,
          chunk,
        ]);
        const letter = (chunk: number) => (line.schedule.chunks > 1 ? 'abc'[chunk] : '');
        expect(named).toEqual(
          slots.map(({ kind, microbatch, chunk }) => [letterOf(kind), `${microbatch}`, letter(chunk)]),
        );
      });
      for (const pieces of lines) expect(gridText([pieces]).length).toBeLessThanOrEqual(width);
    }
  });
});

it('columns are in proportion to time', () => {
  const { line, lines } = drawn('gpipe', 3, 200, { forward: 20, backwardInput: 30, backwardWeight: 10, transfer: 10 });
  const perTime = 3 / 20;
  lines.forEach((pieces, stage) => {
    let column = 0;
    let slot = 0;
    for (const { text, style } of pieces.slice(1)) {
      if (style !== 'idle') expect(Math.abs(column - line.start(stage, slot++) * perTime)).toBeLessThanOrEqual(0.5);
      column += text.length;
    }
    expect(slot).toBe(6);
  });
});

it('a number is never cut: where there is no room for it only the letter is left', () => {
  for (const width of [40, 61, 83, 118]) {
    const { line, lines } = drawn(
      'zb-2p',
      12,
      width,
      { forward: 17, backwardInput: 19, backwardWeight: 11, transfer: 2 },
      3,
    );
    const labels = line.schedule.slots.flat().map(({ kind, microbatch }) => `${letterOf(kind)}${microbatch}`);
    const shown = lines
      .flat()
      .filter(({ style }) => style !== 'label' && style !== 'idle')
      .map(({ text }) => text.trim());
    for (const text of shown) expect(['', 'F', 'B', 'W', ...labels]).toContain(text);
  }
});

it('what is too long for its bands shrinks, down to one column a slot or less', () => {
  const { lines } = drawn('1f1b', 200, 100, half, 2);
  expect(lines).toHaveLength(2 * 4 + 1);
  for (const pieces of lines) expect(gridText([pieces]).length).toBeLessThanOrEqual(100);
});

it('each piece says what it is, for whoever colours it', () => {
  const [first] = drawn('zb-v', 3, 200).lines;
  expect(first!.slice(0, 5)).toEqual([
    { text: '0  ', style: 'label' },
    { text: 'F0a ', style: 'forward', chunk: 0 },
    { text: 'F1a ', style: 'forward', chunk: 0 },
    { text: 'F2a ', style: 'forward', chunk: 0 },
    { text: expect.stringMatching(/^\.+$/), style: 'idle' },
  ]);
});
