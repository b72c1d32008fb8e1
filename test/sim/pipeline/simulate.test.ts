/** Pipelines through the whole simulation: closed forms where stages are equal, and what holds of any. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { typeBytes } from '../../../src/program/index.js';
import { SCHEDULE_NAMES } from '../../../src/program/schedules/index.js';
import { flops } from '../../../src/units.js';
import { pipelineDetails, pipelineTrace, createMachine } from '../../../sim/index.js';
import { DECODER_VARIANTS } from '../../helpers/models.js';
import type { PipelineCase, Simulated } from './cases.js';
import { MODEL, equalStages, simulated } from './cases.js';

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

/** Of the time of slots alone, on average over the stages. */
function bubbleOfSlots({ result }: Simulated): number {
  const { byStage } = result.pipeline;
  const around = byStage[0]!.startSeconds + byStage[0]!.finishSeconds;
  return sum(byStage.map(({ bubbleSeconds }) => bubbleSeconds)) / byStage.length / (result.stepTimeSeconds - around);
}

const equal = (options: string, microbatches: number, pipe = 4): Simulated =>
  simulated({
    plan: `pipe=${pipe},model=2 microbatches=${microbatches} stage-layers=even ${options}`.trim(),
    chips: 2 * pipe,
    batch: microbatches * 4,
    change: equalStages,
  });

describe('the bubble of equal stages, where transfers take no time, is', () => {
  test.each([4, 8, 12])('(p − 1)/(m + p − 1) of GPipe and 1F1B, m = %i', (m) => {
    for (const schedule of ['gpipe', '1f1b'])
      expect(bubbleOfSlots(equal(`schedule=${schedule}`, m))).toBeCloseTo(3 / (m + 3), 9);
  });

  test.each([8, 12])('(p − 1)/(v·m + p − 1) of interleaved 1F1B, m = %i', (m) => {
    expect(bubbleOfSlots(equal('schedule=interleaved-1f1b virtual-stages=2', m))).toBeCloseTo(3 / (2 * m + 3), 9);
  });

  test('smaller with zero-bubble schedules, whose steps follow each other closely', () => {
    const plain = equal('schedule=1f1b', 12).result;
    for (const schedule of ['zb-h1', 'zb-1p', 'zb-2p', 'zb-v']) {
      const { result } = equal(`schedule=${schedule}`, 12);
      // With 1F1B's memory (F + B − W) of (F + B + W) is left, more than half where weights take little.
      const share = ['zb-h1', 'zb-1p'].includes(schedule) ? 1 : 1 / 2;
      expect(result.pipeline.bubbleFraction, schedule).toBeLessThan(share * plain.pipeline.bubbleFraction);
      expect(result.stepTimeSeconds, schedule).toBeLessThan(plain.stepTimeSeconds);
    }
  });
});

describe('memory', () => {
  test('of 1F1B: stage s holds min(m, p − s) microbatches, of GPipe m', () => {
    for (const m of [2, 4, 8]) {
      const held = (schedule: string) =>
        equal(`schedule=${schedule}`, m).result.pipeline.byStage.map(({ microbatchesHeld }) => microbatchesHeld);
      expect(held('1f1b')).toEqual([4, 3, 2, 1].map((most) => Math.min(m, most)));
      expect(held('gpipe')).toEqual([m, m, m, m]);
    }
  });

  test('of a microbatch that is held is what its forward slot leaves, to the byte', () => {
    const { result, execution } = equal('schedule=1f1b', 8);
    const { outputs, values } = execution.pipeline.virtual[1]!.slots.forward!;
    const left = sum(
      outputs.filter(({ name }) => name.startsWith('residual:')).map(({ value }) => typeBytes(values[value]!.type)),
    );
    expect(left).toBeGreaterThan(0);
    const peaks = result.pipeline.byStage.map(({ peakMemoryBytesPerChip }) => peakMemoryBytesPerChip);
    // The first gets nothing from a stage before it.
    expect(peaks[1]! - peaks[2]!).toBe(left);
    expect(peaks[2]! - peaks[3]!).toBe(left);
  });

  test('a limit of the schedule is kept', () => {
    const peak = (limit: string) => equal(`schedule=zb-2p schedule-memory=${limit}`, 12).result.pipeline.byStage;
    for (const { microbatchesHeld } of peak('3')) expect(microbatchesHeld).toBeLessThanOrEqual(3);
    expect(peak('3')[0]!.peakMemoryBytesPerChip).toBeLessThan(peak('8')[0]!.peakMemoryBytesPerChip);
  });
});

describe('reductions of gradients beside the last backward', () => {
  const plan = 'pipe=4,data=2 microbatches=4 stage-layers=even';
  const slow = { chips: 8, batch: 16, networkBytesPerSecond: 1e6 };
  const found = simulated({ plan, ...slow });
  const { pipeline, runs, times } = found.execution;

  test('hold up no cotangent: the slot that sends it takes what the others do, and what collectives take of the chip', () => {
    for (const { slots, last } of pipeline.virtual) {
      const [usual, reducing] = [runs.of(slots.backward!), runs.of(last.backward!)];
      expect(reducing.whole.duration).toBeGreaterThan(2 * usual.whole.duration);
      const kernels = (take: typeof usual.whole): number =>
        sum(Object.values(take.byCategory)) - take.byCategory.contention;
      expect(kernels(reducing.issued)).toBe(kernels(usual.whole));
      expect(reducing.issued.byCategory.exposedCommunication).toBe(0);
    }
  });

  test('end no sooner than one after the other, and before the update', () => {
    const { schedule } = times;
    times.finishes.forEach(({ start }, stage) => {
      const index = schedule.slots[stage]!.length - 1;
      const { queued } = runs.of(pipeline.virtual[stage]!.last.backward!);
      expect(start).toBeGreaterThanOrEqual(times.timeline.start(stage, index) + queued);
    });
  });

  test('leave the step shorter than after it, where they take longer than the pipeline takes to empty', () => {
    const after = simulated({ plan: `${plan} overlap-gradients=false`, ...slow });
    expect(found.result.stepTimeSeconds).toBeLessThan(after.result.stepTimeSeconds);
  });

  test('of several chunks follow each other on the links', () => {
    const chunks = simulated({ plan: `${plan} schedule=interleaved-1f1b virtual-stages=2`, ...slow }).execution;
    chunks.times.finishes.forEach(({ start }, stage) => {
      const own = chunks.pipeline.stages[stage]!.chunks.map(({ virtual }) => chunks.pipeline.virtual[virtual]!);
      const queued = sum(own.map(({ last }) => chunks.runs.of(last.backward!).queued));
      expect(start).toBeGreaterThanOrEqual(queued);
    });
  });
});

describe('where stages wait until what they send has arrived', () => {
  const slow = { chips: 8, batch: 16, networkBytesPerSecond: 1e6 };
  const plan = 'pipe=4,data=2 microbatches=4 stage-layers=even';
  const [going, waiting] = ['', ' overlap-transfers=false'].map((options) =>
    simulated({ plan: `${plan}${options}`, ...slow }),
  ) as [Simulated, Simulated];

  test('their transfers are in their own time, none of it hidden', () => {
    const { schedule, timeline } = waiting.execution.times;
    expect(schedule.blocking).toBe(true);
    const { duration } = waiting.execution.transfers.between(1, 2);
    const takes = ({ execution }: Simulated) =>
      execution.times.timeline.end(1, 0) - execution.times.timeline.start(1, 0);
    expect(timeline.end(1, 0) - timeline.start(1, 0)).toBe(takes(going) + duration);
    for (const { transfers } of waiting.execution.stages) expect(transfers.hidden).toBe(0);
  });

  test('a step takes longer', () => {
    expect(waiting.result.stepTimeSeconds).toBeGreaterThan(going.result.stepTimeSeconds);
  });
});

describe('where each send and receive is waited for by itself', () => {
  const plan = { plan: 'pipe=4,data=2 microbatches=4 overlap-transfers=false', chips: 8, batch: 16 };
  const slow = { ...plan, networkBytesPerSecond: 1e6 };
  const [together, apart] = [simulated(slow), simulated({ ...slow, stack: { exchanges: 'one-by-one' } })] as const;

  test('a stage in the middle is kept by what it receives too', () => {
    const takes = ({ execution: { times } }: Simulated) => times.timeline.end(1, 0) - times.timeline.start(1, 0);
    const { transfers, stages } = apart.execution;
    expect(takes(apart) - takes(together)).toBe(transfers.between(0, 1).duration);
    expect(stages[1]!.transfers.exposed).toBe(2 * together.execution.stages[1]!.transfers.exposed);
    expect(stages[1]!.transfers.hidden).toBe(0);
  });

  test('each program of a trace lies in its slot, after what was received', () => {
    const machine = createMachine({ hardware: apart.job.hardware, mesh: apart.job.plan.mesh });
    const { spans, arrows } = pipelineTrace(apart.execution, machine);
    for (const { from, to } of arrows!) expect(spans[to]!.start).toBeGreaterThanOrEqual(spans[from]!.end);
  });
});

test('masks of dropout are kept for every microbatch under way', () => {
  const { depth, width, sequence } = MODEL;
  const held = ({ execution }: Simulated, stage: number) => execution.memory[stage]!;
  const [without, with_] = [false, true].map((hiddenDropout) =>
    simulated({ plan: 'pipe=2 microbatches=4 stage-layers=even', chips: 2, batch: 4, stack: { hiddenDropout } }),
  ) as [Simulated, Simulated];
  const ofLayer = 2 * sequence * width;
  const { microbatchesHeld } = held(with_, 0);
  expect(microbatchesHeld).toBe(2);
  expect(held(with_, 0).byRole.activation - held(without, 0).byRole.activation).toBe(
    microbatchesHeld * (depth / 2) * ofLayer,
  );
});

describe('where chips of a tensor group send a part each', () => {
  const plan = 'pipe=2,model=2 microbatches=4';
  const scattered = { stageTransfers: 'scattered' } as const;
  const transferOf = (options: string, stack = {}) =>
    simulated({
      plan: `${plan} ${options}`,
      chips: 4,
      batch: 8,
      networkBytesPerSecond: 1e8,
      stack,
    }).execution.transfers.between(0, 1);

  test('they send their share of what all have, and gather the rest', () => {
    const [whole, part] = [transferOf('activations=replicated'), transferOf('activations=replicated', scattered)];
    expect(part.bytes).toBe(whole.bytes / 2);
    expect(part.gather).toBeDefined();
    expect(part.duration).toBeLessThan(whole.duration);
  });

  test('of tokens that are sharded they send what they have', () => {
    expect(transferOf('activations=sequence', scattered)).toEqual(transferOf('activations=sequence'));
  });
});

const CASES: Readonly<Record<string, PipelineCase>> = {
  ...Object.fromEntries(
    SCHEDULE_NAMES.map((name) => [
      name,
      { plan: `pipe=2,model=2 microbatches=4 schedule=${name}`, chips: 4, batch: 8, networkBytesPerSecond: 1e8 },
    ]),
  ),
  'reductions beside the last backward': {
    plan: 'pipe=4,data=2,model=2 microbatches=4',
    chips: 16,
    batch: 16,
    networkBytesPerSecond: 1e8,
  },
  'a table on both ends': {
    plan: 'pipe=4,data=2,model=2 microbatches=4 schedule=zb-1p activations=sequence shard=optimizer',
    chips: 16,
    batch: 16,
    model: { ...MODEL, tiedHead: true },
    networkBytesPerSecond: 1e7,
  },
  'uneven stages, sharded parameters': {
    plan: 'pipe=4,data=4 microbatches=2 stage-layers=1,3,4,0 shard=parameters rematerialize=full',
    chips: 16,
    batch: 16,
    networkBytesPerSecond: 1e8,
  },
  'a GPT that is folded into a V': {
    plan: 'pipe=2,data=2 microbatches=6 schedule=zb-v',
    chips: 4,
    batch: 12,
    model: { ...DECODER_VARIANTS['as GPT']!, depth: 6 },
    networkBytesPerSecond: 1e6,
  },
};

describe.each(Object.keys(CASES))('%s:', (name) => {
  const { result, execution, job } = simulated(CASES[name]!);
  const { stepTimeSeconds, pipeline } = result;

  it('the categories add up to the step, of every stage', () => {
    expect(sum(Object.values(result.timeByCategorySeconds))).toBeCloseTo(stepTimeSeconds, 12);
    expect(sum(Object.values(result.exposedCommunicationByAxisSeconds))).toBeCloseTo(
      result.exposedCommunicationSeconds,
      12,
    );
    for (const { byCategory, bubble } of execution.stages) {
      expect(sum(Object.values(byCategory)) + bubble).toBe(execution.times.period);
      expect(bubble).toBeGreaterThanOrEqual(0);
      expect(byCategory.idle).toBe(0);
    }
  });

  it('roles add up to the peak, and it is the largest stage whose memory has to fit', () => {
    expect(sum(Object.values(result.memoryBytesByRole))).toBe(result.peakMemoryBytesPerChip);
    const peaks = pipeline.byStage.map(({ peakMemoryBytesPerChip }) => peakMemoryBytesPerChip);
    expect(result.peakMemoryBytesPerChip).toBe(Math.max(...peaks));
    for (const { memoryBytesByRole } of pipeline.byStage)
      for (const value of Object.values(memoryBytesByRole)) expect(value).toBeGreaterThanOrEqual(0);
  });

  it('the critical path adds up to the step, and no bound is above it', () => {
    const machine = createMachine({ hardware: job.hardware, mesh: job.plan.mesh });
    const input = { result, execution, machine, modelFlops: flops(result.modelFlops), listLinks: false };
    const { bounds, details } = pipelineDetails(input);
    const { ops, byCategorySeconds, collectivesByAxisSeconds } = details!.criticalPath;
    expect(sum(ops.map(({ seconds }) => seconds))).toBeCloseTo(stepTimeSeconds, 12);
    const parts = sum(Object.values(byCategorySeconds)) + sum(Object.values(collectivesByAxisSeconds));
    expect(parts).toBeCloseTo(stepTimeSeconds, 12);
    expect(byCategorySeconds.idle).toBe(0);
    expect(bounds.seconds).toBeGreaterThan(0);
    expect(bounds.seconds).toBeLessThanOrEqual(stepTimeSeconds);
    const highest = Math.max(...details!.memoryTimeline.map(({ totalBytes }) => totalBytes));
    expect(highest).toBe(result.peakMemoryBytesPerChip);
  });

  it('the trace has a track a stage, on which nothing overlaps, and arrows that go forward in time', () => {
    const machine = createMachine({ hardware: job.hardware, mesh: job.plan.mesh });
    const { spans, arrows } = pipelineTrace(execution, machine);
    const tracks = new Map<number, number>();
    for (const { rank, start, end, kind } of spans.toSorted((a, b) => a.start - b.start)) {
      if (kind !== 'slot') continue;
      expect(start).toBeGreaterThanOrEqual(tracks.get(rank) ?? 0);
      tracks.set(rank, end);
    }
    expect(tracks.size).toBe(pipeline.stages);
    expect(arrows!.length).toBeGreaterThan(0);
    for (const { from, to } of arrows!) expect(spans[to]!.start).toBeGreaterThanOrEqual(spans[from]!.end);
  });
});

describe('never slower, with', () => {
  const filled = ['gpipe', '1f1b', 'interleaved-1f1b'] as const;

  it('faster links', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...filled, 'zb-h1', 'zb-h2'),
        fc.integer({ min: 6, max: 9 }),
        fc.constantFrom(2, 10),
        (schedule, exponent, times) => {
          const plan = `pipe=4,model=2 microbatches=8 schedule=${schedule}`;
          const step = (networkBytesPerSecond: number) =>
            simulated({ plan, chips: 8, batch: 16, networkBytesPerSecond }).result.stepTimeSeconds;
          expect(step(times * 10 ** exponent)).toBeLessThanOrEqual(step(10 ** exponent));
        },
      ),
      { numRuns: 12 },
    );
  });

  it('more microbatches of the same size: a smaller part is bubble', () => {
    fc.assert(
      // The others' stages idle where they are uneven, which is all the same with any count.
      fc.property(fc.constantFrom(...filled), fc.integer({ min: 1, max: 3 }), (schedule, groups) => {
        const bubble = (microbatches: number) =>
          simulated({
            plan: `pipe=4,model=2 microbatches=${microbatches} schedule=${schedule}`,
            chips: 8,
            batch: 4 * microbatches,
            networkBytesPerSecond: 1e9,
          }).result.pipeline.bubbleFraction;
        expect(bubble(4 * (groups + 1))).toBeLessThan(bubble(4 * groups));
      }),
      { numRuns: 10 },
    );
  });
});
