/** A simulated step of a pipeline for a trace file: a track a stage, its slots as spans, transfers as arrows. */
import { rankCount, stageMesh } from '../../src/mesh/index.js';
import type { SlotKind } from '../../src/program/schedules/index.js';
import type { Phase } from '../../src/program/index.js';
import type { Arrow, CounterSample, Span, TraceProcess } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';
import { toSeconds } from '../engine/index.js';
import type { Ticks } from '../engine/index.js';
import type { Machine } from '../machine/index.js';
import { pipelineMemoryTimeline } from './memory-timeline.js';
import type { PipelineExecution } from './simulate.js';
import { arrivalOf } from './times.js';

const PHASES: Record<SlotKind, Phase> = {
  forward: 'forward',
  backward: 'backward',
  'backward-input': 'backward',
  'backward-weight': 'backward',
};

/** Each stage is shown as its first rank. Memory is that of the stage that needs most. */
export function pipelineTrace(execution: PipelineExecution, { mesh }: Machine): TraceProcess {
  const { times, transfers, host, memory } = execution;
  const { schedule, timeline, begins, finishes } = times;
  const ranksPerStage = rankCount(stageMesh(mesh));
  const spans: Span[] = [];
  const arrows: Arrow[] = [];
  const spanOf = schedule.slots.map((): number[] => []);
  const add = (span: Omit<Span, 'start' | 'end'>, start: number, end: number): number =>
    spans.push({ ...span, start: toSeconds(start as Ticks), end: toSeconds(end as Ticks) }) - 1;
  schedule.slots.forEach((slots, stage) => {
    const rank = stage * ranksPerStage;
    slots.forEach(({ kind, chunk, microbatch }, index) => {
      const id = `${kind} ${microbatch}${schedule.chunks > 1 ? ` of chunk ${chunk}` : ''}`;
      const slot = { stage, chunk, microbatch };
      const span = { id, kind: 'slot', name: kind, phase: PHASES[kind], rank, slot } as const;
      spanOf[stage]![index] = add(span, timeline.start(stage, index), timeline.end(stage, index));
    });
    // After the slots, by the first of which a track is named.
    if (host > 0) add({ id: 'host/step', kind: 'host', name: 'step', phase: 'forward', rank }, 0, host);
    if (begins[stage]! > host)
      add({ id: 'start', kind: 'slot', name: 'start', phase: 'forward', rank }, host, begins[stage]!);
    const { start, end } = finishes[stage]!;
    add({ id: 'finish', kind: 'slot', name: 'finish', phase: 'optimizer', rank }, start, end);
  });
  const arrival = arrivalOf(times, transfers);
  schedule.slots.forEach((slots, stage) =>
    slots.forEach(({ kind, chunk }, index) => {
      const from = timeline.sender(stage, index);
      if (from === undefined || arrival(stage, kind, chunk) === undefined) return;
      const name = kind === 'forward' ? 'stream' : 'stream-cotangent';
      arrows.push({ name, from: spanOf[from.stage]![from.index]!, to: spanOf[stage]![index]! });
    }),
  );
  const largest = memory.reduce((most, one, stage) => (one.peakBytes > memory[most]!.peakBytes ? stage : most), 0);
  const counters = pipelineMemoryTimeline(execution, largest).map((point): CounterSample => ({
    counter: `memory bytes of stage ${largest}`,
    time: seconds(point.seconds),
    values: point.bytesByRole,
  }));
  return { name: 'simulated', spans, arrows, counters };
}
