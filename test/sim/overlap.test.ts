/**
 * Asynchronous collectives against closed forms, in whole ticks, and properties of random programs. In closed forms the
 * chips' memory is so fast that collectives take none of it from kernels; `contention.test.ts` is about what they take.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ticks, toTicks } from '../../sim/engine/index.js';
import type { Execution, Machine } from '../../sim/index.js';
import { createMachine, execute, simulate } from '../../sim/index.js';
import { runFolded } from '../../sim/folded.js';
import { planProgram } from '../../sim/plan.js';
import type { Mesh } from '../../src/mesh/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Op, Program, ProgramInput, ValueId, ValueType } from '../../src/program/index.js';
import { Builder, countCollectiveBytes, fuse, isCollective, verify } from '../../src/program/index.js';
import type { Span } from '../../src/trace/index.js';
import { exposedTimes } from '../../src/trace/index.js';
import type { Seconds } from '../../src/units.js';
import { bytes, bytesPerSecond, flops, seconds } from '../../src/units.js';
import { RANDOM_MESH, mapOps, randomProgram } from '../helpers/random-program.js';
import { HOP, LINK, STACK, machineOf, switchOf, torusOf, withTopology } from './helpers.js';

const at = (id: string) => ({ id, phase: 'forward' as const });
const plain = { transposeA: false, transposeB: false, scale: 1 };
const input = (value: ValueId): ProgramInput => ({ kind: 'data', value, name: 'images' });
const finish = (builder: Builder, inputs: readonly ValueId[], outputs: readonly ValueId[]): Program =>
  verify(
    fuse(
      verify(
        builder.finish(
          inputs.map(input),
          outputs.map((value, index) => ({ name: `gradient:${index}`, value })),
        ),
      ),
    ),
  );
const synchronous = (program: Program): Program => mapOps(program, (op): Op => ({ ...op, asynchronous: false }));

const durationOf = ({ start, end }: Span): number => toTicks(end) - toTicks(start);
/** Ticks of the first span that an op or a kernel that begins with it has. */
function ticksOf({ trace }: Execution, id: string): number {
  return durationOf(trace.spans.find((span) => span.id.startsWith(id))!);
}

const ENDLESS = 1e30;
const withMemory = (machine: Machine, rate: number): Machine => {
  const memoryBandwidth = { peak: bytesPerSecond(rate), achievable: bytesPerSecond(rate) };
  return { ...machine, chip: { ...machine.chip, memoryBandwidth } };
};

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** A ring of `k` steps: each multiplies a shard while it travels on; the last one stays. */
function ring(k: number, width: number, asynchronous = true): Program {
  const builder = new Builder(createMesh({ model: k }));
  const type: ValueType = { shape: [width, 256], dtype: 'bf16', states: {} };
  const x = builder.value(type, 'input');
  const w = builder.value({ ...type, shape: [256, 256] }, 'parameter');
  const step = (shard: ValueId, sum: ValueId, id: string): ValueId =>
    builder.emit('matmul', [shard, w, sum], plain, at(id));
  const zero = builder.value(type, 'input');
  const { ops, result } = builder.block(() => {
    const { carried } = builder.repeat(
      { ...at('ring'), count: k - 1, carried: [x, zero], stacked: [] },
      ({ carried: [shard, sum] }) => {
        const options = { ...at('hop'), asynchronous };
        const next = builder.emit('permute', [shard!], { axis: 'model', shifts: [1] }, options);
        return { carried: [next, step(shard!, sum!, 'product')], stacked: [] };
      },
    );
    return step(carried[0]!, carried[1]!, 'last');
  });
  builder.append(ops);
  return finish(builder, [x, w, zero], [result]);
}

const ringMachine = (k: number, rate: number): Machine => {
  const link = { peak: bytesPerSecond(rate), achievable: bytesPerSecond(rate) };
  const topology = { ...torusOf(1), linkPerDirection: link } as ReturnType<typeof torusOf>;
  return withMemory(machineOf(topology, createMesh({ model: k })), ENDLESS);
};

describe('an overlapped ring', () => {
  it.each([
    [4, 1e9],
    [16, 1e9],
    [16, 1e12],
    [16, 4e11],
  ])('of %i steps takes the first product and then the longer of product and hop, links of %d B/s', (k, rate) => {
    const execution = execute(ring(k, 4096), ringMachine(k, rate), STACK);
    const [compute, hop] = [ticksOf(execution, 'product'), ticksOf(execution, 'hop')];
    expect(execution.duration).toBe(compute + (k - 1) * Math.max(compute, hop));
    expect(execution.exposure.exposed).toBe((k - 1) * Math.max(0, hop - compute));
    expect(execution.exposure.hidden).toBe((k - 1) * Math.min(hop, compute));
  });

  it('without overlap takes both one after the other', () => {
    const execution = execute(ring(16, 4096, false), ringMachine(16, 1e11), STACK);
    const [compute, hop] = [ticksOf(execution, 'product'), ticksOf(execution, 'hop')];
    expect(execution.duration).toBe(16 * compute + 15 * hop);
    expect(execution.exposure).toEqual({ exposed: 15 * hop, hidden: 0, exposedByAxis: { model: 15 * hop } });
  });
});

/** `layers` products with weights that are gathered, `by` layers ahead or just before. */
function gathered(mesh: Mesh, layers: number, by: number | undefined): Program {
  const builder = new Builder(mesh);
  const x = builder.value({ shape: [4096, 512], dtype: 'bf16', states: {} }, 'input');
  const shards = builder.value(
    { shape: [512 / mesh.axes[0]!.size, 512], dtype: 'bf16', states: { data: 0 }, stack: layers },
    'parameter',
  );
  const [y, shard] = [
    builder.value(builder.type(x), 'activation'),
    builder.value({ ...builder.type(shards), stack: undefined } as never, 'parameter'),
  ];
  const { ops: gather, result: weight } = builder.block(() =>
    builder.emit(
      'all_gather',
      [shard],
      { axis: 'data', dimensions: [0] },
      { ...at('gather'), asynchronous: by !== undefined },
    ),
  );
  const { ops, result } = builder.block(() => builder.emit('matmul', [y, weight], plain, at('product')));
  const out = builder.value(builder.type(x), 'activation');
  builder.push({
    name: 'repeat',
    ...at('layers'),
    operands: [x, shards],
    results: [out],
    attributes: { count: layers, carried: 1, reverse: false },
    region: {
      args: [y, shard],
      ops: by === undefined ? [...gather, ...ops] : ops,
      results: [result],
      ...(by === undefined ? {} : { ahead: { by, ops: gather } }),
    },
  });
  return finish(builder, [x, shards], [out]);
}

describe('gathers ahead', () => {
  const mesh = createMesh({ data: 8 });
  const run = (layers: number, by: number | undefined, rate: number) => {
    const link = { peak: bytesPerSecond(rate), achievable: bytesPerSecond(rate) };
    const topology = { ...torusOf(1), linkPerDirection: link } as ReturnType<typeof torusOf>;
    const machine = withMemory(machineOf(topology, mesh), ENDLESS);
    const execution = execute(gathered(mesh, layers, by), machine, STACK);
    return { execution, gather: ticksOf(execution, 'gather'), product: ticksOf(execution, 'product') };
  };

  it.each([1, 2])('by %i hide behind compute that takes longer: the first alone is waited for', (by) => {
    const { execution, gather, product } = run(12, by, 1e12);
    expect(gather).toBeLessThan(product);
    expect(execution.duration).toBe(gather + 12 * product);
    expect(execution.exposure).toMatchObject({ exposed: gather, hidden: 11 * gather });
  });

  it.each([1, 2])('by %i take as long as they take where compute is shorter', (by) => {
    const { execution, gather, product } = run(12, by, 5e9);
    expect(gather).toBeGreaterThan(product);
    expect(execution.duration).toBe(12 * gather + product);
    expect(execution.exposure).toMatchObject({ exposed: gather + 11 * (gather - product), hidden: 11 * product });
  });

  it('just before their use hide nothing', () => {
    const { execution, gather, product } = run(12, undefined, 1e12);
    expect(execution.duration).toBe(12 * (gather + product));
    expect(execution.exposure.hidden).toBe(0);
  });

  it('no more than `by` of them run before the first product has begun', () => {
    for (const by of [1, 2, 3]) {
      const { execution, gather } = run(12, by, 1e12);
      const spans = execution.trace.spans.filter(({ name }) => name === 'all_gather');
      const early = spans.filter(({ id }) => Number(id.split('@')[1]) <= by);
      early.forEach(({ end }, index) => expect(toTicks(end)).toBe((index + 1) * gather));
      const first = execution.trace.spans.find(({ id }) => id.startsWith('product') && id.endsWith('@0'))!;
      expect(spans[by + 1]!.start).toBeGreaterThanOrEqual(first.end);
    }
  });
});

describe('two collectives at once', () => {
  const mesh = createMesh({ data: 4, model: 4 });
  const both = (): Program => {
    const builder = new Builder(mesh);
    const x = builder.value({ shape: [1024, 1024], dtype: 'bf16', states: {} }, 'input');
    const { ops, result } = builder.block(() =>
      (['data', 'model'] as const).map((axis) =>
        builder.emit('permute', [x], { axis, shifts: [1] }, { ...at(axis), asynchronous: true }),
      ),
    );
    builder.append(ops);
    return finish(builder, [x], result);
  };
  const run = (machine: Machine) => {
    const execution = execute(both(), machine, STACK);
    const [data, model] = planProgram(both(), machine, STACK).collectives.map(({ duration }) => duration);
    return { execution, data: data!, model: model! };
  };

  it('run side by side where their links are different ones', () => {
    const { execution, data, model } = run(machineOf(torusOf(2), mesh, [4, 4]));
    expect(execution.duration).toBe(Math.max(data, model));
    // Neither hides: nothing is computed.
    expect(execution.exposure.exposed).toBe(execution.duration);
    const nodes = run(machineOf(switchOf(4), mesh));
    expect(nodes.execution.duration).toBe(Math.max(nodes.data, nodes.model));
  });

  it('share the links that they have in common: both transfers at half the rate, and then the latency', () => {
    // Both inside one node, through the same ports.
    const { execution, data, model } = run(machineOf(switchOf(16), mesh));
    const transfer = toTicks(seconds((2 * 1024 * 1024) / LINK));
    const latency = toTicks(seconds(HOP));
    expect([data, model]).toEqual([transfer + latency, transfer + latency]);
    expect(execution.duration).toBe(2 * transfer + latency);
    // Counted once, for the one that was issued first.
    expect(execution.exposure.exposedByAxis).toEqual({ data: 2 * transfer + latency });
    expect(execution.folded).toBe(true);
  });
});

describe('pending results', () => {
  const mesh = createMesh({ model: 4 });
  const machine = machineOf(torusOf(1), mesh);
  const type: ValueType = { shape: [256, 1024], dtype: 'bf16', states: {} };
  const hop = (builder: Builder, value: ValueId) =>
    builder.emit('permute', [value], { axis: 'model', shifts: [1] }, { ...at('hop'), asynchronous: true });
  const run = (build: (builder: Builder, x: ValueId) => readonly ValueId[]) => {
    const builder = new Builder(mesh);
    const x = builder.value(type, 'input');
    const { ops, result } = builder.block(() => build(builder, x));
    builder.append(ops);
    return execute(finish(builder, [x], result), machine, STACK);
  };
  const startOf = ({ trace }: Execution, id: string): number =>
    toTicks(trace.spans.find((span) => span.id.startsWith(id))!.start);
  const endOf = ({ trace }: Execution, id: string): number =>
    toTicks(trace.spans.find((span) => span.id.startsWith(id))!.end);

  it('are waited for by their first reader only', () => {
    const execution = run((builder, x) => {
      const moved = hop(builder, x);
      const own = builder.emit('gelu', [x], {}, at('own'));
      return [own, builder.emit('add', [moved, own], {}, at('reader'))];
    });
    expect(startOf(execution, 'own')).toBe(0);
    expect(startOf(execution, 'reader')).toBe(endOf(execution, 'hop'));
    expect(execution.exposure.hidden).toBe(ticksOf(execution, 'own'));
  });

  it('pass through stacks element by element, and through joined stacks', () => {
    const count = 4;
    const execution = run((builder, x) => {
      const stacks = ['first', 'second'].map(
        (id) =>
          builder.repeat({ ...at(id), count, carried: [], stacked: [] }, () => ({
            carried: [],
            stacked: [hop(builder, x)],
          })).stacked[0]!,
      );
      const joined = builder.value({ ...type, stack: 2 * count }, 'activation');
      builder.push({ name: 'join_stacks', ...at('join'), operands: stacks, results: [joined], attributes: {} });
      return builder.repeat({ ...at('readers'), count: 2 * count, carried: [], stacked: [joined] }, ({ stacked }) => ({
        carried: [],
        stacked: [builder.emit('gelu', [stacked[0]!], {}, at('read'))],
      })).stacked;
    });
    const hops = execution.trace.spans.filter(({ id }) => id.startsWith('hop'));
    const readers = execution.trace.spans.filter(({ id }) => id.startsWith('read'));
    expect(hops).toHaveLength(2 * count);
    // The last hop of each repeat alone is under way when the next is issued, so the readers of all others do not wait.
    expect(readers[0]!.start).toBe(hops.at(-2)!.end);
    expect(durationOf(readers[0]!)).toBeLessThan(durationOf(hops[0]!));
    expect(readers.at(-1)!.start).toBe(hops.at(-1)!.end);
    expect(readers.at(-2)!.end).toBeLessThan(hops.at(-1)!.end);
  });

  it('a collective that needs another waits for it in its turn, and holds nothing up', () => {
    const execution = run((builder, x) => {
      const twice = hop(builder, hop(builder, x));
      const own = builder.emit('gelu', [x], {}, at('own'));
      return [twice, own];
    });
    expect(startOf(execution, 'own')).toBe(0);
    expect(execution.duration).toBe(2 * ticksOf(execution, 'hop'));
  });
});

/** Hidden and exposed time as the spans show it; hidden is what collectives take that is not exposed. */
function exposureOf(spans: readonly Span[]) {
  const exposedByAxis: Record<string, number> = {};
  exposedTimes(spans).forEach((time, index) => {
    const { axis } = spans[index]!;
    if (axis !== undefined && time > 0) exposedByAxis[axis] = (exposedByAxis[axis] ?? 0) + time;
  });
  for (const [axis, time] of Object.entries(exposedByAxis)) exposedByAxis[axis] = toTicks(time as Seconds);
  const collectives = spans.filter(({ kind }) => kind === 'collective');
  const communicating = toTicks(seconds(total(exposedTimes(collectives))));
  const exposed = total(Object.values(exposedByAxis));
  return { hidden: communicating - exposed, exposed, exposedByAxis };
}

describe('random programs', () => {
  const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  // Axes with links of their own, and axes that share them; there collectives also take compute units.
  const [torus, node] = [machineOf(torusOf(2), RANDOM_MESH, [4, 2]), machineOf(switchOf(8), RANDOM_MESH)];
  const { matrixUnit } = node.chip;
  const units = { collectiveUnits: 3, matrixUnit: { ...matrixUnit, units: 10 } };
  const machines = [torus, { ...node, chip: { ...node.chip, ...units } }];
  const anyMachine = fc.nat({ max: machines.length - 1 });
  const check = (property: (program: Program, machine: Machine) => void, numRuns = 150): void =>
    fc.assert(
      fc.property(seeds, anyMachine, (seed, index) => property(fuse(randomProgram(seed)), machines[index]!)),
      { numRuns },
    );
  const step = (program: Program, machine: Machine) =>
    simulate({
      program,
      machine,
      stack: STACK,
      modelFlops: flops(1),
      tokensPerStep: 1,
      memory: { peakBytes: bytes(1), byRole: {}, peakOpId: '' },
    });

  it('leaping over settled iterations changes no tick', () =>
    check((program, machine) => {
      const plan = planProgram(program, machine, STACK);
      const { occurrences: none, ...leaping } = runFolded(plan);
      const { occurrences, ...walking } = runFolded(plan, true);
      expect(none).toEqual([]);
      expect(occurrences).toHaveLength(total([...plan.kernels, ...plan.collectives].map(({ times }) => times)));
      expect(leaping).toEqual(walking);
    }, 400));

  it('hidden and exposed times are those of the spans', () =>
    check((program, machine) => {
      const { trace, exposure } = execute(program, machine, STACK);
      const seen = exposureOf(trace.spans);
      expect(exposure).toEqual(seen);
    }));

  it('categories add up to the step, and exposed time by axis to all of it', () =>
    check((program, machine) => {
      const { duration, exposure, computeTicks } = execute(program, machine, STACK);
      const idle = duration - total(Object.values(computeTicks)) - exposure.exposed;
      // Who waits, waits for a collective.
      expect(idle).toBe(0);
      expect(total(Object.values(exposure.exposedByAxis))).toBe(exposure.exposed);
      const result = step(program, machine);
      expect(toTicks(result.timeByCategorySeconds.idle as never)).toBe(idle);
      expect(total(Object.values(result.timeByCategorySeconds))).toBeCloseTo(result.stepTimeSeconds, 12);
    }));

  it('asynchronous collectives never make a step slower, and send as much', () =>
    check((program, machine) => {
      const waiting = synchronous(program);
      const [a, b] = [execute(program, machine, STACK), execute(waiting, machine, STACK)];
      expect(a.duration).toBeLessThanOrEqual(b.duration);
      expect(b.exposure.hidden).toBe(0);
      expect(a.linkBytes).toEqual(b.linkBytes);
    }));

  it('on a stack that does not overlap communication asynchronous collectives take as long as synchronous ones', () =>
    check((program, machine) => {
      const waiting = { ...STACK, asynchronous: [] };
      const [a, b] = [execute(program, machine, waiting), execute(synchronous(program), machine, STACK)];
      expect(a.duration).toBe(b.duration);
      expect(a.exposure).toEqual(b.exposure);
      expect(a.trace.spans).toEqual(b.trace.spans);
    }));

  it('sends what the program says', () =>
    check((program, machine) => {
      const { trace } = execute(program, machine, STACK);
      const sent = total(trace.spans.map(({ sentBytes }) => sentBytes ?? 0));
      expect(sent).toBe(total(Object.values(countCollectiveBytes(program))));
    }));

  it('a faster machine is never slower, but for what kernels lose to collectives that are now beside them', () => {
    const faster = fc.double({ min: 1, max: 30, noNaN: true });
    // Where links are shared, one collective can come earlier and hold up another that more depends on.
    const [machine] = machines as [Machine];
    fc.assert(
      fc.property(seeds, faster, faster, (seed, links, memory) => {
        const program = fuse(randomProgram(seed));
        const { hardware, fabric } = machine;
        const quick = {
          ...machine,
          fabric: {
            ...fabric,
            links: fabric.links.map((link) => ({
              ...link,
              bytesPerSecond: bytesPerSecond(link.bytesPerSecond * links),
            })),
          },
          chip: {
            ...hardware.chip,
            memoryBandwidth: {
              ...hardware.chip.memoryBandwidth,
              achievable: bytesPerSecond(hardware.chip.memoryBandwidth.achievable * memory),
            },
          },
        };
        const { duration, computeTicks } = execute(program, quick, STACK);
        expect(duration - computeTicks.contention).toBeLessThanOrEqual(execute(program, machine, STACK).duration);
      }),
      { numRuns: 100 },
    );
  });

  it('gives the same bytes twice', () =>
    check((program, machine) => {
      const text = (): string => {
        const { trace, exposure, linkBytes } = execute(program, machine, STACK);
        return JSON.stringify({ trace, exposure, linkBytes, step: step(program, machine) });
      };
      expect(text()).toBe(text());
    }, 30));
});

it('a chain in which each op reads the one before takes as long either way', () => {
  const chain = (asynchronous: boolean): Program => {
    const builder = new Builder(RANDOM_MESH);
    const x = builder.value({ shape: [512, 512], dtype: 'bf16', states: {} }, 'input');
    const { ops, result } = builder.block(
      () =>
        builder.repeat({ ...at('chain'), count: 7, carried: [x], stacked: [] }, ({ carried: [y] }) => {
          const options = { ...at('hop'), asynchronous };
          const moved = builder.emit('permute', [y!], { axis: 'data', shifts: [1] }, options);
          return { carried: [builder.emit('gelu', [moved], {}, at('gelu'))], stacked: [] };
        }).carried,
    );
    builder.append(ops);
    return finish(builder, [x], result);
  };
  const machine = createMachine({ hardware: withTopology(torusOf(2)), mesh: RANDOM_MESH });
  const [a, b] = [true, false].map((asynchronous) => execute(chain(asynchronous), machine, STACK)) as [
    Execution,
    Execution,
  ];
  expect(a.duration).toBe(b.duration);
  expect(a.exposure).toEqual(b.exposure);
  expect(a.exposure.hidden).toBe(ticks(0));
  expect(isCollective(a.trace.spans[0]!.name as never)).toBe(true);
});
