/**
 * Nodes of chips with their network cards, and the leaf switches above them; or the ranks of one host around its memory. A
 * chip or a card has the colour of its busiest link.
 */
import type { Machine } from '../../../sim/index.js';
import type { Drawing, DrawnBox } from './drawing.js';
import { used } from './drawing.js';

const MOST_NODES = 160;
const CELLS = 8;
const CELL = 1;
const GAP = 0.15;
/** Of a node, around its cells and over them. */
const FRAME = 0.4;
/** Nodes of a row, so that the whole is wider than it is high. */
const NODES_IN_ROW = 8;

/** Of what several links of a chip, a card or a switch do: the most, and by which. */
class Uses {
  readonly #most = new Map<string, { share: number; names: string[] }>();

  add(key: string, name: string, share: number): void {
    const before = this.#most.get(key) ?? { share: 0, names: [] };
    const names = [...before.names, `${name} ${used(share)}`];
    this.#most.set(key, { share: Math.max(before.share, share), names });
  }

  of(key: string): { readonly share: number; readonly names: readonly string[] } {
    return this.#most.get(key) ?? { share: 0, names: [] };
  }

  has(key: string): boolean {
    return this.#most.has(key);
  }

  keys(prefix: string): string[] {
    return [...this.#most.keys()].filter((key) => key.startsWith(prefix));
  }
}

/** What is said of a chip: its links, but of many the first ones. */
const tipOf = (what: string, names: readonly string[]): string =>
  names.length === 0
    ? `${what}: no links`
    : names.length <= 4
      ? `${what}: ${names.join(', ')}`
      : `${what}: ${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;

function usesOf({ fabric, chips }: Machine, utilization: readonly number[]): Uses {
  const uses = new Uses();
  fabric.links.forEach(({ name, from, to }, index) => {
    const share = utilization[index]!;
    const card = /^(?:node|host) (\d+)(?: card (\d+))? (out|in)$/.exec(name);
    const leaf = /^leaf (\d+) (up|down)$/.exec(name);
    if (card !== null) uses.add(`card ${card[1]} ${card[2] ?? 0}`, card[3]!, share);
    else if (leaf !== null) uses.add(`leaf ${leaf[1]}`, leaf[2]!, share);
    else if (name === 'host memory') uses.add('memory', 'copies', share);
    else if (from < chips) uses.add(`chip ${from}`, name.replace(/^chip \d+ /, ''), share);
    else if (to < chips) uses.add(`chip ${to}`, name.replace(/^chip \d+ /, ''), share);
  });
  return uses;
}

/** How many chips a box holds: of a node, or all of them where they share a host. */
function chipsPerBox({ hardware: { topology }, chips }: Machine): number {
  return topology.kind === 'switch' || topology.kind === 'fully-connected' ? topology.chipsPerNode : chips;
}

function nodesDrawn(machine: Machine, utilization: readonly number[], per: number): [first: number, count: number] {
  const all = Math.ceil(machine.chips / per);
  if (all <= MOST_NODES) return [0, all];
  const links = machine.fabric.links;
  const busiest = utilization.reduce(
    (most, share, index) => (links[index]!.from < machine.chips && share > (utilization[most] ?? 0) ? index : most),
    0,
  );
  const node = Math.floor(Math.min(links[busiest]?.from ?? 0, machine.chips - 1) / per);
  return [Math.min(Math.max(0, node - MOST_NODES / 2), all - MOST_NODES), MOST_NODES];
}

export function drawNodes(machine: Machine, utilization: readonly number[]): Drawing {
  const { chips, hardware } = machine;
  const uses = usesOf(machine, utilization);
  const per = chipsPerBox(machine);
  const [first, nodes] = nodesDrawn(machine, utilization, per);
  const inRow = Math.min(CELLS, per);
  const rows = Math.ceil(Math.min(per, chips) / inRow);
  const cards = uses.keys(`card ${first} `).length;
  const hasMemory = uses.has('memory');
  const leaves = uses.keys('leaf ');
  const nodeWidth = inRow * CELL + (inRow - 1) * GAP + 2 * FRAME;
  const below = (cards > 0 ? 0.75 : 0) + (hasMemory ? 1.1 : 0);
  const nodeHeight = rows * CELL + (rows - 1) * GAP + 2 * FRAME + below;
  const columns = Math.min(nodes, NODES_IN_ROW);
  const width = columns * (nodeWidth + 0.6) - 0.6;
  const boxes: DrawnBox[] = [];
  const top = leaves.length > 0 ? 1.7 : 0.7;
  leaves.forEach((key, index) => {
    const each = width / leaves.length;
    const { share, names } = uses.of(key);
    boxes.push({
      at: [index * each + 0.1, 0.1],
      size: [each - 0.2, 0.7],
      utilization: share,
      tip: tipOf(key, names),
    });
  });
  for (let index = 0; index < nodes; index++) {
    const node = first + index;
    const left = (index % columns) * (nodeWidth + 0.6);
    const y = top + Math.floor(index / columns) * (nodeHeight + 0.9);
    const isNode = hardware.topology.kind !== 'shared-memory';
    const name = isNode ? `node ${node}` : 'host';
    boxes.push({ at: [left, y], size: [nodeWidth, nodeHeight], tip: name, name });
    for (let cell = 0; cell < Math.min(per, chips - node * per); cell++) {
      const chip = node * per + cell;
      const { share, names } = uses.of(`chip ${chip}`);
      boxes.push({
        at: [left + FRAME + (cell % inRow) * (CELL + GAP), y + FRAME + Math.floor(cell / inRow) * (CELL + GAP)],
        size: [CELL, CELL],
        utilization: share,
        tip: tipOf(`chip ${chip}`, names),
      });
    }
    const inner = nodeWidth - 2 * FRAME;
    for (let card = 0; card < cards; card++) {
      const { share, names } = uses.of(`card ${node} ${card}`);
      const each = inner / cards;
      boxes.push({
        at: [left + FRAME + card * each + 0.05, y + nodeHeight - FRAME - 0.45],
        size: [each - 0.1, 0.45],
        utilization: share,
        tip: tipOf(`${name}, card ${card}`, names),
      });
    }
    if (hasMemory) {
      const { share, names } = uses.of('memory');
      boxes.push({
        at: [left + FRAME, y + nodeHeight - FRAME - 0.8],
        size: [inner, 0.8],
        utilization: share,
        tip: tipOf('host memory', names),
      });
    }
  }
  const all = Math.ceil(chips / per);
  return {
    width,
    height: top + Math.ceil(nodes / columns) * (nodeHeight + 0.9) - 0.9 + 0.2,
    lines: [],
    boxes,
    words: wordsOf(machine, { per, nodes, all, cards, hasLeaves: leaves.length > 0 }),
  };
}

interface Counts {
  readonly per: number;
  readonly nodes: number;
  readonly all: number;
  readonly cards: number;
  readonly hasLeaves: boolean;
}

function wordsOf({ hardware: { topology }, chips }: Machine, { per, nodes, all, cards, hasLeaves }: Counts): string {
  if (topology.kind === 'shared-memory')
    return `${chips} ranks of one host (squares), which copy through its memory (below them)`;
  const inside = topology.kind === 'switch' ? 'behind a switch' : 'each joined to each';
  return [
    `${all} node${all === 1 ? '' : 's'} of ${Math.min(per, chips)} chips ${inside}`,
    ...(cards > 0 ? [`below them ${cards} network card${cards === 1 ? '' : 's'}`] : []),
    ...(hasLeaves ? ['above all the leaf switches, by what goes to and comes from the spines'] : []),
    ...(nodes < all ? [`${nodes} of ${all} nodes are drawn, those around the busiest link`] : []),
  ].join('; ');
}
