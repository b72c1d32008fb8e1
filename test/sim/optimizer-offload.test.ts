/** Transfers between chips and their hosts take the time of their bytes, beside kernels, and share what the host has. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Hardware, Host } from '../../src/hardware/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import type { HostLane } from '../../src/mesh/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { findModel, forward } from '../../src/models/index.js';
import { DEFAULT_ADAMW, hostBytes, lowerTrainingStep } from '../../src/program/index.js';
import type { OptimizerOffload, Program } from '../../src/program/index.js';
import { bytes, bytesPerSecond, seconds } from '../../src/units.js';
import { createMachine, execute, opUse, withFaults } from '../../sim/index.js';
import type { Execution } from '../../sim/index.js';

const MESH = createMesh({ data: 4 });
const LATENCY = 1e-5;
const STACK = loadStack('megatron-lm');

const hostOf = (linkRate: number, memoryRate?: number, chips = 4): Host => ({
  chips,
  memoryCapacity: bytes(1e12),
  linkPerDirection: { peak: bytesPerSecond(linkRate), achievable: bytesPerSecond(linkRate) },
  linkLatency: seconds(LATENCY),
  ...(memoryRate === undefined
    ? {}
    : { memoryBandwidth: { peak: bytesPerSecond(memoryRate), achievable: bytesPerSecond(memoryRate) } }),
});

const withHost = (host: Host): Hardware => ({ ...loadHardware('h100-80gb-sxm'), host });

const programs = new Map<OptimizerOffload, Program>();
function stepOf(optimizerOffload: OptimizerOffload): Program {
  const known = programs.get(optimizerOffload);
  if (known !== undefined) return known;
  const model = { ...findModel('gpt-tiny'), depth: 12 };
  const types = { parameterType: 'f32', computeType: 'bf16', activations: 'width', output: 'loss' } as const;
  const program = lowerTrainingStep(forward(model, { mesh: MESH, batch: 8, lossDivisor: 8, ...types }), {
    microbatches: 1,
    optimizer: DEFAULT_ADAMW,
    optimizerOffload,
  });
  programs.set(optimizerOffload, program);
  return program;
}

const machineOf = (host: Host) => createMachine({ hardware: withHost(host), mesh: MESH, hostLinks: true });
const run = (offload: OptimizerOffload, host: Host): Execution => execute(stepOf(offload), machineOf(host), STACK);

/** Of a lane: how often it was used, what was sent, and for how long. */
function useOf(execution: Execution, host: Host, lane: HostLane) {
  const machine = machineOf(host);
  const use = opUse(execution.occurrences, 1, machine, machine.chip.matmul.bf16!.peak);
  const own = use.collectives.filter(({ axis }) => axis === lane);
  return {
    runs: own.reduce((sum, { runs }) => sum + runs, 0),
    sent: own.reduce((sum, { sentBytesPerChip }) => sum + sentBytesPerChip, 0),
    busy: use.communicationByAxis[lane]?.busySeconds ?? 0,
  };
}

const parameterBytes = hostBytes(stepOf('streamed')) / 2;

describe('a transfer', () => {
  it('takes a latency and its bytes over the rate of the link, each way, all of the state once', () => {
    const host = hostOf(1e9);
    const execution = run('streamed', host);
    for (const lane of ['from-host', 'to-host'] as const) {
      const { runs, busy } = useOf(execution, host, lane);
      expect(busy).toBeCloseTo(runs * LATENCY + hostBytes(stepOf('streamed')) / 1e9, 6);
    }
    expect(useOf(execution, host, 'to-host').sent).toBe(hostBytes(stepOf('streamed')));
    expect(useOf(execution, host, 'from-host').sent).toBe(0);
  });

  it('goes on beside those the other way: a step takes little more than one way alone', () => {
    const host = hostOf(1e8);
    const one = hostBytes(stepOf('streamed')) / 1e8;
    const more = (run('streamed', host).duration - run('none', host).duration) / 1e10;
    expect(more).toBeGreaterThan(one);
    expect(more).toBeLessThan(1.35 * one);
  });

  it("shares the host's memory with all others: chips of one host take as many times as long", () => {
    const [wide, narrow] = [hostOf(1e9), hostOf(1e9, 1e9)];
    const duration = (host: Host) => useOf(run('streamed', host), host, 'from-host').busy;
    // Four chips, both ways at once nearly all the time.
    expect(duration(narrow) / duration(wide)).toBeGreaterThan(4);
    expect(duration(narrow) / duration(wide)).toBeLessThanOrEqual(8 + 1e-6);
    const alone = hostOf(1e9, 1e9, 1);
    expect(duration(alone) / duration(wide)).toBeLessThanOrEqual(2 + 1e-6);
  });
});

describe('an update by the host', () => {
  it('gets gradients, gives parameters, and reads and writes its memory once', () => {
    const host = hostOf(1e9, 1e9);
    const execution = run('host-update', host);
    expect(useOf(execution, host, 'to-host').sent).toBe(parameterBytes);
    // Reads gradient, copy and two moments, writes all but the gradient: seven times the bytes, of four chips.
    const least = (4 * 7 * parameterBytes) / 1e9;
    expect(useOf(execution, host, 'host-update').busy).toBeGreaterThanOrEqual(least * (1 - 1e-3));
    expect((execution.duration - run('none', host).duration) / 1e10).toBeGreaterThan(0.9 * least);
  });
});

describe('laws', () => {
  it('a faster link or memory never makes a step longer', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<OptimizerOffload>('streamed', 'host-update'),
        fc.integer({ min: 7, max: 11 }),
        fc.integer({ min: 8, max: 12 }),
        fc.boolean(),
        (offload, link, memory, isLink) => {
          const slow = run(offload, hostOf(10 ** link, 10 ** memory));
          const fast = run(offload, hostOf(10 ** (isLink ? link + 1 : link), 10 ** (isLink ? memory : memory + 1)));
          expect(fast.duration).toBeLessThanOrEqual(slow.duration + 100);
        },
      ),
      { numRuns: 12 },
    );
  });

  it.each(['streamed', 'host-update'] as const)(
    '%s takes as long on all chips as on the one that stands for them',
    (offload) => {
      const machine = machineOf(hostOf(2e9, 3e9));
      const one = execute(stepOf(offload), machine, STACK);
      const all = execute(stepOf(offload), machine, STACK, { unfold: {} });
      expect(one.folded).toBe(true);
      expect(all.duration).toBe(one.duration);
      expect(all.exposure).toEqual(one.exposure);
    },
  );

  it('a dead link to the host is named', () => {
    const machine = machineOf(hostOf(1e9));
    const broken = withFaults(machine, { links: [{ link: '2-from-host', left: 'dead' }], chips: [] });
    expect(() => execute(stepOf('streamed'), broken, STACK)).toThrow(
      'expected a way between chip 2 and its host, where its optimizer state is, got none, since this link is dead: chip 2 from host',
    );
    const slow = withFaults(machine, { links: [{ link: '2-from-host', left: 0.5 }], chips: [] });
    expect(execute(stepOf('streamed'), slow, STACK).duration).toBeGreaterThan(run('streamed', hostOf(1e9)).duration);
  });
});
