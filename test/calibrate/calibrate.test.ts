import { describe, expect, test } from 'vitest';
import type { Evidence } from '../../src/calibrate/index.js';
import { calibrate, fitTransfers, messagesOf } from '../../src/calibrate/index.js';
import { fitNonNegative } from '../../src/calibrate/regression.js';
import type { CollectiveKind, Hardware, Stack } from '../../src/hardware/index.js';
import {
  COLLECTIVES,
  formatProfile,
  loadHardware,
  loadStack,
  parseHardware,
  parseStack,
} from '../../src/hardware/index.js';
import { lowerJob, resolveJob } from '../../src/job/index.js';
import type { Program } from '../../src/program/index.js';
import { forEachOp, memoryUse } from '../../src/program/index.js';
import { simulatedSpans } from '../../src/trace/index.js';
import { bytesPerSecond, flops, flopsPerSecond, seconds } from '../../src/units.js';
import { createMachine, simulateExecution } from '../../sim/index.js';

const hardware = loadHardware('local');
const stack = loadStack('onnxruntime-cpu');

/** A machine whose matmuls, elementwise ops, launches and copies are slower than the profile says. */
const truth: { hardware: Hardware; stack: Stack } = {
  hardware: {
    ...hardware,
    chip: {
      ...hardware.chip,
      matmul: {
        f32: { ...hardware.chip.matmul.f32!, achievable: flopsPerSecond(hardware.chip.matmul.f32!.achievable / 1.6) },
      },
      memoryBandwidth: {
        ...hardware.chip.memoryBandwidth,
        achievable: bytesPerSecond(hardware.chip.memoryBandwidth.achievable / 2.5),
      },
      vectorRate: flopsPerSecond(hardware.chip.vectorRate / 2.5),
    },
  },
  stack: {
    ...stack,
    kernelLaunchOverhead: seconds(stack.kernelLaunchOverhead * 3),
    opOverhead: seconds(stack.opOverhead * 3),
  },
};

const jobOf = (mesh: { data?: number; model?: number }, microbatches: number) =>
  resolveJob({ model: 'vit-tiny', hardware: 'local', chips: 2, batch: 32, plan: { mesh, microbatches } }, () => true);

const simulateOn = (program: Program, of: { hardware: Hardware; stack: Stack }) =>
  simulateExecution({
    program,
    machine: createMachine({ hardware: of.hardware, mesh: program.mesh }),
    stack: of.stack,
    modelFlops: flops(1e9),
    tokensPerStep: 1,
    memory: memoryUse(program),
  });

/** What a run on the true machine would show of a program, beside what the profile thinks. */
function evidenceOf(program: Program, machine: typeof truth): Evidence {
  const believed = simulateOn(program, { hardware, stack });
  const real = simulateOn(program, machine);
  const asynchronous = new Set<string>();
  forEachOp(program.ops, (op) => op.asynchronous === true && asynchronous.add(op.id));
  const spans = simulatedSpans(real.execution.trace).filter(({ kind }) => kind !== 'host');
  return {
    spans: spans.map(({ id, kind: what, name, exposedSeconds, sentBytes = 0 }) => {
      const opId = id.split('@')[0]!;
      if (what === 'kernel') return { exposedSeconds, cost: believed.execution.kernels.get(opId)! };
      const kind = name as CollectiveKind;
      const messages = messagesOf(kind, 2);
      const transfer = { name: kind, bytes: sentBytes, messages, asynchronous: asynchronous.has(opId) };
      return { exposedSeconds, transfer };
    }),
    stepSeconds: [real.result.stepTimeSeconds],
  };
}

describe('calibration', () => {
  const plans = [jobOf({ data: 2 }, 1), jobOf({ data: 2 }, 2), jobOf({ model: 2 }, 1), jobOf({ model: 2 }, 2)].map(
    (job) => lowerJob(job),
  );

  test('finds planted errors from other plans, and predicts the one it has not seen', () => {
    for (const [index, program] of plans.entries()) {
      const others = plans.filter((_, other) => other !== index);
      const { hardware: fitted, stack: fittedStack } = calibrate(
        hardware,
        stack,
        'f32',
        others.map((other) => evidenceOf(other, truth)),
        'a test',
      );
      const after = simulateOn(program, {
        hardware: parseHardware(formatProfile(fitted), 'fitted'),
        stack: parseStack(formatProfile(fittedStack), 'fitted'),
      }).result.stepTimeSeconds;
      const before = simulateOn(program, { hardware, stack }).result.stepTimeSeconds;
      const real = simulateOn(program, truth).result.stepTimeSeconds;
      expect(Math.abs(before / real - 1)).toBeGreaterThan(0.3);
      expect(Math.abs(after / real - 1)).toBeLessThan(0.03);
    }
  });

  test('names what moved, and leaves the peak that MFU is relative to', () => {
    const evidence = plans.map((program) => evidenceOf(program, truth));
    const { corrections, hardware: fitted } = calibrate(hardware, stack, 'f32', evidence, 'a test');
    const factor = (what: string) => corrections.find((correction) => correction.what === what)!.factor;
    expect(factor('matmul')).toBeCloseTo(1.6, 1);
    expect(factor('memory')).toBeCloseTo(2.5, 0);
    expect(factor('vector')).toBeCloseTo(2.5, 0);
    expect(parseHardware(formatProfile(fitted), 'fitted').chip.matmul.f32!.peak).toBe(hardware.chip.matmul.f32!.peak);
    expect(fitted.chip.vectorRate).toMatchObject({ source: 'a test', status: 'calibrated' });
  });

  test('of a right profile changes next to nothing', () => {
    const right = (program: Program): Evidence => {
      const { execution, result } = simulateOn(program, { hardware, stack });
      const spans = execution.trace.spans.filter(({ kind }) => kind === 'kernel');
      return {
        spans: spans.map((span) => ({
          exposedSeconds: span.end - span.start,
          cost: execution.kernels.get(span.id.split('@')[0]!)!,
        })),
        stepSeconds: [result.stepTimeSeconds],
      };
    };
    const { corrections } = calibrate(hardware, stack, 'f32', plans.map(right), 'a test');
    for (const { what, factor } of corrections) if (what !== 'host') expect(factor, what).toBeCloseTo(1, 3);
  });

  describe('of copies between ranks', () => {
    const { topology } = hardware;
    if (topology.kind !== 'shared-memory') throw new Error('the ranks of this machine share its memory');
    const slower: typeof truth = {
      stack,
      hardware: {
        ...hardware,
        topology: {
          ...topology,
          transferPerChip: {
            ...topology.transferPerChip,
            achievable: bytesPerSecond(topology.transferPerChip.achievable / 3),
          },
          messageLatency: seconds(topology.messageLatency * 2),
        },
      },
    };
    const factors = (evidence: readonly Evidence[], on = stack) => {
      const { corrections } = calibrate(hardware, on, 'f32', evidence, 'a test');
      return Object.fromEntries(corrections.map(({ what, factor }) => [what, factor]));
    };
    const asynchronousOnly = ({ spans, stepSeconds }: Evidence): Evidence => ({
      spans: spans.filter(({ transfer }) => transfer === undefined || transfer.asynchronous),
      stepSeconds,
    });
    const evidence = plans.map((program) => evidenceOf(program, slower));

    test('finds planted errors', () => {
      const { transfer, message, host } = factors(evidence);
      expect(transfer).toBeCloseTo(3, 1);
      expect(message).toBeCloseTo(2, 1);
      expect(host).toBeCloseTo(1, 6);
    });

    test('takes only the sum of what asynchronous ones add: whose wait for the slower rank it was is unknown', () => {
      const [program] = plans as [Program, ...Program[]];
      const run = evidenceOf(program, slower);
      const overlapped = run.spans.filter(({ transfer }) => transfer?.asynchronous);
      expect(overlapped.length).toBeGreaterThan(1);
      const added = overlapped.reduce((total, { exposedSeconds }) => total + exposedSeconds, 0);
      const spans = run.spans.map((span) =>
        overlapped.includes(span) ? { ...span, exposedSeconds: span === overlapped[0] ? added : 0 } : span,
      );
      const [before, after] = [factors([run]), factors([{ ...run, spans }])];
      expect(after['transfer']).toBeCloseTo(before['transfer']!, 9);
      expect(after['message']).toBeCloseTo(before['message']!, 9);
    });

    test('of one sum alone corrects latency and bandwidth alike', () => {
      const { transfer, message } = factors([asynchronousOnly(evidence[0]!)]);
      expect(transfer).toBeCloseTo(message!, 1);
      expect(transfer).toBeGreaterThan(2);
      expect(transfer).toBeLessThan(3);
    });

    test('takes nothing from asynchronous ones where kernels hide them', () => {
      const hiding = { ...stack, asynchronous: COLLECTIVES };
      expect(factors([asynchronousOnly(evidence[0]!)], hiding)).not.toHaveProperty('transfer');
      expect(factors(evidence, hiding)['transfer']).toBeCloseTo(3, 1);
    });
  });

  test('has a span for every kernel that the programs launch', () => {
    for (const program of plans) {
      const { kernels } = simulateOn(program, { hardware, stack }).execution;
      const ids = new Set<string>();
      const visit = (ops: Program['ops']): void =>
        ops.forEach((op) => (op.name === 'kernel' ? ids.add(op.id) : op.region && visit(op.region.ops)));
      visit(program.ops);
      expect(new Set(kernels.keys())).toEqual(ids);
    }
  });
});

test('latency and bandwidth are told apart by collectives of several sizes', () => {
  const collectives = [1e3, 1e5, 1e7].map((bytes) => ({ messages: 2, bytes, seconds: 2 * 5e-6 + bytes / 4e9 }));
  const { secondsPerMessage, secondsPerByte } = fitTransfers(collectives)!;
  expect(secondsPerMessage).toBeCloseTo(5e-6, 9);
  expect(1 / secondsPerByte).toBeCloseTo(4e9, -3);
});

test('a fit never gives a negative time', () => {
  const fitted = fitNonNegative([
    { features: [1, 1], target: 1, weight: 1 },
    { features: [1, 2], target: 0.5, weight: 1 },
  ]);
  expect(fitted.every((value) => value >= 0)).toBe(true);
});
