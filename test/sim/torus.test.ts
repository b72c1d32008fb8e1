/** Tori of any shape: which dimensions wrap, twists, placements, slices over a data-center network. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Machine, MachineOptions } from '../../sim/index.js';
import { createMachine } from '../../sim/index.js';
import type { TorusTopology } from '../../src/hardware/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import type { AxisName } from '../../src/mesh/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { collectiveSeconds, machineOf, namesOf, torusOf, withTopology } from './helpers.js';

type Options = Omit<MachineOptions, 'hardware' | 'mesh'>;
const tpu = (sizes: Parameters<typeof createMesh>[0], options: Options = {}): Machine =>
  createMachine({ hardware: loadHardware('tpu-v4'), mesh: createMesh(sizes), ...options });
const labels = (machine: Machine, axis: AxisName): string[] => machine.stages.get(axis)!.map(({ label }) => label);

/** Hops from a chip to all others, by breadth-first search over the links. */
function distances({ fabric, chips }: Machine, from: number): number[] {
  const out = Array.from({ length: chips }, (): number[] => []);
  for (const link of fabric.links) out[link.from]!.push(link.to);
  const found = Array.from({ length: chips }, () => Infinity);
  found[from] = 0;
  const queue = [from];
  for (const chip of queue) {
    for (const next of out[chip]!) {
      if (found[next] !== Infinity) continue;
      found[next] = found[chip]! + 1;
      queue.push(next);
    }
  }
  return found;
}

/** Mean hops between two chips, and what the fullest link carries, where every chip sends one byte to every chip. */
function allToAllLoad({ fabric, chips }: Machine): { meanHops: number; fullest: number } {
  const load = new Float64Array(fabric.links.length);
  let hops = 0;
  for (let from = 0; from < chips; from++) {
    for (let to = 0; to < chips; to++) {
      for (const link of fabric.route(from, to)) {
        load[link]!++;
        hops++;
      }
    }
  }
  return { meanHops: hops / chips ** 2, fullest: Math.max(...load) };
}

describe('ways through a torus', () => {
  const shapes = fc.tuple(
    fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('every-axis', 'per-axis', 'none', 'listed'),
    fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  );

  it('lead there, and none is shorter, whatever the shape and whichever dimensions wrap', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), ([slice, rule, listed], seed) => {
        const topology: TorusTopology = {
          ...torusOf(slice.length),
          wraparound: { rule, multiple: 1, ...(rule === 'listed' ? { dimensions: listed } : {}) },
        };
        const chips = slice.reduce((product, length) => product * length, 1);
        const machine = machineOf(topology, createMesh({ data: chips }), slice);
        const from = seed % chips;
        const hops = distances(machine, from);
        for (let to = 0; to < chips; to++) expect(namesOf(machine, from, to)).toHaveLength(hops[to]!);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['every-axis', 4, [4, 4, 2], 0],
    ['per-axis', 4, [4, 4, 2], 2],
    ['none', 1, [4, 4, 4], 0],
  ] as const)('with %s, lengths of multiples of %i, %j has %i wrapped dimensions', (rule, multiple, slice, wrapped) => {
    const topology = { ...torusOf(3), wraparound: { rule, multiple } };
    const machine = machineOf(topology, createMesh({ data: slice[0] * slice[1] * slice[2] }), slice);
    // Of a line of n chips n − 1 have a link upwards, of a ring all.
    const links = slice.reduce((total, length, dimension) => {
      const lines = (slice[0] * slice[1] * slice[2]) / length;
      return total + 2 * lines * (length - (dimension < wrapped ? 0 : 1));
    }, 0);
    expect(machine.fabric.links).toHaveLength(links);
  });

  it('listed dimensions keep their order: the fastest slice has its ring where the list says', () => {
    const topology: TorusTopology = {
      ...torusOf(2),
      wraparound: { rule: 'listed', multiple: 1, dimensions: [true, false] },
    };
    const machine = machineOf(topology, createMesh({ model: 8 }));
    expect(machine.slice).toEqual([8, 1]);
    expect(labels(machine, 'model')).toEqual(['x (8, wrapped)']);
  });
});

describe('a twisted torus', () => {
  it.each([[[4, 4, 8]], [[4, 8, 8]], [[8, 4, 4]], [[8, 4, 8]]])(
    '%j has as many links, and none of its ways could be shorter',
    (slice) => {
      const data = slice.reduce((product, length) => product * length, 1);
      const [plain, twisted] = [tpu({ data }, { slice }), tpu({ data }, { slice, twist: true })];
      expect(twisted.fabric.links).toHaveLength(plain.fabric.links.length);
      for (const from of [0, 37, data - 1]) {
        const hops = distances(twisted, from);
        for (let to = 0; to < data; to++) expect(namesOf(twisted, from, to)).toHaveLength(hops[to]!);
      }
    },
  );

  it('of two dimensions, too', () => {
    const machine = createMachine({
      hardware: withTopology(torusOf(2)),
      mesh: createMesh({ data: 32 }),
      slice: [4, 8],
      twist: true,
    });
    const hops = distances(machine, 5);
    for (let to = 0; to < 32; to++) expect(namesOf(machine, 5, to)).toHaveLength(hops[to]!);
    // Over the end of x, and half way along y.
    expect(namesOf(machine, 24, 4)).toEqual(['chip 24 +x']);
  });

  // Cloud TPU documentation, TPU v4: a theoretical 70 % and 40 % more bandwidth between halves.
  it.each([
    [[4, 4, 8], 1.7, 1.4],
    [[4, 8, 8], 1.4, 1.25],
  ])(
    '%j has some %d times the all-to-all bandwidth of a plain one, and ways that use most of it',
    (slice, most, least) => {
      const data = slice.reduce((product, length) => product * length, 1);
      const plain = allToAllLoad(tpu({ data }, { slice }));
      const twisted = allToAllLoad(tpu({ data }, { slice, twist: true }));
      // All six links of all chips are used alike at best.
      const ideal = (twisted.meanHops * data) / 6;
      expect(plain.fullest / ideal).toBeGreaterThan(most - 0.05);
      expect(plain.fullest / ideal).toBeLessThan(most + 0.05);
      expect(plain.fullest / twisted.fullest).toBeGreaterThan(least);
    },
  );

  it('changes what an axis along a short dimension takes, and nothing along a long one', () => {
    const time = (twist: boolean, axis: 'data' | 'model') =>
      collectiveSeconds(
        tpu({ data: 32, model: 4 }, { slice: [4, 4, 8], twist, placement: { model: ['x'], data: ['z', 'y'] } }),
        'all_gather',
        axis,
        1e6,
      );
    expect(time(true, 'model')).toBeGreaterThan(1.5 * time(false, 'model'));
    const along = (twist: boolean) =>
      collectiveSeconds(
        tpu({ data: 16, model: 8 }, { slice: [4, 4, 8], twist, placement: { model: ['z'] } }),
        'all_gather',
        'model',
        1e6,
      );
    expect(along(true)).toBe(along(false));
  });

  it('chooses a slice that can be twisted, and refuses one that can not', () => {
    expect(tpu({ data: 8, model: 16 }, { twist: true }).slice).toEqual([4, 4, 8]);
    expect(() => tpu({ data: 4, model: 16 }, { twist: true, slice: [4, 4, 4] })).toThrow(
      'JOB_INVALID at twist: expected a slice of lengths k and 2k that wraps on every axis, as 4×4×8 or 8×8×4, got 4×4×4',
    );
    expect(() => tpu({ data: 2, model: 16 }, { twist: true, slice: [2, 4, 4] })).toThrow(/at twist: .* got 2×4×4/);
    expect(() => tpu({ data: 4, model: 16 }, { twist: true })).toThrow(/slices of at most 16×16×16 can have, twisted/);
    const plain = withTopology({ ...torusOf(3), canTwist: false });
    expect(() => createMachine({ hardware: plain, mesh: createMesh({ data: 128 }), twist: true })).toThrow(
      /JOB_INVALID at twist: expected false, since the profile doesn't say that slices can be twisted/,
    );
  });
});

describe('placement by the user', () => {
  it('puts axes on the dimensions that are named, and the others on what is left', () => {
    const machine = tpu({ data: 64, model: 16 }, { slice: [8, 8, 16], placement: { data: ['y', 'x'] } });
    expect(labels(machine, 'data')).toEqual(['y (8, wrapped)', 'x (8, wrapped)']);
    expect(labels(machine, 'model')).toEqual(['z (16, wrapped)']);
  });

  it('finds a slice whose dimensions are as long as the axes', () => {
    const machine = tpu({ data: 64, model: 16 }, { placement: { model: ['x'], data: ['y', 'z'] } });
    expect(machine.slice).toEqual([16, 8, 8]);
    expect(labels(machine, 'model')).toEqual(['x (16, wrapped)']);
    expect(labels(machine, 'data')).toEqual(['y (8, wrapped)', 'z (8, wrapped)']);
    const chips = new Set(Array.from({ length: 1024 }, (_, rank) => machine.chipOf(rank)));
    expect(chips.size).toBe(1024);
    // The first named dimension is the most significant: the last data rank but one differs along z.
    expect(namesOf(machine, machine.chipOf(0), machine.chipOf(16))).toEqual(['chip 0 +z']);
  });

  it('changes the time of a collective', () => {
    const time = (options: Options) =>
      collectiveSeconds(tpu({ data: 4, model: 16 }, options), 'all_gather', 'model', 1e6);
    expect(time({ slice: [4, 4, 4] })).toBe(time({ slice: [4, 4, 4], placement: { data: ['x'], model: ['y', 'z'] } }));
    // Neither 2 × 2 × 16 wraps: a line instead of two rings.
    expect(time({ placement: { model: ['z'], data: ['x', 'y'] } })).toBeGreaterThan(1.9 * time({ slice: [4, 4, 4] }));
  });

  it.each([
    [
      { model: ['x'] },
      [8, 8, 16],
      /MESH_DOES_NOT_MULTIPLY at placement: expected dimensions whose lengths multiply to each axis of data=64,model=16, with model:x, got a slice of 8×8×16/,
    ],
    [
      { model: ['y'], replica: ['x'] },
      undefined,
      /MESH_DOES_NOT_MULTIPLY at placement: expected axes of the mesh that lies on a slice, data=64,model=16, got replica/,
    ],
    [{ model: ['w'] }, undefined, /JOB_INVALID at placement: expected dimensions of the torus, x, y, z, got w/],
    [
      { model: ['x'], data: ['x', 'y'] },
      undefined,
      /JOB_INVALID at placement: expected each dimension for one axis, got x twice/,
    ],
  ] as const)('%j on %j is refused', (placement, slice, message) => {
    expect(() => tpu({ data: 64, model: 16 }, { placement, ...(slice ? { slice } : {}) })).toThrow(message);
  });
});

describe('slices joined by a data-center network', () => {
  const palm = tpu({ data: 512, model: 12 });

  it('hold a mesh that is larger than a slice: PaLM 540B on two of 3,072', () => {
    expect([palm.slices, palm.slice]).toEqual([2, [12, 16, 16]]);
    expect(labels(palm, 'data')[0]).toBe('2 slices');
    expect(palm.stages.get('data')![0]).toMatchObject({ kind: 'network', length: 2 });
    expect(labels(palm, 'model')).toEqual(['x (12, wrapped)']);
    const chips = new Set(Array.from({ length: 6144 }, (_, rank) => palm.chipOf(rank)));
    expect(chips.size).toBe(6144);
    // The outermost part of the outermost axis: the first half of all ranks is on the first slice.
    for (const rank of [0, 1000, 3071]) expect(palm.chipOf(rank)).toBeLessThan(3072);
    for (const rank of [3072, 6143]) expect(palm.chipOf(rank)).toBeGreaterThanOrEqual(3072);
  });

  it('are what `replica` goes over, the outermost axis, and no other axis does', () => {
    const mesh = { replica: 2, data: 256, model: 12 };
    const copies = tpu(mesh);
    expect([copies.slices, copies.slice]).toEqual([2, [12, 16, 16]]);
    expect(labels(copies, 'replica')).toEqual(['2 slices']);
    expect(labels(copies, 'model')).toEqual(labels(palm, 'model'));
    for (const axis of ['data', 'model'] as const) {
      const groups = copies.stages.get(axis)!.flatMap((stage) => stage.groups);
      expect(groups.every((chips) => new Set(chips.map((chip) => Math.floor(chip / 3072))).size === 1)).toBe(true);
    }
    // On one slice it lies on the torus as any axis.
    expect(labels(tpu({ replica: 2, data: 16, model: 8 }), 'replica').join()).not.toContain('slices');
  });

  it('are reached through the card of a host, which its chips share', () => {
    expect(namesOf(palm, 5, 3072 + 5)).toEqual(['chip 5 to card', 'host 1 out', 'host 769 in', 'chip 3077 from card']);
    expect(namesOf(palm, 3072, 3073).join()).not.toContain('host');
    // Four chips a host, which share its card.
    const stage = palm.stages.get('data')![0]!;
    expect(stage.groups.every(([a, b]) => b! - a! === 3072)).toBe(true);
    const time = collectiveSeconds(tpu({ data: 2, model: 64 }, { slices: 2 }), 'all_gather', 'data', 1e9);
    const { dataCenterNetwork } = loadHardware('tpu-v4').topology as TorusTopology;
    const { chipsPerHost, hostPerDirection, latency } = dataCenterNetwork!;
    expect(time).toBeCloseTo(1e9 / (hostPerDirection.achievable / chipsPerHost) + latency, 6);
  });

  it('may be asked for', () => {
    const two = tpu({ data: 8, model: 8 }, { slices: 2 });
    expect([two.slices, two.slice!.reduce((product, length) => product * length, 1)]).toEqual([2, 32]);
    expect(tpu({ data: 8, model: 8 }).slices).toBe(1);
    const time = (slices: number) =>
      collectiveSeconds(tpu({ data: 8, model: 8 }, { slices }), 'all_reduce', 'data', 1e8);
    expect(time(2)).toBeGreaterThan(time(1));
  });

  it('are refused where mesh, profile or count do not allow them', () => {
    expect(() => tpu({ data: 64, model: 16 }, { slices: 16 })).toThrow(
      "JOB_INVALID at slices: expected at most 8, the most slices that the profile's data-center network joins, got 16",
    );
    expect(() =>
      createMachine({ hardware: withTopology(torusOf(3)), mesh: createMesh({ data: 8 }), slices: 2 }),
    ).toThrow(/JOB_INVALID at slices: expected 1, since the profile states no data-center network/);
    expect(() => tpu({ data: 15, model: 15 }, { slices: 2 })).toThrow(
      /JOB_INVALID at slices: expected a count that divides the 225 chips/,
    );
    const four: TorusTopology = {
      ...(loadHardware('tpu-v4').topology as TorusTopology),
    };
    const joined = withTopology({ ...four, dataCenterNetwork: { ...four.dataCenterNetwork!, mostSlices: 4 } });
    expect(() => createMachine({ hardware: joined, mesh: createMesh({ data: 2, model: 2 }), slices: 4 })).toThrow(
      /MESH_DOES_NOT_MULTIPLY at slices: expected an axis of data=2,model=2 that is a multiple of the 4 slices/,
    );
  });
});
