import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNetwork, scheduleTicks } from '../../sim/index.js';
import { toSeconds } from '../../sim/engine/index.js';
import type { CollectiveRequest, Machine } from '../../sim/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { HOP, LINK, machineOf, switchOf, torusOf } from './helpers.js';

const MB = 1e6;

const run = (
  machine: Machine,
  name: CollectiveRequest['name'],
  held = MB,
  axis: 'data' | 'model' = 'model',
  shifts: readonly number[] = [1],
) => {
  const schedule = createNetwork(machine).collective({
    name,
    axis,
    heldBytes: bytes(held),
    shifts: shifts.map((by) => ({ by, bytes: bytes(held / shifts.length) })),
  });
  return { rounds: schedule.channels.flat(), seconds: toSeconds(scheduleTicks(schedule)) };
};

function linkBytes(machine: Machine, name: CollectiveRequest['name'], held = MB): number[] {
  const total = machine.fabric.links.map(() => 0);
  for (const round of run(machine, name, held).rounds)
    for (const [link, share] of round.pattern.linkShares) total[link]! += share * round.bytes * round.steps;
  return total;
}

/** n−1 steps of one neighbour's transfer each: Chan et al. 2007, the bucket algorithm. */
const ring = (n: number, chunk: number, latency = HOP, rate = LINK): number => (n - 1) * (latency + chunk / rate);

const model = (size: number) => createMesh({ model: size });

describe('against closed forms', () => {
  it.each([3, 4, 8, 16])('a wrapped ring of %i gathers with half of each chunk either way round', (n) => {
    const machine = machineOf(torusOf(1), model(n));
    expect(run(machine, 'all_gather').seconds).toBeCloseTo(ring(n, MB / 2), 8);
    expect(run(machine, 'reduce_scatter').seconds).toBeCloseTo(ring(n, MB / n / 2), 8);
    expect(run(machine, 'all_reduce').seconds).toBeCloseTo(2 * ring(n, MB / n / 2), 8);
  });

  it.each([2, 4, 8])('a line of %i gathers one way, and its last chip sends all the way back', (n) => {
    const machine = machineOf(torusOf(1, 64), model(n));
    expect(run(machine, 'all_gather').seconds).toBeCloseTo(ring(n, MB, (n - 1) * HOP), 8);
  });

  it.each([2, 4, 8])('a node of %i behind a switch', (n) => {
    const machine = machineOf(switchOf(8), model(n));
    expect(run(machine, 'all_gather').seconds).toBeCloseTo(ring(n, MB), 8);
    expect(run(machine, 'all_reduce').seconds).toBeCloseTo(2 * ring(n, MB / n), 8);
  });

  it('across nodes the network goes first in a gather, while there is little to move', () => {
    const machine = machineOf(switchOf(8), model(32));
    const across = ring(4, MB, 10 * HOP, LINK / 10);
    const inside = ring(8, 4 * MB);
    expect(run(machine, 'all_gather').seconds).toBeCloseTo(across + inside, 8);
    expect(run(machine, 'reduce_scatter', 32 * MB).seconds).toBeCloseTo(across + inside, 8);
  });

  it('a plane gathers over one dimension, then over the other, with as much more data', () => {
    const machine = machineOf(torusOf(2), model(32), [4, 8]);
    const one = ring(4, MB / 2) + ring(8, (4 * MB) / 2);
    const other = ring(8, MB / 2) + ring(4, (8 * MB) / 2);
    const got = run(machine, 'all_gather').seconds;
    expect(Math.min(Math.abs(got - one), Math.abs(got - other))).toBeLessThan(1e-8);
    expect(run(machine, 'reduce_scatter', 32 * MB).seconds).toBeCloseTo(got, 8);
  });

  it('a cube all-reduces over three dimensions and back', () => {
    const machine = machineOf(torusOf(3), model(64), [4, 4, 4]);
    const gather = ring(4, MB / 64 / 2) + ring(4, (4 * MB) / 64 / 2) + ring(4, (16 * MB) / 64 / 2);
    expect(run(machine, 'all_reduce').seconds).toBeCloseTo(2 * gather, 8);
  });

  it.each([4, 8, 16])('an all-to-all on a ring of %i moves n²/8 chunks over each link', (n) => {
    const machine = machineOf(torusOf(1), model(n));
    const chunk = MB / n;
    linkBytes(machine, 'all_to_all').forEach((sent) => expect(sent).toBeCloseTo(((n * n) / 8) * chunk, 3));
    // The rounds' farthest messages take 1, 2, … n/2 hops.
    const hops = ((n / 2) * (n / 2 + 1)) / 2;
    expect(run(machine, 'all_to_all').seconds).toBeCloseTo(hops * HOP + ((n * n) / 8) * (chunk / LINK), 9);
  });

  it('a permute by two places shares each link between two messages', () => {
    const machine = machineOf(torusOf(1), model(8));
    expect(run(machine, 'permute', MB, 'model', [1]).seconds).toBeCloseTo(HOP + MB / LINK, 8);
    expect(run(machine, 'permute', MB, 'model', [-1]).seconds).toBeCloseTo(HOP + MB / LINK, 8);
    expect(run(machine, 'permute', MB, 'model', [2]).seconds).toBeCloseTo(2 * HOP + (2 * MB) / LINK, 8);
  });

  it('opposite shifts in one launch use both directions of the links, equal ones share one', () => {
    const machine = machineOf(torusOf(1), model(8));
    const time = (shifts: number[], held = MB): number => run(machine, 'permute', held, 'model', shifts).seconds;
    expect(time([1, -1])).toBeCloseTo(HOP + MB / 2 / LINK, 8);
    expect(time([1, 1])).toBeCloseTo(HOP + MB / LINK, 8);
    // Two places one way and one the other: the first crosses two links, both shared with another of its kind.
    expect(time([2, -1])).toBeCloseTo(2 * HOP + MB / LINK, 8);
    expect(time([1, -1], 0)).toBeCloseTo(HOP, 8);
  });

  it('the larger of two opposite shifts decides', () => {
    const shifts = [
      { by: 1, bytes: bytes(MB) },
      { by: -1, bytes: bytes(3 * MB) },
    ];
    const network = createNetwork(machineOf(torusOf(1), model(8)));
    const schedule = network.collective({ name: 'permute', axis: 'model', heldBytes: bytes(4 * MB), shifts });
    expect(toSeconds(scheduleTicks(schedule))).toBeCloseTo(HOP + (3 * MB) / LINK, 8);
  });
});

describe('bytes', () => {
  it("a ring's all-gather moves (n−1)/n of the result over each chip's links, half each way", () => {
    const machine = machineOf(torusOf(1), model(8));
    const result = 8 * MB;
    linkBytes(machine, 'all_gather').forEach((sent) => expect(sent).toBeCloseTo(((7 / 8) * result) / 2, 3));
    linkBytes(machine, 'reduce_scatter', result).forEach((sent) => expect(sent).toBeCloseTo(((7 / 8) * result) / 2, 3));
  });

  it('a line carries the return hop on the other direction: each link moves (n−1)/n of the result', () => {
    const machine = machineOf(torusOf(1, 64), model(4));
    linkBytes(machine, 'all_gather').forEach((sent) => expect(sent).toBeCloseTo(3 * MB, 3));
  });

  it('what is sent arrives: bytes over links are bytes sent times hops', () => {
    const machine = machineOf(torusOf(3), model(64), [4, 4, 4]);
    const total = linkBytes(machine, 'all_gather').reduce((sum, sent) => sum + sent, 0);
    expect(total).toBeCloseTo(64 * 63 * MB, 0);
  });

  it('nothing is sent over the links of other axes', () => {
    const machine = machineOf(torusOf(3), createMesh({ data: 16, model: 4 }), [4, 4, 4]);
    const used = linkBytes(machine, 'all_gather').filter((sent) => sent > 0);
    expect(used).toHaveLength(64 * 2);
  });
});

describe('shape matters', () => {
  const time = (slice: number[], wrapMultiple = 1, held = MB): number =>
    run(machineOf(torusOf(3, wrapMultiple), model(64), slice), 'all_gather', held).seconds;

  it('longer rings take longer where latency counts', () => {
    expect(time([4, 4, 4], 1, 10)).toBeLessThan(time([1, 8, 8], 1, 10));
    expect(time([1, 8, 8], 1, 10)).toBeLessThan(time([1, 1, 64], 1, 10));
  });

  it('without wraparound it is slower', () => {
    expect(time([4, 4, 4], 64)).toBeGreaterThan(1.9 * time([4, 4, 4]));
  });

  it('groups that interleave on a dimension share its links', () => {
    const mesh = createMesh({ data: 8, model: 2 });
    const machine = machineOf(torusOf(1), mesh, [16]);
    // Two rings of data, their chips two apart, over every link.
    expect(run(machine, 'all_gather', MB, 'data').seconds).toBeCloseTo(7 * (2 * HOP + (2 * MB) / 2 / LINK), 9);
  });

  it('is never slower with faster links or fewer bytes', () => {
    const shapes = fc.record({
      data: fc.constantFrom(1, 2, 4, 8),
      model: fc.constantFrom(2, 4, 8, 16),
      name: fc.constantFrom('all_gather', 'reduce_scatter', 'all_reduce', 'all_to_all', 'permute' as const),
      held: fc.integer({ min: 0, max: 1e9 }),
      more: fc.double({ min: 1, max: 10, noNaN: true }),
    });
    fc.assert(
      fc.property(shapes, ({ data, model: size, name, held, more }) => {
        const machine = machineOf(torusOf(3, 4), createMesh({ data, model: size }));
        const links = machine.fabric.links.map((link) => ({
          ...link,
          bytesPerSecond: (link.bytesPerSecond * more) as never,
        }));
        const faster = { ...machine, fabric: { ...machine.fabric, links } };
        const slack = 1 + 1e-9;
        expect(run(faster, name, held).seconds).toBeLessThanOrEqual(run(machine, name, held).seconds * slack);
        expect(run(machine, name, held).seconds).toBeLessThanOrEqual(run(machine, name, held * more).seconds * slack);
      }),
      { numRuns: 60 },
    );
  });
});
