import { describe, expect, it } from 'vitest';
import { loadHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { drawingData, levelOf } from '../../src/report/topology/drawing.js';
import { drawNodes } from '../../src/report/topology/nodes.js';
import { drawTorus } from '../../src/report/topology/torus.js';
import type { Machine } from '../../sim/index.js';
import { createMachine } from '../../sim/index.js';

const machineOf = (hardware: string, mesh: Record<string, number>, slice?: number[], slices?: number): Machine =>
  createMachine({
    hardware: loadHardware(hardware),
    mesh: createMesh(mesh),
    ...(slice === undefined ? {} : { slice }),
    ...(slices === undefined ? {} : { slices }),
  });

/** Each link by another amount. */
const utilizationOf = ({ fabric }: Machine): number[] => fabric.links.map((_, index) => ((index * 7919) % 1000) / 1000);

describe('a drawn torus', () => {
  it.each([
    ['4 × 4 × 4', 'tpu-v4', { data: 64 }, [4, 4, 4]],
    ['4 × 4 × 8', 'tpu-v4', { data: 16, model: 8 }, [4, 4, 8]],
    ['2 × 2 × 4, a line without a way around', 'tpu-v4', { data: 16 }, [2, 2, 4]],
    ['4 × 4 of two dimensions', 'tpu-v5e', { data: 16 }, [4, 4]],
  ] as const)('has every chip once and every pair of links once (%s)', (_, hardware, mesh, slice) => {
    const machine = machineOf(hardware, mesh, [...slice]);
    const utilization = utilizationOf(machine);
    const { lines, boxes, width, height } = drawTorus(machine, utilization);
    const pairs = machine.fabric.links.filter(({ name }) => name.includes(' +'));
    expect(lines).toHaveLength(pairs.length);
    expect(new Set(lines.map(({ tip }) => tip.split(':')[0])).size).toBe(pairs.length);
    expect(boxes.filter(({ tip }) => tip.startsWith('chip '))).toHaveLength(machine.chips);
    for (const [x, y] of [...lines.flatMap(({ from, to }) => [from, to]), ...boxes.map(({ at }) => at)]) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(width);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(height);
    }
  });

  it('has of both directions of a link the busier one, so that the busiest of all is seen', () => {
    const machine = machineOf('tpu-v4', { data: 64 }, [4, 4, 4]);
    const { fabric } = machine;
    fabric.links.forEach(({ from, to }, index) => {
      const one = fabric.links.map((_, other) => (other === index ? 0.9 : 0.1));
      const busy = drawTorus(machine, one).lines.filter(({ utilization }) => utilization === 0.9);
      expect(busy, `from ${from} to ${to}`).toHaveLength(1);
    });
  });

  it('of more chips than are drawn has the layers around the busiest link, and says so', () => {
    const machine = machineOf('tpu-v4', { data: 4096 }, [16, 16, 16]);
    const { links } = machine.fabric;
    const busiest = links.findIndex(({ from, name }) => from === 16 * 256 - 1 - 5 * 256 && name.includes('+'));
    const { lines, words } = drawTorus(
      machine,
      links.map((_, index) => (index === busiest ? 1 : 0)),
    );
    expect(lines.length).toBeLessThan(links.length / 2);
    expect(lines.filter(({ utilization }) => utilization === 1)).toHaveLength(1);
    expect(words).toContain('5 of its 16 layers, those around the busiest link');
  });

  it('of several slices has that of the busiest link', () => {
    const machine = machineOf('tpu-v4', { data: 128 }, [4, 4, 4], 2);
    const { links } = machine.fabric;
    const last = links.findLastIndex(({ from, to, name }) => from < 128 && to < 128 && name.includes('+'));
    const { lines, words } = drawTorus(
      machine,
      links.map((_, index) => (index === last ? 1 : 0)),
    );
    expect(lines.filter(({ utilization }) => utilization === 1)).toHaveLength(1);
    expect(words).toContain('one of 2 slices');
  });
});

describe('drawn nodes', () => {
  it('have every chip and every card once, coloured by its busiest link', () => {
    const machine = machineOf('h100-80gb-sxm', { data: 32 });
    const utilization = utilizationOf(machine);
    const { boxes } = drawNodes(machine, utilization);
    for (let chip = 0; chip < machine.chips; chip++) {
      const own = boxes.filter(({ tip }) => tip.startsWith(`chip ${chip}:`));
      expect(own).toHaveLength(1);
      const ofChip = machine.fabric.links.flatMap(({ name, from, to }, index) =>
        /^chip/.test(name) && (from === chip || (to === chip && from >= machine.chips)) ? [utilization[index]!] : [],
      );
      expect(own[0]!.utilization).toBe(Math.max(...ofChip));
    }
    expect(boxes.filter(({ tip }) => /^node \d+, card \d+:/.test(tip))).toHaveLength(
      machine.fabric.links.filter(({ name }) => /card \d+ out$/.test(name)).length,
    );
  });

  it('of one host show its ranks around its memory', () => {
    const machine = machineOf('local', { data: 2 });
    const { boxes, words } = drawNodes(machine, utilizationOf(machine));
    expect(boxes.map(({ tip }) => tip.split(':')[0])).toEqual(['host', 'chip 0', 'chip 1', 'host memory']);
    expect(words).toContain('2 ranks of one host');
  });

  it('are never more than can be told apart, those around the busiest link among them', () => {
    const machine = machineOf('h100-80gb-sxm', { data: 4096 });
    const { links } = machine.fabric;
    const busiest = links.findIndex(({ from }) => from === 3999);
    const { boxes, words } = drawNodes(
      machine,
      links.map((_, index) => (index === busiest ? 1 : 0)),
    );
    expect(boxes.filter(({ name }) => name?.startsWith('node'))).toHaveLength(160);
    expect(boxes.some(({ tip, utilization }) => tip.startsWith('chip 3999:') && utilization === 1)).toBe(true);
    expect(words).toContain('160 of 512 nodes are drawn');
  });
});

it('levels grow with utilization, and only what is unused has the lowest', () => {
  expect([0, 1e-9, 0.2, 0.21, 0.5, 0.8, 0.81, 1, 1.4].map(levelOf)).toEqual([0, 1, 1, 2, 3, 4, 5, 5, 5]);
  const line = { from: [0, 0], to: [1, 1], utilization: 0.5, tip: 'a' } as const;
  expect(drawingData({ width: 1, height: 1, lines: [line], boxes: [], words: '' })).toMatchObject({
    lines: [0, 0, 1, 1, 3],
  });
});
