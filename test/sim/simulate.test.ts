import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ticks } from '../../sim/engine/index.js';
import { Exposure, createMachine, execute, simulate, simulateExecution } from '../../sim/index.js';
import { hardwareFolder, loadHardware, loadStack, parseHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Op } from '../../src/program/index.js';
import { attributesOf } from '../../src/program/index.js';
import { bytes, flops, seconds } from '../../src/units.js';
import { STACK, inputOf, layeredProgram } from './helpers.js';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('the executor', () => {
  it('walks repeats, and names spans by element', () => {
    const mesh = createMesh({ model: 4 });
    const { program, machine } = inputOf({ machine: createMachine({ hardware: loadHardware('tpu-v4'), mesh }) });
    const { trace } = execute(program, machine, STACK);
    const ids = trace.spans.filter(({ kind }) => kind === 'collective').map(({ id }) => id);
    expect(ids).toEqual(['reduce@0', 'reduce@1', 'reduce@2']);
    expect(trace.spans.map(({ id }) => id).filter((id) => id.startsWith('up'))).toEqual(['up+2@0', 'up+2@1', 'up+2@2']);
  });

  it('walks a reversed repeat from the last element to the first', () => {
    const { program, machine } = inputOf();
    const ops = program.ops.map((op): Op =>
      op.name === 'repeat' ? { ...op, attributes: { ...attributesOf(op, 'repeat'), reverse: true } } : op,
    );
    const { trace } = execute({ ...program, ops }, machine, STACK);
    const ids = trace.spans.filter(({ name }) => name === 'all_reduce').map(({ id }) => id);
    expect(ids).toEqual(['reduce@2', 'reduce@1', 'reduce@0', 'total']);
  });

  it('leaves no gap between synchronous spans, the last of which ends the step', () => {
    const { trace } = simulateExecution(inputOf()).execution;
    trace.spans.forEach(({ start }, index) => expect(start).toBe(index === 0 ? 0 : trace.spans[index - 1]!.end));
    expect(trace.spans.at(-1)!.end).toBe(trace.duration);
    expect(trace.source).toBe('simulated');
  });

  it('begins with the host where the stack has it', () => {
    const stack = { ...STACK, hostOverheadPerStep: seconds(1e-3) };
    const { result, execution } = simulateExecution(inputOf({ stack }));
    expect(execution.trace.spans[0]).toMatchObject({ kind: 'host', start: 0, end: 1e-3 });
    expect(result.overheadSeconds - simulate(inputOf()).overheadSeconds).toBeCloseTo(1e-3, 12);
  });

  it('sends over the links what the spans say, times the ranks', () => {
    const { execution, result } = simulateExecution(inputOf());
    const sent = sum(execution.trace.spans.map(({ sentBytes }) => sentBytes ?? 0));
    // Every ring neighbour is one hop away on this slice.
    expect(sum([...execution.linkBytes])).toBeCloseTo(64 * sent, 0);
    expect(result.links.totalBytes).toBeCloseTo(64 * sent, 0);
  });
});

describe('the result', () => {
  it('has times by category that add up to the step', () => {
    const result = simulate(inputOf());
    expect(sum(Object.values(result.timeByCategorySeconds))).toBeCloseTo(result.stepTimeSeconds, 12);
    const parts = result.computeSeconds + result.overheadSeconds + result.exposedCommunicationSeconds;
    expect(parts + result.timeByCategorySeconds.idle).toBeCloseTo(result.stepTimeSeconds, 12);
    expect(result.timeByCategorySeconds.idle).toBe(0);
    expect(sum(Object.values(result.exposedCommunicationByAxisSeconds))).toBeCloseTo(
      result.exposedCommunicationSeconds,
      12,
    );
    expect(result.hiddenCommunicationSeconds).toBe(0);
    expect(result.overlapFraction).toBe(0);
  });

  it('counts MFU over the model, HFU over what was executed', () => {
    const input = inputOf();
    const executed = 3 * 2 * 2 * (512 * 256 * 256);
    const result = simulate({ ...input, modelFlops: flops((executed * 64) / 2) });
    expect(result.executedFlopsPerChip).toBe(executed);
    expect(result.hfu).toBeCloseTo(executed / (result.stepTimeSeconds * 275e12), 12);
    expect(result.mfu).toBeCloseTo(result.hfu / 2, 12);
    expect(result.tokensPerSecondPerChip).toBeCloseTo((16 * 512) / result.stepTimeSeconds / 64, 6);
  });

  it('fits what the runtime leaves free', () => {
    const fits = (size: number): boolean =>
      simulate(inputOf({ memory: { peakBytes: bytes(size), byRole: {}, peakOpId: 'up' } })).fits;
    const free = 32 * 2 ** 30 * 0.97;
    expect([fits(free - 1), fits(free + 1)]).toEqual([true, false]);
  });

  it('is the same bytes for the same input', () => {
    const text = (): string => JSON.stringify(simulateExecution(inputOf()));
    expect(text()).toBe(text());
  });

  it('is JSON without loss', () => {
    const result = simulate(inputOf());
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(result.schema).toBe('meshwright/simulation@1');
    expect(Object.values(result).every((value) => value !== undefined && !Number.isNaN(value))).toBe(true);
  });

  it('refuses a machine of another mesh', () => {
    const machine = createMachine({ hardware: loadHardware('tpu-v4'), mesh: createMesh({ model: 4 }) });
    expect(() => simulate({ ...inputOf(), machine })).toThrow(/INTERNAL/);
  });

  it.each(['tpu-v4', 'a100-80gb-sxm', 'h100-80gb-sxm'])('simulates on %s', (name) => {
    const hardware = loadHardware(name);
    const result = simulate(inputOf({ hardware, stack: loadStack(hardware.defaultStack) }));
    expect(result.stepTimeSeconds).toBeGreaterThan(0);
    expect(result.hfu).toBeLessThan(1);
    expect(result.mfu).toBeCloseTo(result.hfu, 12);
    expect(result.links.busiest!.utilization).toBeLessThanOrEqual(1);
  });
});

describe('hardware counts', () => {
  const yaml = readFileSync(join(hardwareFolder(), 'tpu-v4.yaml'), 'utf8');
  const stepTime = (text: string): number =>
    simulate(inputOf({ hardware: parseHardware(text, 'edited.yaml') })).stepTimeSeconds;

  it('editing the link bandwidth in the profile changes the result', () => {
    expect(yaml).toContain('value: 45 GB/s');
    expect(stepTime(yaml.replace('value: 45 GB/s', 'value: 4.5 GB/s'))).toBeGreaterThan(1.5 * stepTime(yaml));
  });

  it('faster links, memory or matmuls never make a step slower', () => {
    const factor = fc.double({ min: 1, max: 20, noNaN: true });
    const base = loadHardware('tpu-v4');
    const before = simulate(inputOf()).stepTimeSeconds;
    fc.assert(
      fc.property(factor, factor, factor, (link, memory, matmul) => {
        const text = yaml
          .replace('peak: { value: 50 GB/s', `peak: { value: ${50 * link} GB/s`)
          .replace('value: 45 GB/s', `value: ${45 * link} GB/s`)
          .replace('1200 GB/s', `${1200 * memory} GB/s`)
          .replace('275 TFLOP/s', `${275 * matmul} TFLOP/s`);
        const hardware = parseHardware(text, 'faster.yaml');
        expect(hardware.chip.memoryBandwidth.peak).toBeGreaterThanOrEqual(base.chip.memoryBandwidth.peak);
        expect(simulate(inputOf({ hardware })).stepTimeSeconds).toBeLessThanOrEqual(before);
      }),
      { numRuns: 20 },
    );
  });

  it('more layers take longer', () => {
    const { program, ...rest } = inputOf();
    const deeper = layeredProgram(program.mesh, 6);
    expect(simulate({ program: deeper, ...rest }).stepTimeSeconds).toBeGreaterThan(
      simulate({ program, ...rest }).stepTimeSeconds,
    );
  });
});

describe('exposed communication', () => {
  type Interval = readonly [number, number];
  const of = (kernels: readonly Interval[], transfers: readonly (readonly ['data' | 'model', number, number])[]) => {
    const exposure = new Exposure();
    const changes: [number, () => void][] = [];
    const at = (time: number, change: (now: Ticks) => void) => changes.push([time, () => change(time as Ticks)]);
    for (const [start, end] of kernels) {
      at(start, (now) => exposure.setBusy(true, now));
      at(end, (now) => exposure.setBusy(false, now));
    }
    for (const [axis, start, end] of transfers) {
      const collective = { axis };
      at(start, (now) => exposure.begin(collective, now));
      at(end, (now) => exposure.end(collective, now));
    }
    changes.toSorted(([a], [b]) => a - b).forEach(([, change]) => change());
    return exposure.totals();
  };

  it('is what no kernel runs beside', () => {
    expect(of([[0, 10]], [['model', 10, 15]])).toEqual({ exposed: 5, hidden: 0, exposedByAxis: { model: 5 } });
    expect(of([[0, 10]], [['model', 5, 15]])).toEqual({ exposed: 5, hidden: 5, exposedByAxis: { model: 5 } });
    expect(of([[0, 10]], [['model', 3, 9]])).toEqual({ exposed: 0, hidden: 6, exposedByAxis: {} });
    const kernels = [
      [0, 4],
      [6, 20],
    ] as const;
    expect(of(kernels, [['model', 2, 8]])).toEqual({ exposed: 2, hidden: 4, exposedByAxis: { model: 2 } });
  });

  it('counts time once where two collectives run, for the first', () => {
    const both = of(
      [],
      [
        ['model', 0, 10],
        ['data', 5, 20],
      ],
    );
    expect(both).toEqual({ exposed: 20, hidden: 0, exposedByAxis: { model: 10, data: 10 } });
  });
});
