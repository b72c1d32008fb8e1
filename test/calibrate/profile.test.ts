/** A machine of known costs is measured on paper: its profile has to say what it costs. */
import { describe, expect, test } from 'vitest';
import type { Block, OpProbe, RankBlock } from '../../src/calibrate/index.js';
import { opProbes, profileDevices } from '../../src/calibrate/index.js';
import {
  ADDENDS,
  ADDEND_NAMES,
  EXCHANGED_ELEMENTS,
  LAUNCHES,
  LAUNCH_NAMES,
  MEASURED_COLLECTIVES,
  MEETINGS,
  addendId,
  collectiveId,
  launchId,
  meetingId,
  meetingKernelId,
  probeId,
  probeProgram,
} from '../../src/calibrate/probe-program.js';
import { formatProfile, loadHardware, loadStack, parseHardware, parseStack } from '../../src/hardware/index.js';
import { lowerJob, resolveJob } from '../../src/job/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Op } from '../../src/program/index.js';
import { forEachOp, isCompute, matmulFlops, recordOf, typeBytes } from '../../src/program/index.js';
import { createMachine, kernelCost, opSizeOf } from '../../sim/index.js';

const program = (model: string) => lowerJob(resolveJob({ model, hardware: 'local', chips: 1, batch: 4 }, () => true));
const programs = ['vit-tiny', 'gpt-tiny', 'llama-tiny'].map(program);
const probes: readonly OpProbe[] = opProbes(programs, { matmuls: 6, sizes: 4, bytes: 2 ** 22 });

const TRUTH = { launch: 20e-6, port: 2e-6, op: 1e-6, copies: 10e9, rate: 50e9, start: 3e-6, perByte: 0.2e-9 };
const SLOWER = { 1: 1, 2: 1.25, 4: 2.5 } as Readonly<Record<number, number>>;
const EXCHANGE = {
  start: 15e-6,
  2: { latency: 10e-6, rate: 4e9 },
  4: { latency: 200e-6, rate: 1e9 },
} as const;
/** What ranks wait where they meet. */
const WAITS = {
  2: { start: 40e-6, walk: 80e-6 },
  4: { start: 2e-3, walk: 500e-6 },
} as const;
const KERNEL = 0.8e-3;
const HOST = { step: 300e-6, rank: 50e-6, span: 8e-6 };

const { ops, values } = probeProgram(createMesh({ data: 1 }), probes);
const byId = new Map<string, Op>();
forEachOp(ops, (op) => byId.set(op.id, op));
const typeOf = (id: number) => values[id]!.type;

const launched = (ports: number, bytes: number): number => TRUTH.launch + ports * TRUTH.port + bytes / TRUTH.copies;

function ownSeconds(op: Op): number {
  const types = (ids: readonly number[]) => ids.map(typeOf);
  const { matmul } = recordOf(op.name as 'matmul').work(types(op.operands), types(op.results), op.attributes as never);
  return matmul === undefined
    ? TRUTH.start + opSizeOf(op, values).bytes * TRUTH.perByte
    : matmulFlops(matmul) / TRUTH.rate;
}

function spansOf(ranks: number): Record<string, { median: number; mean: number }> {
  const spans: Record<string, { median: number; mean: number }> = {};
  const add = (id: string, seconds: number): void => {
    // Beyond two cores each run has a core to itself, or waits for its turn: only the mean shows it.
    const [seen, mean] = [Math.min(SLOWER[ranks]!, SLOWER[2]!), SLOWER[ranks]!];
    spans[id] = { median: seconds * seen, mean: seconds * mean };
  };
  probes.forEach((_, index) => {
    const op = byId.get(probeId(index))!;
    const ports = [...op.operands, ...op.results];
    const bytes = ports.reduce((sum, id) => sum + typeBytes(typeOf(id)), 0);
    add(probeId(index), launched(ports.length, bytes) + ownSeconds(op));
  });
  for (const name of LAUNCH_NAMES) {
    const { chain, elements, beside } = LAUNCHES[name];
    const one = elements < 100 ? TRUTH.op : TRUTH.op + elements * 4 * 1e-10;
    add(launchId(name), launched(2 * beside, 2 * beside * elements * 4) + beside * chain * one);
  }
  for (const name of ADDEND_NAMES)
    for (const isAdded of [false, true]) {
      const { elements } = ADDENDS[name];
      const added = isAdded ? launched(1, 4 * elements) - TRUTH.launch + elements * 1e-9 : 0;
      add(addendId(name, isAdded), 1e-3 + added);
    }
  if (ranks === 1) return spans;
  const { latency, rate } = EXCHANGE[ranks as 2 | 4];
  for (const name of MEASURED_COLLECTIVES)
    for (const elements of EXCHANGED_ELEMENTS) {
      const turns = name === 'all_reduce' ? 2 : 1;
      const messages = turns * (ranks - 1);
      const seconds = EXCHANGE.start + messages * latency + ((messages / ranks) * elements * 4) / rate;
      spans[collectiveId(name, elements)] = { median: seconds, mean: seconds };
    }
  const { start, walk } = WAITS[ranks as 2 | 4];
  for (const meeting of MEETINGS) {
    add(meetingKernelId(meeting), KERNEL);
    const computed = meeting.kernels * spans[meetingKernelId(meeting)]!.mean;
    const met = spans[collectiveId('all_reduce', meeting.elements)]!.mean;
    const mean = met + start + Math.sqrt(walk * computed);
    spans[meetingId(meeting)] = { median: mean / 2, mean };
  }
  return spans;
}

const blockOf = (block: number): Block => ({
  block,
  byRanks: [1, 2, 4].map((ranks): RankBlock => ({
    ranks,
    spans: spansOf(ranks),
    reference: 1e-3,
    idle: [4, 104].map((kernels) => ({
      kernels,
      seconds: HOST.step + (ranks - 1) * HOST.rank + kernels * HOST.span,
    })),
  })),
});

const measured = profileDevices({
  probes,
  blocks: Array.from({ length: 7 }, (_, block) => blockOf(block)),
  dtype: 'f32',
  base: loadHardware('local').document,
  baseStack: loadStack('onnxruntime-cpu').document,
  name: 'local',
  title: 'a machine on paper',
  stackName: 'paper',
  stackTitle: 'its software',
  stackPath: './stack.yaml',
  family: 'onnx',
  cores: 2,
  source: 'made up for a test',
  isFirst: true,
});
const hardware = parseHardware(formatProfile(measured.hardware), 'measured');
const stack = parseStack(formatProfile(measured.stack), 'measured');

describe('the profile of a machine whose costs are known', () => {
  test('has its launches, copies and host', () => {
    expect(stack.kernelLaunchOverhead).toBeCloseTo(TRUTH.launch, 7);
    expect(stack.operandOverhead / TRUTH.port).toBeCloseTo(1, 1);
    expect(stack.opOverhead).toBeCloseTo(TRUTH.op, 8);
    expect(stack.operandCopies! / TRUTH.copies).toBeCloseTo(1, 1);
    expect(stack.hostOverheadPerStep).toBeCloseTo(HOST.step, 7);
    expect(stack.hostOverheadPerRank).toBeCloseTo(HOST.rank, 7);
    expect(stack.hostTimePerSpan).toBeCloseTo(HOST.span, 8);
    expect(stack.kernelFamily).toBe('onnx');
  });

  test('predicts each kernel that was measured as it was, with any of the numbers of ranks', () => {
    for (const ranks of [1, 2, 4]) {
      const machine = createMachine({ hardware, mesh: createMesh({ data: ranks }) });
      probes.forEach((_, index) => {
        const op = byId.get(probeId(index))!;
        const cost = kernelCost(op, values, machine, stack);
        const truth = spansOf(ranks)[probeId(index)]!.mean;
        expect(cost.seconds / truth, `${op.name} on ${ranks} ranks`).toBeCloseTo(1, 1);
      });
    }
  });

  test('has its transfers: a start, a latency and a rate by number of ranks', () => {
    const { topology } = hardware;
    if (topology.kind !== 'shared-memory') throw new Error(topology.kind);
    for (const { ranks, bandwidth, latency } of topology.transfers!) {
      const truth = EXCHANGE[ranks as 2 | 4];
      expect(bandwidth / truth.rate).toBeCloseTo(1, 1);
      // The start and the latency are told apart by collectives that wait once and twice.
      expect((latency + topology.collectiveStart) / (truth.latency + EXCHANGE.start)).toBeCloseTo(1, 1);
    }
    Object.values(topology.transferEfforts!).forEach((effort) => expect(effort).toBeCloseTo(1, 2));
  });

  test('has what ranks wait where they meet, by number of ranks', () => {
    const { topology } = hardware;
    if (topology.kind !== 'shared-memory') throw new Error(topology.kind);
    expect(topology.waits!.map(({ ranks }) => ranks)).toEqual([2, 4]);
    for (const { ranks, start, walk } of topology.waits!) {
      const truth = WAITS[ranks as 2 | 4];
      expect(start / truth.start).toBeCloseTo(1, 1);
      expect(walk / truth.walk).toBeCloseTo(1, 1);
    }
  });

  test('says of every number where it is from, and how well it repeats', () => {
    const { chip, topology } = measured.hardware;
    if (topology.kind !== 'shared-memory') throw new Error(topology.kind);
    const numbers = [
      chip.matmul.f32!.achievable,
      chip.matmul.f32!.points,
      chip.memory.bandwidth.achievable,
      chip.vectorRate,
      chip.opTimes,
      ...[topology.contention, topology.transfers, topology.transferEfforts, topology.collectiveStart],
      topology.waits,
      ...[topology.messageLatency, topology.transferBandwidthPerChip.achievable, topology.cores],
      ...[measured.stack.kernelLaunchOverhead, measured.stack.operandOverhead, measured.stack.operandCopies],
      ...[measured.stack.opOverhead, measured.stack.hostOverheadPerStep, measured.stack.hostTimePerSpan],
    ];
    for (const one of numbers) expect(one).toMatchObject({ source: 'made up for a test', status: 'measured' });
    const { points } = measured.hardware.chip.matmul.f32!;
    for (const { repeatability } of [...points!.values, ...measured.hardware.chip.opTimes!.values])
      expect(repeatability).toBe(0);
    expect(measured.hardware.chip.matmul.f32!.peak).toMatchObject({ source: 'made up for a test', repeatability: 0 });
  });

  test('freezes its peak the first time, and keeps it later', () => {
    expect(hardware.chip.peakVersion).toBe(loadHardware('local').chip.peakVersion! + 1);
    expect(hardware.chip.matmul.f32!.peak / TRUTH.rate).toBeCloseTo(1, 1);
  });
});

test('probes cover every op of the programs they are of, but for what hangs on a place in a mesh', () => {
  const probed = new Set<string>(probes.map(({ name }) => name));
  const missing = new Set<string>();
  for (const { ops: all } of programs)
    forEachOp(all, ({ name, operands }) => {
      if (isCompute(name) && operands.length > 0 && !probed.has(name)) missing.add(name);
    });
  expect([...missing]).toEqual([]);
});
