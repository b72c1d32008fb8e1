/** Trace files, against the Trace Event Format as Perfetto reads it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TraceEvent, TraceProcess } from '../../src/trace/index.js';
import { traceEvents, traceText } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';
import { span } from './span.js';
import { traceFaults } from './trace-faults.js';

const eventsOf = (...processes: TraceProcess[]): TraceEvent[] => [...traceEvents(processes)];

test('processes are named by source, tracks by rank and kind', () => {
  const events = eventsOf(
    { name: 'measured', spans: [span('a', 0, 0, 1e-3), span('b', 1, 0, 2e-3, { kind: 'collective', sentBytes: 8 })] },
    { name: 'simulated', spans: [span('a', 0, 0, 1e-3)] },
  );
  expect(events.filter(({ name }) => name === 'process_name').map(({ args }) => args?.['name'])).toEqual([
    'measured',
    'simulated',
  ]);
  expect(events.filter(({ name }) => name === 'thread_name')).toHaveLength(3);
  const complete = events.filter(({ ph }) => ph === 'X');
  expect(complete.map(({ dur }) => dur)).toEqual([1000, 2000, 1000]);
  expect(new Set(complete.map(({ pid, tid }) => `${pid}/${tid}`)).size).toBe(3);
});

test('collectives over different axes, which may overlap, have tracks of their own', () => {
  const collective = (id: string, start: number, axis: 'data' | 'model') =>
    span(id, 0, start, start + 2e-3, { kind: 'collective', axis });
  const spans = [collective('a', 0, 'data'), collective('b', 1e-3, 'model'), collective('c', 2e-3, 'data')];
  const events = eventsOf({ name: 'simulated', spans });
  const threads = events.filter(({ name }) => name === 'thread_name').map(({ args }) => args?.['name']);
  expect(threads).toEqual(['rank 0 collectives over data', 'rank 0 collectives over model']);
  const [a, b, c] = events.filter(({ ph }) => ph === 'X').map(({ tid }) => tid);
  expect(a).toBe(c);
  expect(a).not.toBe(b);
});

describe('an arrow', () => {
  const spans = [
    span('kernel', 0, 0, 1e-3),
    span('gather', 0, 1e-3, 3e-3, { kind: 'collective', axis: 'data' }),
    span('reader', 0, 3e-3, 4e-3),
  ];
  const arrows = [
    { name: 'issue', from: 0, to: 1 },
    { name: 'done', from: 1, to: 2 },
  ];

  test('goes from inside the slice that issues to the start of the one that is issued, and on to the reader', () => {
    const events = eventsOf({ name: 'simulated', spans, arrows });
    const flows = events.filter(({ ph }) => ph === 's' || ph === 'f');
    expect(flows.map(({ ph, name, ts, tid }) => [ph, name, ts, tid])).toEqual([
      ['s', 'issue', 999.999, 1],
      ['f', 'issue', 1000, events.find(({ name }) => name === 'gather')!.tid],
      ['s', 'done', 2999.999, events.find(({ name }) => name === 'gather')!.tid],
      ['f', 'done', 3000, 1],
    ]);
    expect(traceFaults(events)).toEqual([]);
  });

  test('has an id that no other has, over all processes', () => {
    const events = eventsOf({ name: 'measured', spans, arrows }, { name: 'simulated', spans, arrows });
    expect(new Set(events.filter(({ ph }) => ph === 's').map(({ id }) => id)).size).toBe(4);
    expect(traceFaults(events)).toEqual([]);
  });
});

test('a counter has a series for each of its values, over time', () => {
  const counters = [0, 2e-3, 1e-3].map((time) => ({
    counter: 'memory',
    time: seconds(time),
    values: { parameter: 5, activation: time },
  }));
  const events = eventsOf({ name: 'simulated', spans: [], counters }).filter(({ ph }) => ph === 'C');
  expect(events.map(({ ts }) => ts)).toEqual([0, 1000, 2000]);
  expect(events[1]!.args).toEqual({ parameter: 5, activation: 1e-3 });
});

test('a file is what its events are, whatever the pieces', () => {
  const spans = Array.from({ length: 20000 }, (_, index) => span(`a@${index}`, 0, index * 1e-3, (index + 1) * 1e-3));
  const pieces = [...traceText([{ name: 'simulated', spans }])];
  expect(pieces.length).toBeGreaterThan(1);
  const read = JSON.parse(pieces.join('')) as { traceEvents: TraceEvent[] };
  expect(read.traceEvents).toEqual(eventsOf({ name: 'simulated', spans }));
  expect(JSON.parse([...traceText([])].join(''))).toEqual({ displayTimeUnit: 'ms', traceEvents: [] });
});

test('spans that follow each other without a gap are valid at any times', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 50000 }), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(lengths, (list) => {
      let tick = 0;
      const spans = list.map((length, index) => span(`s${index}`, 0, tick / 1e10, (tick += length) / 1e10));
      const arrows = spans.slice(1).map((_, index) => ({ name: 'next', from: index, to: index + 1 }));
      expect(traceFaults(eventsOf({ name: 'simulated', spans, arrows }))).toEqual([]);
    }),
  );
});

test('the check of traces finds what is wrong with one', () => {
  const events = eventsOf({
    name: 'simulated',
    spans: [span('a', 0, 0, 2e-3), span('b', 0, 1e-3, 3e-3)],
    arrows: [{ name: 'back', from: 1, to: 0 }],
  });
  expect(traceFaults(events)).toEqual(['b overlaps a', 'flow 1 ends before it starts']);
  expect(traceFaults([...events].reverse()).length).toBeGreaterThan(2);
  const [first] = eventsOf({ name: 'simulated', spans: [span('a', 0, 0, 2e-3)] }).filter(({ ph }) => ph === 'X');
  const named = events.filter(({ ph }) => ph === 'M');
  const wrong = JSON.parse(JSON.stringify({ ...first!, ts: Number.NaN, dur: -1 })) as TraceEvent;
  expect(traceFaults([...named, wrong])).toEqual(['a is at no time', 'a has no length']);
});
