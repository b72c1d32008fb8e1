import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNetwork, timeAlone } from '../../sim/index.js';
import { toSeconds } from '../../sim/engine/index.js';
import type { AlgorithmName, CollectiveRequest, Machine } from '../../sim/index.js';
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
  algorithm?: AlgorithmName,
) => {
  const network = createNetwork(machine, algorithm === undefined ? {} : { algorithms: { [name]: algorithm } });
  const schedule = network.collective({
    name,
    axis,
    heldBytes: bytes(held),
    shifts: shifts.map((by) => ({ by, bytes: bytes(held / shifts.length) })),
  });
  const { channels, algorithm: taken } = schedule;
  return {
    channels,
    algorithm: taken,
    rounds: channels.flat(),
    seconds: toSeconds(timeAlone(schedule, network.sharing)),
  };
};

const fixed = (machine: Machine, algorithm: AlgorithmName, name: CollectiveRequest['name'], held = MB): number =>
  run(machine, name, held, 'model', [], algorithm).seconds;

function linkBytes(machine: Machine, name: CollectiveRequest['name'], held = MB, algorithm?: AlgorithmName): number[] {
  const total = machine.fabric.links.map(() => 0);
  for (const round of run(machine, name, held, 'model', [1], algorithm).rounds)
    for (const [link, share] of round.pattern.linkShares) total[link]! += share * round.bytes * round.steps;
  return total;
}

/** n−1 steps of one neighbour's transfer each: Chan et al. 2007, the bucket algorithm. */
const ring = (n: number, chunk: number, latency = HOP, rate = LINK): number => (n - 1) * (latency + chunk / rate);

const model = (size: number) => createMesh({ model: size });

/** A link from every chip to every other. */
function fullyConnected(n: number): Machine {
  const machine = machineOf(switchOf(n), model(n));
  const links = Array.from({ length: n * n }, (_, index) => ({
    ...machine.fabric.links[0]!,
    from: Math.floor(index / n),
    to: index % n,
  }));
  const route = (from: number, to: number): number[] => (from === to ? [] : [from * n + to]);
  return { ...machine, fabric: { links, vertices: n, route } };
}

const withReducingSwitch = (machine: Machine): Machine => ({
  ...machine,
  stages: new Map(
    [...machine.stages].map(([axis, stages]) => [axis, stages.map((stage) => ({ ...stage, reducesInSwitch: true }))]),
  ),
});

/** Both ways round at once: half the steps, and half of the bytes over each link. */
const twoWays = (n: number, chunk: number): number => Math.floor(n / 2) * HOP + ((n - 1) / 2) * (chunk / LINK);

describe('against closed forms', () => {
  it.each([3, 4, 8, 16])('a wrapped ring of %i gathers half-way round in both directions', (n) => {
    const machine = machineOf(torusOf(1), model(n));
    expect(fixed(machine, 'bidirectional-ring', 'all_gather')).toBeCloseTo(twoWays(n, MB), 8);
    expect(fixed(machine, 'bidirectional-ring', 'reduce_scatter')).toBeCloseTo(twoWays(n, MB / n), 8);
    expect(fixed(machine, 'bidirectional-ring', 'all_reduce')).toBeCloseTo(2 * twoWays(n, MB / n), 8);
    expect(fixed(machine, 'ring', 'all_gather')).toBeCloseTo(ring(n, MB), 8);
    expect(fixed(machine, 'ring', 'all_reduce')).toBeCloseTo(2 * ring(n, MB / n), 8);
  });

  it.each([4, 8])('on a line of %i the ring goes out over every second chip and back, two hops a step', (n) => {
    const machine = machineOf(torusOf(1, 64), model(n));
    expect(fixed(machine, 'ring', 'all_gather')).toBeCloseTo(ring(n, MB, 2 * HOP), 8);
    const line = run(machine, 'all_gather', MB, 'model', [], 'ring').rounds;
    expect(line.every(({ pattern }) => pattern.even)).toBe(true);
  });

  it.each([2, 4, 8])(
    'a node of %i behind a switch: all algorithms move as much, with fewer and fewer latencies',
    (n) => {
      const machine = machineOf(switchOf(8), model(n));
      const moved = ((n - 1) * MB) / LINK;
      expect(fixed(machine, 'ring', 'all_gather')).toBeCloseTo((n - 1) * HOP + moved, 8);
      expect(fixed(machine, 'halving-doubling', 'all_gather')).toBeCloseTo(Math.log2(n) * HOP + moved, 8);
      expect(fixed(machine, 'direct', 'all_gather')).toBeCloseTo(HOP + moved, 8);
      expect(fixed(machine, 'ring', 'all_reduce')).toBeCloseTo(2 * ring(n, MB / n), 8);
      expect(fixed(machine, 'halving-doubling', 'all_reduce')).toBeCloseTo(2 * (Math.log2(n) * HOP + moved / n), 8);
      expect(fixed(machine, 'halving-doubling', 'all_to_all')).toBeCloseTo(Math.log2(n) * (HOP + MB / 2 / LINK), 8);
      expect(fixed(machine, 'direct', 'all_to_all')).toBeCloseTo(HOP + moved / n, 8);
    },
  );

  it.each([2, 5, 8])('on %i fully connected chips a direct gather takes a latency and a chunk', (n) => {
    const machine = fullyConnected(n);
    expect(fixed(machine, 'direct', 'all_gather')).toBeCloseTo(HOP + MB / LINK, 8);
    expect(fixed(machine, 'direct', 'all_reduce')).toBeCloseTo(2 * (HOP + MB / n / LINK), 8);
    expect(fixed(machine, 'direct', 'all_to_all')).toBeCloseTo(HOP + MB / n / LINK, 8);
  });

  it.each([4, 7, 8])('a switch of %i that adds up gets the data once and gives the sum once', (n) => {
    const machine = withReducingSwitch(machineOf(switchOf(n), model(n)));
    expect(fixed(machine, 'in-switch', 'all_reduce')).toBeCloseTo(HOP + MB / LINK, 8);
    expect(fixed(machine, 'in-switch', 'all_gather')).toBeCloseTo(((n - 1) * MB) / LINK, 5);
    const ports = linkBytes(machine, 'all_gather', MB, 'in-switch').filter((sent) => sent > 0);
    expect([...new Set(ports.map((sent) => Math.round(sent)))].sort((a, b) => a - b)).toEqual([MB, (n - 1) * MB]);
    const scattered = linkBytes(machine, 'reduce_scatter', MB, 'in-switch').reduce((sum, sent) => sum + sent, 0);
    expect(scattered).toBeCloseTo(n * MB, 3);
  });

  it.each([
    [2, 1],
    [4, 2],
    [8, 3],
  ])('on %i connected chips unchunked trees go up and down %i levels', (n, levels) => {
    // Every flow has a link to itself; half of the data is in each tree.
    const small = fixed(fullyConnected(n), 'tree', 'all_reduce', 1);
    expect(small).toBeCloseTo(2 * levels * (HOP + 0.5 / LINK), 8);
  });

  it('chunks of a tree follow each other: large messages are bound by what a chip sends', () => {
    const machine = machineOf(switchOf(8), model(8));
    const large = 1e9;
    const time = fixed(machine, 'tree', 'all_reduce', large);
    const least = (2 * (7 / 8) * large) / LINK;
    expect(time).toBeGreaterThan(least);
    expect(time).toBeLessThan(1.3 * least);
  });

  it('over nodes a hierarchy gathers across first, while there is little to move', () => {
    const machine = machineOf(switchOf(8), model(32));
    const across = 2 * 10 * HOP + (3 * MB) / (LINK / 10);
    const inside = HOP + (7 * 4 * MB) / LINK;
    // Across by doubling or directly: the fewer latencies.
    expect(fixed(machine, 'hierarchical', 'all_gather')).toBeCloseTo(across - 10 * HOP + inside, 8);
    expect(fixed(machine, 'hierarchical', 'reduce_scatter', 32 * MB)).toBeCloseTo(across - 10 * HOP + inside, 8);
  });

  it("a ring over nodes uses every chip's network card at once", () => {
    for (const nodes of [4, 3]) {
      const machine = machineOf(switchOf(8), model(8 * nodes));
      // The cards, at a tenth of the rate, carry an eighth.
      const step = 10 * HOP + MB / 8 / (LINK / 10);
      expect(fixed(machine, 'ring', 'all_gather')).toBeCloseTo((8 * nodes - 1) * step, 8);
      const sentOver = linkBytes(machine, 'all_gather', MB, 'ring');
      const network = sentOver.filter((_, link) => machine.fabric.links[link]!.name.includes(' card '));
      expect(network.length).toBe(2 * 8 * nodes);
      network.forEach((sent) => expect(sent).toBeCloseTo(((8 * nodes - 1) * MB) / 8, 3));
    }
  });

  it('a plane gathers over one dimension, then over the other, with as much more data', () => {
    const machine = machineOf(torusOf(2), model(32), [4, 8]);
    const one = twoWays(4, MB) + twoWays(8, 4 * MB);
    const other = twoWays(8, MB) + twoWays(4, 8 * MB);
    const got = fixed(machine, 'bidirectional-ring', 'all_gather');
    expect(Math.min(Math.abs(got - one), Math.abs(got - other))).toBeLessThan(1e-8);
    expect(fixed(machine, 'bidirectional-ring', 'reduce_scatter', 32 * MB)).toBeCloseTo(got, 8);
    // With all four directions at once no less than half of it, and more for where parts meet.
    const together = fixed(machine, 'multi-axis', 'all_gather');
    expect(together).toBeGreaterThan(got / 2);
    expect(together).toBeLessThan(0.65 * got);
  });

  it('a cube all-reduces over all dimensions at once', () => {
    const machine = machineOf(torusOf(3), model(64), [4, 4, 4]);
    const part = MB / 64 / 3;
    const gather = twoWays(4, part) + twoWays(4, 4 * part) + twoWays(4, 16 * part);
    expect(fixed(machine, 'multi-axis', 'all_reduce')).toBeCloseTo(2 * gather, 8);
    expect(run(machine, 'all_reduce').algorithm).toBe('multi-axis');
  });

  it('1 GiB over 16 × 16 × 16 is within 2 % of what all six links of a chip carry', () => {
    const machine = machineOf(torusOf(3), model(4096), [16, 16, 16]);
    const { seconds, algorithm } = run(machine, 'all_reduce', 2 ** 30);
    const least = (2 * (4095 / 4096) * 2 ** 30) / (6 * LINK);
    expect(algorithm).toBe('multi-axis');
    expect(seconds).toBeGreaterThan(least);
    expect(seconds).toBeLessThan(1.02 * least);
  });

  it.each([4, 8, 16])('an all-to-all on a ring of %i moves n²/8 chunks over each link, half-way round at most', (n) => {
    const machine = machineOf(torusOf(1), model(n));
    const chunk = MB / n;
    linkBytes(machine, 'all_to_all', MB, 'bidirectional-ring').forEach((sent) =>
      expect(sent).toBeCloseTo(((n * n) / 8) * chunk, 3),
    );
    const time = fixed(machine, 'bidirectional-ring', 'all_to_all');
    expect(time).toBeCloseTo((n / 2) * HOP + ((n * n) / 8) * (chunk / LINK), 8);
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
    expect(toSeconds(timeAlone(schedule, network.sharing))).toBeCloseTo(HOP + (3 * MB) / LINK, 8);
  });
});

describe('bytes', () => {
  it("a ring's all-gather moves (n−1)/n of the result over each chip's links, half each way", () => {
    const machine = machineOf(torusOf(1), model(8));
    const result = 8 * MB;
    linkBytes(machine, 'all_gather').forEach((sent) => expect(sent).toBeCloseTo(((7 / 8) * result) / 2, 3));
    linkBytes(machine, 'reduce_scatter', result).forEach((sent) => expect(sent).toBeCloseTo(((7 / 8) * result) / 2, 3));
  });

  it('on a line each link moves (n−1)/n of the result, out or back', () => {
    const machine = machineOf(torusOf(1, 64), model(4));
    linkBytes(machine, 'all_gather', MB, 'ring').forEach((sent) => expect(sent).toBeCloseTo(3 * MB, 3));
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
    expect(run(machine, 'all_gather', MB, 'data', [], 'bidirectional-ring').seconds).toBeCloseTo(
      4 * 2 * HOP + (7 / 2) * ((2 * MB) / LINK),
      9,
    );
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
