/**
 * An all-reduce over nodes whose switches, or the network's, add up: in each of k chunks it scatters sums inside the
 * nodes, reduces them among members of the same place in their node, each on its own rail, and gathers inside (NCCL's
 * CollNet and NVLSTree). What adds up does so on the way; elsewhere members of a node send directly to each other, and
 * nodes make a ring. A chunk begins when the one before is through its scatter, so that node and network are busy at
 * once: with L in a node and N nodes, large messages take the most of S/β in the node and S/Lβ' in the network, or of a
 * ring there 2 (N − 1)/N · S/Lβ'.
 */
import type { Algorithm, Workshop } from './algorithm.js';
import { lazily } from './algorithm.js';
import { bytes } from '../../src/units.js';
import type { Level } from './axis.js';
import { levelsOf } from './axis.js';
import { directFlows } from './direct.js';
import { copies } from './in-switch.js';
import { ringFlows } from './ring.js';
import type { Flow, Pattern, Round } from './types.js';

const CHUNKS = [1, 2, 4, 8, 16, 32, 64];

/** Shares are of a chunk. */
interface Phase {
  /** Each with as many of its bytes. */
  readonly steps: number;
  /** What a chip gets, and of it what it is to add up itself. */
  readonly got: number;
  readonly added: number;
  /** Of some groups of the whole axis, in all steps together. */
  flowsOf(groups: Level['groups']): Flow[];
}

function phasesOf({ stages, length }: Level): Phase[] {
  const [network, node] = [stages[0]!, stages[1]!];
  const [nodes, perNode] = [network.length, node.length];
  const across = (groups: Level['groups']) => levelsOf({ stages, length, groups })[0]!.groups;
  const inside = (groups: Level['groups']) => levelsOf({ stages, length, groups })[1]!.groups;
  const share = 1 / perNode;
  const most = 1 - share;
  const pairs = (groups: Level['groups']): Flow[] => directFlows(inside(groups), share);
  const copied = (manyGo: 'up' | 'down') => (groups: Level['groups']) => copies(inside(groups), perNode, manyGo, most);
  const moved = network.reducesInSwitch ? share : (2 * share * (nodes - 1)) / nodes;
  return [
    node.reducesInSwitch
      ? { steps: 1, got: share, added: 0, flowsOf: copied('up') }
      : { steps: 1, got: most, added: most, flowsOf: pairs },
    {
      steps: network.reducesInSwitch ? 1 : 2 * (nodes - 1),
      got: moved,
      added: network.reducesInSwitch ? 0 : moved / 2,
      flowsOf: (groups) => ringFlows(across(groups), false).map((flow) => ({ ...flow, share: moved })),
    },
    { steps: 1, got: most, added: 0, flowsOf: node.reducesInSwitch ? copied('down') : pairs },
  ];
}

/** What phases that run at once, each on a chunk of its own, do in each of the steps of the longest of them. */
interface Window {
  readonly steps: number;
  readonly pattern: Pattern;
  readonly summed: number;
}

export function inSwitchOverNodes(workshop: Workshop, level: Level): Algorithm | undefined {
  const [network, node, ...others] = level.stages;
  if (network?.kind !== 'network' || node?.kind !== 'node' || others.length > 0) return undefined;
  if (!network.reducesInSwitch && !node.reducesInSwitch) return undefined;
  const phases = phasesOf(level);
  const windowOf = (from: number, to: number): Window => {
    const together = phases.slice(from, to + 1);
    const total = (of: (phase: Phase) => number): number => together.reduce((sum, phase) => sum + of(phase), 0);
    return {
      steps: Math.max(...together.map(({ steps }) => steps)),
      pattern: workshop.pattern({
        groups: level.groups,
        flowsOf: (groups) => together.flatMap(({ flowsOf }) => flowsOf(groups)),
      }),
      summed: total(({ added }) => added) / total(({ got }) => got),
    };
  };
  const last = phases.length - 1;
  const windows = lazily(() => phases.map((_, from) => phases.map((_one, to) => windowOf(from, Math.max(from, to)))));
  const schedule = (heldBytes: number, chunks: number): Round[] => {
    const rounds: Round[] = [];
    for (let chunk = 0; chunk < chunks + last; chunk++) {
      const { steps, pattern, summed } = windows()[Math.max(0, chunk - chunks + 1)]![Math.min(chunk, last)]!;
      const before = rounds.at(-1);
      if (before?.pattern === pattern) rounds[rounds.length - 1] = { ...before, steps: before.steps + steps };
      else rounds.push({ pattern, steps, bytes: bytes(heldBytes / chunks / steps), summed });
    }
    return rounds;
  };
  return {
    name: 'in-switch',
    collectives: ['all_reduce'],
    channels: (_collective, heldBytes, pick) =>
      pick.fastest(CHUNKS.map((chunks) => () => [schedule(heldBytes, chunks)])),
  };
}
